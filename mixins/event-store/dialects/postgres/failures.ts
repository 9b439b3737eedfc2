// What an error of the driver says about the statement that it ended.
import { DatabaseError } from "pg";
import { isContended, isGone, stateOf } from "../../../database/siblings.ts";

/**
 * How a statement, which is a transaction of its own, came to its end:
 *   undone    the server says that it failed: nothing of it was written.
 *   contended undone as well, only because of others who did something at the same time: again, at once.
 *   lost      the connection ended first. It may have committed, or may still.
 */
export type Failure = "undone" | "contended" | "lost";

/** The server's last word. It may end at a commit that is written already: a sync of the log that fails is a PANIC. */
const isEnd = (error: unknown): boolean =>
  error instanceof DatabaseError && (error.severity === "FATAL" || error.severity === "PANIC");

export function failureOf(error: unknown): Failure {
  if (stateOf(error) === "" || isGone(error) || isEnd(error)) return "lost";
  return isContended(error) ? "contended" : "undone";
}
