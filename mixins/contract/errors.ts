// Errors of any call, whichever floor or service notices them: errors of the params, and failures on the way.
import { defineErrors } from "../kernel/index.ts";

export const callErrors = defineErrors({
  VALIDATION_ERROR: {
    status: 422,
    says: "a field is missing, unknown, or of the wrong type, size or form",
    todo: "correct the fields that `errors[]` names",
  },
  FORBIDDEN: {
    status: 403,
    says: "this asks for a permission that you do not have",
    todo: "ask an administrator for a role with the permission, or ask for your own resources; an API key has the permissions of its scopes",
  },
  CALLER_UNPROVEN: {
    status: 401,
    says: "the call names a person, and no valid access token of theirs came with it",
    todo: "pass the person's token on in `meta.token`, or call on nobody's behalf; a client logs in again",
  },
  KEYS_UNAVAILABLE: {
    status: 503,
    retryAfterMs: 500,
    says: "the public keys of access tokens cannot be fetched now",
    todo: "repeat the call later; see whether the accounts service runs",
  },
  NOT_FOUND: { status: 404, says: "no such resource", todo: "correct the path: `/openapi.json` lists them all" },
  METHOD_NOT_ALLOWED: {
    status: 405,
    says: "the resource does not have this method: use {allow}",
    todo: "use a method that the header `Allow` names",
  },
  PRECONDITION_FAILED: {
    status: 412,
    says: "it is not in the state that the request speaks of: read it again",
    todo: "read the resource again and repeat the change with its new `ETag`; nothing was done",
  },
  REQUEST_TOO_LARGE: {
    status: 413,
    says: "the request has more bytes than the bus between the nodes carries",
    todo: "send less at a time; nothing was done",
  },
  ANSWER_TOO_LARGE: {
    status: 413,
    says: "the answer has more bytes than the bus between the nodes carries",
    todo: "ask for less at a time (`pageSize`, `limit`); the effect of the call stands",
  },
  DEADLINE_PASSED: {
    status: 503,
    unknown: 504,
    says: "the caller's time was over before the call was decided",
    todo: "repeat the call",
  },
  TOO_MANY_CALLS: {
    status: 503,
    says: "an action of a node has as many calls at hand and waiting as it may",
    todo: "repeat the call later; add nodes if it goes on",
  },
  CIRCUIT_OPEN: {
    status: 503,
    says: "no node that answers this is well: each has failed too often in the last seconds",
    todo: "repeat the call after `Retry-After`; `ops.circuits` shows which node fails",
  },
  SERVICE_NOT_FOUND: {
    status: 503,
    says: "no node that answers this has been in sight",
    todo: "start a node with this service",
  },
  SERVICE_NOT_AVAILABLE: {
    status: 503,
    says: "no node that answers this is in sight now",
    todo: "repeat the call later; see whether the service's nodes run",
  },
  BROKER_DISCONNECTED: {
    status: 503,
    says: "this node is cut off from the others",
    todo: "repeat the call later; see whether the bus can be reached",
  },
  REQUEST_SKIPPED: {
    status: 503,
    says: "the caller's time was over before the call was made",
    todo: "repeat the call",
  },
  REQUEST_REJECTED: {
    status: 504,
    says: "the node went away with the call: it may have taken effect",
    todo: "repeat the call with the same `Idempotency-Key`",
  },
  REQUEST_TIMEOUT: {
    status: 504,
    says: "no answer came in time: the call may have taken effect",
    todo: "repeat the call with the same `Idempotency-Key`",
  },
  CHECK_FAILED: {
    status: 500,
    says: "the value could not be checked: {reason}",
    todo: "mend the caller: a getter of its params throws; or mend the format's check",
  },
});
