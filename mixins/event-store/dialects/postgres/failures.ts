// The end of a statement, by the driver's error.
import { DatabaseError } from "pg";
import { isContended, isGone, stateOf } from "../../../database/siblings.ts";

/**
 * How a statement, which is a transaction of its own, came to its end:
 *   undone    the server says that it failed: nothing of it was written.
 *   contended undone as well, because of concurrent transactions: it is repeated at once.
 *   lost      the connection ended first. It may have committed, or may still.
 */
export type Failure = "undone" | "contended" | "lost";

/**
 * An error with which the server ends the connection. The commit may be written already: a failed sync of the log is a
 * PANIC.
 */
const isEnd = (error: unknown): boolean =>
  error instanceof DatabaseError && (error.severity === "FATAL" || error.severity === "PANIC");

export function failureOf(error: unknown): Failure {
  if (stateOf(error) === "" || isGone(error) || isEnd(error)) return "lost";
  return isContended(error) ? "contended" : "undone";
}
