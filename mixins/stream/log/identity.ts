// A consumer's place that is not in its owner's log: the log was put back from an older copy, or is another one. Whatever
// is written there next has numbers and versions that the consumer believes to have had, so it takes nothing more and
// changes nothing, until an operator has said how it goes on (reset.ts) or the right log is back.
import type { Cursor } from "./source.ts";

/** Why a place is not in the log, as the owner says. */
export interface CursorFault {
  readonly reason: string;
  /** End of the owner's log when it was asked. */
  readonly head: Cursor;
  /** The owner's actor type: the first part of its streams' names. */
  readonly actor: string;
}

/** What the checkpoint says of a consumer that has stopped. */
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

/** The row's word, if it has one. */
export const stoppedOf = ({ stopped }: { readonly stopped?: string | null }): Stopped | undefined =>
  stopped ? (JSON.parse(stopped) as Stopped) : undefined;

/**
 * A mark as its row keeps it, with the revision that wrote it: a node of an older release moves the place and knows of no
 * mark, and the one that it leaves behind is of another place.
 */
export const keptMark = (mark: string | undefined, revision: number): string | null =>
  mark === undefined ? null : `${revision} ${mark}`;

export function markIn({ mark, revision }: { mark?: string | null; revision: number | string }): string | undefined {
  if (!mark) return undefined;
  const [written] = mark.split(" ", 1);
  return written === `${revision}` ? mark.slice(written.length + 1) : undefined;
}

export const HOW_TO_GO_ON =
  "bring the right log back, or see `npm run consumer -- --help` for how it goes on with this one";
