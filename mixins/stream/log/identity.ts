// A cursor that is not in its owner's log: the log was put back from an older copy, or is another one. The events that are
// written there next have numbers and versions that the consumer has had already, so it would skip them. It therefore
// reads nothing more and changes nothing, until an operator resets it (consumer/reset.ts) or the right log is back.
import type { Cursor } from "./source.ts";

/** Why a cursor is not in the log, as the owner answers. */
export interface CursorFault {
  readonly reason: string;
  /** End of the owner's log at that time. */
  readonly head: Cursor;
  /** The owner's actor type: the first part of its streams' names. */
  readonly actor: string;
}

/** Why and when a consumer has stopped, as the row of its checkpoint keeps it. */
export interface Stopped extends CursorFault {
  /** RFC 3339, the database's clock. */
  readonly at: string;
}

export class CursorNotInLog extends Error {
  readonly fault: CursorFault;
  constructor(source: string, fault: CursorFault) {
    super(`its place is not in the log of ${source}: ${fault.reason}`);
    this.fault = fault;
  }
}

/** The stop that a checkpoint's row records; undefined if the consumer has not stopped. */
export const stoppedOf = ({ stopped }: { readonly stopped?: string | null }): Stopped | undefined =>
  stopped ? (JSON.parse(stopped) as Stopped) : undefined;

/**
 * A mark as its row keeps it, with the revision that wrote it: a node of an older release moves the cursor without the
 * mark, and the mark that it leaves in the row is one of another cursor.
 */
export const keptMark = (mark: string | undefined, revision: number): string | null =>
  mark === undefined ? null : `${revision} ${mark}`;

/** The mark of a row's cursor, if there is one. */
export function markIn({ mark, revision }: { mark?: string | null; revision: number | string }): string | undefined {
  if (!mark) return undefined;
  const [written] = mark.split(" ", 1);
  return written === `${revision}` ? mark.slice(written.length + 1) : undefined;
}

/** Appended to the log line of a consumer that has stopped. */
export const HOW_TO_GO_ON =
  "bring the right log back, or reset the consumer for this one: see `npm run consumer -- --help`";
