// The JetStream stream of one owner: its names and its bounds.
import { isDeepStrictEqual } from "node:util";
import {
  DiscardPolicy,
  ErrorCode,
  nanos,
  StorageType,
  type JetStreamManager,
  type NatsError,
  type StreamConfig,
} from "nats";
import { partitionOf } from "../../sharing/partitions.ts";
import { streamErrors } from "../../errors.ts";
import type { LogEvent } from "../../log/source.ts";

const limits = {
  /** Subjects that the streams of an owner spread over: a reader that wants a part of the events subscribes to some. */
  partitions: 16,
  /**
   * Messages that JetStream keeps, for readers that are slower than the log for a while; older events are read from the
   * log. A day, and 256 MB an owner: some 500,000 events.
   */
  maxAgeMs: 24 * 60 * 60 * 1_000,
  maxBytes: 256 * 1024 * 1024,
  /** Milliseconds within which an event that is published again is dropped: longer than a relay is taken for alive. */
  duplicateMs: 120_000,
};

/** The first token of the subjects and names of a namespace. */
const rootOf = (namespace: string): string => (namespace === "" ? "EVENTS" : `EVENTS-${namespace}`);

/** The subjects of all events of a namespace. */
export const subjectsIn = (namespace: string): string => `${rootOf(namespace)}.>`;

export class Channel {
  readonly #subject: string;
  /** Name of the JetStream stream. */
  readonly name: string;

  constructor(namespace: string, source: string) {
    // Dots and blanks have a meaning in names. A service has a dot only before its version, `v2.loans`.
    const tokens = [rootOf(namespace), source.replaceAll(/[^\w-]/g, "=")];
    this.#subject = tokens.join(".");
    this.name = tokens.join("=");
  }

  /** The subjects of all its events. */
  get subjects(): string {
    return `${this.#subject}.*`;
  }

  /** The subject of an event: the same for all events of a stream. */
  subjectOf({ actor, stream }: Pick<LogEvent, "actor" | "stream">): string {
    return `${this.#subject}.${partitionOf(`${actor}.${stream}`, limits.partitions)}`;
  }

  /**
   * Makes the stream, or gives the one that is there today's bounds. Several callers at once do no harm. Where the server
   * lets only `valence migrate` do that, it answers whether the stream has today's bounds.
   * @throws STREAM_MISSING when there is none, and this node may not make it
   */
  async ensure({ streams }: JetStreamManager): Promise<boolean> {
    const known = await streams.info(this.name).then(info => info.config, absent);
    const config = this.#config(known?.num_replicas);
    if (known && isWithin(config, known)) return true;
    try {
      if (known) await streams.update(this.name, config);
      else
        await streams.add(config).catch(error => (isNameInUse(error) ? streams.update(this.name, config) : no(error)));
    } catch (error) {
      if (!isDenied(error)) throw error;
      if (known) return false;
      throw streamErrors.STREAM_MISSING({ stream: this.name });
    }
    return true;
  }

  /** `replicas`: those that there are. An operator may have asked for more than one. */
  #config(replicas = 1): Partial<StreamConfig> & { name: string } {
    return {
      name: this.name,
      subjects: [this.subjects],
      storage: StorageType.File,
      // Messages that a disk takes with it are read from the log.
      num_replicas: replicas,
      discard: DiscardPolicy.Old,
      max_age: nanos(limits.maxAgeMs),
      max_bytes: limits.maxBytes,
      duplicate_window: nanos(limits.duplicateMs),
    };
  }
}

const DENIED: string = ErrorCode.PermissionsViolation;
export const isDenied = (error: unknown): boolean => (error as NatsError).code === DENIED;
const codeOf = (error: unknown): number | undefined => (error as NatsError).api_error?.err_code;
const no = (error: unknown): never => {
  throw error;
};
/** There is no stream of this name. */
export const isAbsent = (error: unknown): boolean => codeOf(error) === NO_STREAM;
const absent = (error: unknown): undefined => (isAbsent(error) ? undefined : no(error));
/** A stream of this name exists with other bounds. */
const isNameInUse = (error: unknown): boolean => codeOf(error) === NAME_IN_USE;
const NO_STREAM = 10_059;
const NAME_IN_USE = 10_058;

/** Whether the server's configuration of a stream has all that we ask for. */
const isWithin = (asked: Partial<StreamConfig>, known: StreamConfig): boolean =>
  Object.entries(asked).every(([key, value]) => isDeepStrictEqual(value, known[key as keyof StreamConfig]));
