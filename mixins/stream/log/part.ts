// A log as one of the nodes that share its publishing reads it: all of its events, of which it decodes its own.
import type { CursorFault } from "./identity.ts";
import type { Cursor, LogEvent } from "./source.ts";

export interface LogEntry {
  /** With the actor before a dot: `loan.42`. */
  readonly stream: string;
  /** Undefined for one that was not taken. */
  readonly event: LogEvent | undefined;
  /** The place after it; on several databases in its own alone. */
  readonly cursor: Cursor;
  /** The mark of that place. It costs a digest. */
  readonly mark: () => string | undefined;
}

export interface LogPart {
  readonly entries: readonly LogEntry[];
  /** The place after these, and after what else is in the store. */
  readonly cursor: Cursor;
  readonly mark: string | undefined;
  readonly isAtEnd: boolean;
  readonly fault?: CursorFault;
}
