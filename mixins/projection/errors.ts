// Errors of projections: of reading their rows, and of their handlers.
import { defineErrors } from "../kernel/index.ts";

export const projectionErrors = defineErrors({
  PROJECTION_NOT_FOUND: {
    status: 404,
    says: 'no projection "{name}"',
    todo: "ask for the names: `GET /ops/projections`",
  },
  BAD_READ_TOKEN: {
    status: 422,
    says: "`after` is no read-your-writes token of a write that was made",
    todo: "send the token of a write, or none",
  },
  NOT_CAUGHT_UP: {
    status: 503,
    retryAfterMs: 500,
    says: "{projection} has not caught up with {token}",
    todo: "repeat the read: your write is not in the read model yet, or that is being built for this release",
  },
  HANDLERS_HANG: {
    status: 503,
    says: "projection {projection}: not handled yet, since handlers before it did not end",
    todo: "wait: the event is tried again by itself; mend the handlers that do not end",
  },
  HANDLER_HANGS: {
    status: 500,
    says: "projection {projection}: a handler has not ended after {ms} ms",
    todo: "wait in the handler for its tables alone",
  },
  HANDLER_LATE: {
    status: 500,
    says: "projection {projection}: a handler reads or writes after its end",
    todo: "await every read and write in the handler",
  },
  HANDLER_ENDLESS: {
    status: 500,
    says: "projection {projection}: a handler reads and writes without end",
    todo: "bound the handler's work for one event",
  },
  ROW_NOT_STORABLE: {
    status: 500,
    says: "projection {projection}, table {table}: {reason}",
    todo: "store rows of the table's schema; change the schema and raise the projection's version if it is wrong",
  },
});
