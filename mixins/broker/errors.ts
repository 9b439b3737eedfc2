// Errors of a process as a node of the cluster.
import { defineErrors } from "../kernel/index.ts";

export const brokerErrors = defineErrors({
  NOT_READY: {
    status: 503,
    says: "the process is starting, draining, or cut off from the others",
    todo: "ask `/health/ready` on `HEALTH_PORT` again",
  },
  METRICS_DENIED: {
    status: 401,
    says: "the metrics on this port are for the bearer of METRICS_TOKEN",
    todo: "set `METRICS_TOKEN`, and send `Authorization: Bearer` with it",
  },
  NODEID_TAKEN: {
    status: 500,
    says: "another running process has the NODEID {nodeID}",
    todo: "give each process its own `NODEID`",
  },
  CALL_DENIED: {
    status: 503,
    unknown: 504,
    says: "the NATS server does not let this node call {nodeID}: it may not publish {subject}",
    todo: "give the user of `NATS_URL` the subjects of its role: `npx valence nats-conf` writes them",
  },
  SUBJECT_DENIED: {
    status: 500,
    says: "the NATS server does not let this node {verb} {subject}",
    todo: "give the user of `NATS_URL` the subjects of its role: `npx valence nats-conf` writes them",
  },
});
