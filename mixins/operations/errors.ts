// Errors of operations over all services.
import { defineErrors } from "../kernel/index.ts";

export const operationErrors = defineErrors({
  ACTOR_TYPE_NOT_FOUND: {
    status: 404,
    says: 'no service hosts "{type}"',
    todo: "name the type of actor as its events do: the part before the dot",
  },
  ACTOR_NOT_FOUND: {
    status: 404,
    says: "there is no {type} {id}",
    todo: "check the id: nothing ever happened to such an actor",
  },
  CONSUMER_AMBIGUOUS: {
    status: 422,
    says: "{services} have a consumer of this name",
    todo: "say which `service`",
  },
  LOG_MODULE_NOT_FOUND: {
    status: 404,
    says: 'no node has a module "{module}" in its log',
    todo: "take a name from `GET /ops/log-levels`: a service, or a part of Moleculer such as `broker` or `transit`",
  },
  AUDIT_NOT_KEPT: {
    status: 409,
    says: "no service keeps an audit, from which this is read",
    todo: "run the service `audit`: the operations are in the log of `ops` until it reads them",
  },
  JOB_NOT_FOUND: {
    status: 404,
    says: "no node works on a job {id}, or remembers it",
    todo: "see `GET /ops/jobs`; the node of a job may have been restarted: what the job did is done, start another for the rest",
  },
  TOO_MANY_JOBS: {
    status: 409,
    says: "this node works on {jobs} jobs already",
    todo: "wait until one has ended, or stop one",
  },
  AFTER_NEEDS_SERVICE: {
    status: 422,
    says: "paging with `after` needs a service: each one counts its own",
    todo: "page with `after` within one `service`",
  },
});
