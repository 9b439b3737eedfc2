// What an error of the driver says about the statement that it ended.
import { DatabaseError } from "pg";

/**
 * How a statement, which is a transaction of its own, came to its end:
 *   undone    the server says that it failed: nothing of it was written.
 *   contended undone as well, only because of others who did something at the same time: again, at once.
 *   lost      the connection ended first. It may have committed, or may still.
 */
export type Failure = "undone" | "contended" | "lost";

/** Serialization failure, deadlock, lock not available. */
const CONTENDED = new Set(["40001", "40P01", "55P03"]);
/**
 * Connection exceptions and the server's own end (57P01 to 57P05). The latter too may come after the commit: a backend
 * that is told to go looks around before it reports, when the transaction is written already.
 */
const LOST = /^(08|57P0)/;

export function failureOf(error: unknown): Failure {
  if (!(error instanceof DatabaseError) || error.code === undefined) return "lost";
  if (LOST.test(error.code)) return "lost";
  return CONTENDED.has(error.code) ? "contended" : "undone";
}

export const codeOf = (error: unknown): string | undefined => (error instanceof DatabaseError ? error.code : undefined);
