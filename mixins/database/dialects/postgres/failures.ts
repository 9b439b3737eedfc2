// Sorts failed statements for the caller: not now (busy, unreachable), or an error of the statement itself.
import { DatabaseError } from "pg";
import type { Outcome, Unavailable } from "../../../kernel/index.ts";
import { databaseErrors } from "../../errors.ts";

/**
 * Connection exceptions, also PgBouncer's, and the server's own end: stopped, crashed or starting. They do not tell
 * whether the statement under way has committed: a backend that is told to end may report that when its transaction is
 * written already.
 */
const GONE = /^(08...|57P0[1-5])$/;
/**
 * Errors that end the connection too, whatever the severity says: the transaction waited too long; the server is a
 * standby now.
 */
const ENDS_CONNECTION = /^(25P03|25006)$/;
/** Undone only because of concurrent transactions: serialization failure, deadlock, lock not available. */
const CONTENDED = /^(40001|40P01|55P03)$/;
/**
 * Undone, or never begun, and a repetition may pass: too many connections, the statement's or the transaction's time is
 * over.
 */
const BUSY = /^(53300|57014|25P03)$/;
/** The server ran out of disk or memory. */
const OUT_OF_RESOURCES = /^53...$/;
/** The value at the end of the server's message about bad input: `invalid input syntax for type bigint: "…"`. */
const QUOTED_INPUT = /: "[^]*"$/;

/** SQLSTATE of a server's error; empty for any other error. */
export const stateOf = (error: unknown): string => (error instanceof DatabaseError ? (error.code ?? "") : "");

/** Whether the server, or the connection to it, ended before the outcome was known. */
export const isGone = (error: unknown): boolean => GONE.test(stateOf(error));

/** Errors of the client about a connection that was not made in time, or was lost. They have no code. */
const CONNECTION_LOST =
  /^(timeout expired|Query read timeout|Connection terminated|Client has encountered a connection error)/;

/** Whether a connection could not be made, or was lost: the server is away, or too busy to answer in time. */
export function isOfConnection(error: unknown): boolean {
  if (error instanceof DatabaseError) return isGone(error) || isBusy(error);
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  return (code !== undefined && syscall !== undefined) || CONNECTION_LOST.test(message);
}

/** Whether the statement is undone, and may pass if it is repeated at once. */
export const isContended = (error: unknown): boolean => CONTENDED.test(stateOf(error));

const isBusy = (error: unknown): boolean => isContended(error) || BUSY.test(stateOf(error));

/** Whether the server sent the error and has closed the connection, or is about to. */
export const endsConnection = (error: unknown): boolean =>
  isGone(error) ||
  ENDS_CONNECTION.test(stateOf(error)) ||
  (error instanceof DatabaseError && (error.severity === "FATAL" || error.severity === "PANIC"));

export const busy = (cause: unknown): Unavailable => databaseErrors.DATABASE_BUSY({ cause });

export const unreachable = (cause: unknown, outcome: Outcome = "none"): Unavailable =>
  databaseErrors.DATABASE_UNAVAILABLE({ outcome, cause });

/** A connection that could not be made. */
export const refused = (error: unknown): Unavailable => (isBusy(error) ? busy(error) : unreachable(error));

/** The connection was lost, for this reason, before the answer came. */
export const lost = (reason: unknown, outcome: Outcome): Unavailable =>
  outcome === "none" && isBusy(reason) ? busy(reason) : unreachable(reason, outcome);

/** The server answered with an error, and the connection goes on. */
export function answered(error: unknown): unknown {
  if (isBusy(error)) return busy(error);
  if (OUT_OF_RESOURCES.test(stateOf(error))) return unreachable(error);
  return error instanceof DatabaseError ? withoutValues(error) : error;
}

/** The server's details of an error name the row at hand, which is people's data; the message quotes bad input. */
function withoutValues(error: DatabaseError): DatabaseError {
  error.detail = error.where = error.internalQuery = undefined;
  error.message = error.message.replace(QUOTED_INPUT, "");
  return error;
}
