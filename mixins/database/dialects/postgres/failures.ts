// What a failed statement is to its caller: not now (busy, unreachable), or an error of the statement's own.
import { DatabaseError } from "pg";
import { Unavailable, type Outcome } from "../../../kernel/index.ts";

/**
 * SQLSTATEs that end the connection, whatever the severity says: connection exceptions, also PgBouncer's; the server is
 * stopped, crashed or starting; the transaction waited too long; the server has become a standby.
 */
const ENDS_CONNECTION = /^(08...|57P0[1-5]|25P03|25006)$/;
/**
 * The server has undone the statement, or never begun it, and a repetition may pass: too many connections, no lock in time,
 * the statement's or the transaction's time is over, a deadlock, a conflict of serializable transactions.
 */
const BUSY = /^(53300|55P03|57014|25P03|40P01|40001)$/;
/** The server ran out of disk or memory. */
const OUT_OF_RESOURCES = /^53...$/;
/** The value at the end of what the server says about bad input: `invalid input syntax for type bigint: "…"`. */
const QUOTED_INPUT = /: "[^]*"$/;

const stateOf = (error: unknown): string => (error instanceof DatabaseError ? (error.code ?? "") : "");

/** Whether the server said it, and has closed the connection, or is about to. */
export const endsConnection = (error: unknown): boolean =>
  error instanceof DatabaseError &&
  (ENDS_CONNECTION.test(stateOf(error)) || error.severity === "FATAL" || error.severity === "PANIC");

export const busy = (cause: unknown): Unavailable =>
  new Unavailable("DATABASE_BUSY", { message: "the database is busy", retryAfterMs: 200, cause });

export const unreachable = (cause: unknown, outcome: Outcome = "none"): Unavailable =>
  new Unavailable("DATABASE_UNAVAILABLE", {
    message: "the database cannot be reached",
    retryAfterMs: 1_000,
    outcome,
    cause,
  });

/** A connection that could not be made. */
export const refused = (error: unknown): Unavailable => (BUSY.test(stateOf(error)) ? busy(error) : unreachable(error));

/** The connection went, for this reason, before the answer came. */
export const lost = (reason: unknown, outcome: Outcome): Unavailable =>
  outcome === "none" && BUSY.test(stateOf(reason)) ? busy(reason) : unreachable(reason, outcome);

/** The server answered with an error, and the connection goes on. */
export function answered(error: unknown): unknown {
  const state = stateOf(error);
  if (BUSY.test(state)) return busy(error);
  if (OUT_OF_RESOURCES.test(state)) return unreachable(error);
  return error instanceof DatabaseError ? withoutValues(error) : error;
}

/** What the server adds to an error names the row at hand, which is people's data; the message quotes bad input. */
function withoutValues(error: DatabaseError): DatabaseError {
  error.detail = error.where = error.internalQuery = undefined;
  error.message = error.message.replace(QUOTED_INPUT, "");
  return error;
}
