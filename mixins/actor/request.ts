// The requests in an actor's mailbox: commands, reads that memory cannot answer, and requests to abandon a command.
import type { EventMetadata, Reply, Snapshot } from "../contract/index.ts";
import type { CommandId } from "../kernel/index.ts";
import type { CommandTrace } from "./command-trace.ts";

/** The caller of a command: user, request and trace. */
export type Cause = Omit<EventMetadata, "commandId">;

/** A command on its way through an activation. */
export interface Command {
  readonly kind: string;
  readonly params: unknown;
  readonly commandId: CommandId;
  /** Whether a caller can know the id and repeat it: then its answer is recorded, a refusal included. */
  readonly explicit: boolean;
  readonly fingerprint: string;
  /** On the monotonic clock. A command whose deadline has passed is not decided. */
  readonly deadline: number;
  readonly metadata: Cause;
  /** The actors that wait for this command, `a>b`. */
  readonly chain: string;
  readonly settle: (answer: Reply | Error) => void;
  /** Called before `settle` when the answer is that of an earlier attempt. */
  readonly onReplay?: (() => void) | undefined;
  /** Its spans, where it is part of a trace. */
  readonly trace?: CommandTrace | undefined;
}

/** A read that cannot be answered from memory: it takes its turn, so that it is in order with the commands. */
export interface Read {
  readonly settle: (answer: Snapshot<unknown> | Error) => void;
}

/** The answer to a request to abandon: the command's own answer, or that it was not executed and never will be. */
export interface Abandoned {
  readonly executed: boolean;
  readonly answer?: unknown;
}
/** Records an id as refused before its command arrives, or finds what the command answered. */
export interface Abandon {
  readonly abandon: CommandId;
  readonly settle: (answer: Abandoned | Error) => void;
}

export type Request = {
  /** Decisions that were lost to a conflict. */
  attempts: number;
  /** One of its appends was sent and its outcome is not known: from now on no answer says that nothing happened. */
  mayBeStored: boolean;
  /** Its decision was a bug on a state that may not have been the stored one. */
  hasFailed: boolean;
  /** Monotonic milliseconds since when it waits in the mailbox; undefined once it had its turn. */
  waitsSince: number | undefined;
} & ({ command: Command } | { read: Read } | { abandon: Abandon });

/** A request that was not decided yet begins with these. */
export const UNTRIED = { attempts: 0, mayBeStored: false, hasFailed: false, waitsSince: undefined };
