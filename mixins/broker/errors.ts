// Errors of a process as a node of the cluster.
import { defineErrors } from "../kernel/index.ts";

export const brokerErrors = defineErrors({
  NOT_READY: {
    status: 503,
    says: "the process is starting, draining, or cut off from the others",
    todo: "ask `/health/ready` on `HEALTH_PORT` again",
  },
  NODEID_TAKEN: {
    status: 500,
    says: "another running process has the NODEID {nodeID}",
    todo: "give each process its own `NODEID`",
  },
});
