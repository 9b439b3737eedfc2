// The HTTP routes of the audit, for administrators. A domain that runs the service `audit` spreads them among its own routes.
import { auditContract } from "../audit/index.ts";
import { route, type Route } from "../gateway/index.ts";

const access = "admin";
const { list } = auditContract.actions;

export const auditRoutes: readonly Route[] = [
  route("GET /ops/audit", "audit.list", {
    summary: "What happened, the newest first: of a subject, a type of actor, a person, a time",
    access,
    query: list.params,
    list: "records",
    params: ({ query }) => query,
  }),
  route("GET /ops/audit/verify", "audit.verify", {
    summary: "Whether the audit is as it was written; one that takes long goes on, ask again",
    access,
    params: () => ({}),
  }),
  route("GET /ops/audit/status", "audit.status", {
    summary: "Where the audit stands: partitions, newest checkpoint, public key, trouble",
    access,
    params: () => ({}),
  }),
];
