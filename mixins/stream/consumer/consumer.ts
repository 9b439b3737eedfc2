// The types of a consumer: its definition, the context that its readers get from the service, and the state that the
// parts of one reader share.
import type { Knex } from "knex";
import type { Recorded } from "../../contract/index.ts";
import type { Database } from "../../database/index.ts";
import type { Carrier } from "../carriers/carrier.ts";
import type { StreamLimits } from "../limits.ts";
import type { ReadStream } from "../log/read-stream.ts";
import type { LogEvent, LogPage, ReadLog } from "../log/source.ts";
import type { consumerTracing } from "../event-spans.ts";
import type { CheckpointKey } from "./checkpoint.ts";
import type { Shares } from "../sharing/shares.ts";

/** By stream, the first event that failed and why. Later events of that stream have not been applied. */
export type Failures = Map<string, Failure>;
export interface Failure {
  readonly event: LogEvent;
  readonly error: unknown;
  /** The event was not tried at all, because of others: its next attempt comes as soon as a first one. Default false. */
  readonly isPostponed?: boolean;
}

export interface Consumer {
  /** Names its checkpoints; unique in the service. */
  readonly name: string;
  /** Event types that it handles, or all there are. */
  readonly types: readonly string[] | "all";
  /** Whether it takes the journals of sagas as well. */
  readonly journals?: boolean;
  /**
   * Reaction to an event that fails again and again: `park` (default) parks its stream and reads on, `stop` stops the
   * consumer until its next start.
   */
  readonly onPoison?: "park" | "stop";
  /**
   * Source of the code that handles events: under another one, parked streams are tried once more. Default: the release
   * alone decides.
   */
  readonly definition?: string;
  /** Calls for one event. Streams side by side, the events of one in order. */
  readonly react?: (event: Recorded) => Promise<unknown>;
  /** Writes for a batch, in the transaction of the checkpoint. */
  readonly write?: (trx: Knex.Transaction, events: readonly Recorded[]) => Promise<Failures>;
  /** Instead of the database's: lets readers that write the same rows take turns before each takes a connection. */
  readonly transactions?: Pick<Database, "transaction">;
  /** Whether no further attempt mends this error: the stream is parked at once. Default: of none. */
  readonly isFinal?: (error: unknown) => boolean;
  /** Called after each commit. */
  readonly committed?: () => void;
  /**
   * Told the partitions that are this node's, once its readers work on no others: for work that goes on after an event was
   * handled. Resolves when it works on no other partition itself.
   */
  readonly shared?: (partitions: ReadonlySet<number>) => Promise<void>;
  /** Called when there is nothing more to read for now. */
  readonly caughtUp?: () => void;
  /** Builds its rows anew beside the present ones, which cannot take an event again. Replaces a reset to the start. */
  readonly restart?: () => Promise<void>;
  /** Drops the consumer's rows in memory: another one has moved the checkpoint, or a transaction has failed. */
  readonly forget?: () => void;
  readonly limits?: Partial<StreamLimits>;
}

/** The context that the reader of each source gets from the service that runs its consumer. */
export interface ConsumerContext {
  readonly database: Database;
  readonly carrier: Carrier;
  readonly shares: Shares;
  readonly readStream: ReadStream;
  /** Name of the deployed release (`RELEASE`). */
  readonly release: string;
  /** Whether the node is stopping: from then on a failure is not charged to the event. */
  readonly isStopping: () => boolean;
  readonly readLog: (source: string, params: ReadLog) => Promise<LogPage>;
  /** The events as they are, all of the source's own log. Throws Bug `LOG_FOREIGN`. */
  readonly ownOf: (source: string, events: readonly LogEvent[]) => readonly LogEvent[];
  /** Broadcasts that a consumer has stopped because its cursor is not in the log. */
  readonly tellStopped: (consumer: string, source: string) => void;
  readonly logger: Record<"debug" | "info" | "warn" | "error", (...message: unknown[]) => void>;
  readonly limits: StreamLimits;
}

/** One consumer on one source: the state that the parts of its reader share. */
export interface ReaderContext extends ConsumerContext {
  readonly key: CheckpointKey;
  readonly consumer: Consumer;
  /** Whether the consumer handles the event. One of which only the version is known may be of any type. */
  readonly wants: (event: LogEvent) => boolean;
  /** Whether this reader, or its node, is stopping. */
  readonly isLeaving: () => boolean;
  /** Does work on events as a span of their traces. */
  readonly traced: ReturnType<typeof consumerTracing>;
}

/** The part of it that handling and retrying need, whatever the events come from. */
export type HandlingContext = Pick<
  ReaderContext,
  "key" | "consumer" | "database" | "limits" | "release" | "logger" | "readStream" | "wants" | "isLeaving" | "traced"
>;
