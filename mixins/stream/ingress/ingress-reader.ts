// The reader of one ingress: the partitions of its topic that are this node's, from the places that the service's own database
// keeps. Guards P3 for messages from outside: each takes effect once, those of a key in order.
//
// Life of a batch:
//   1. messages are read after the places, those of a key in order, keys side by side. The leases of the partitions only save
//      work: a second node at the same time gives the same command ids, and finds its rows moved.
//   2. each is checked, and its calls are made. A crash from here to 3 makes them again under the same command ids.
//   3. one transaction: places, and dead letters, if the revisions of the places are still ours.
//
// A message that cannot be handled however often it is tried (malformed, unfit, too large, refused) is set aside as a dead letter
// of its own, and the later ones of its key go on: nothing in it says that they hang on it, and a sender's mistake must not
// hold up what is right. One whose call failed otherwise is tried again with backoff, and then waits for a person; those
// of its key wait behind it, since they may hang on it.
import type { Knex } from "knex";
import { backoffMs, isRefusal, isRetryable, messageCommandId, Pause, plainError } from "../../kernel/index.ts";
import { behalfOf, floating, typedCall, type Call } from "../../contract/index.ts";
import type { Database } from "../../database/index.ts";
import { Superseded, streamOf } from "../consumer/checkpoint.ts";
import type { Consumer, HandlingContext } from "../consumer/consumer.ts";
import { FailedStreams, type FailedStream } from "../consumer/failed-streams.ts";
import { handle, isAtOrBehind, Leaving } from "../consumer/handling.ts";
import { Retrying } from "../consumer/retrying.ts";
import { consumerTracing } from "../event-spans.ts";
import { failpoint } from "../failpoints.ts";
import type { StreamLimits } from "../limits.ts";
import type { LogEvent } from "../log/source.ts";
import type { Ingress } from "./define-ingress.ts";
import type { Inlet, InletFeed } from "./inlets/inlet.ts";
import {
  aloneIn,
  envelopeOf,
  isAlone,
  keptOf,
  messageIn,
  partitionOfStream,
  streamAlone,
  streamOfKey,
  withMessage,
  type Incoming,
  type KeptMessage,
} from "./kept-message.ts";
import { INGRESS_LIMITS as limits } from "./limits.ts";
import { isPaused } from "./pause.ts";
import { Places } from "./places.ts";
import { attributesOf, DEFAULT_MAX_BYTES, messageReader, type ReadMessage } from "./read-message.ts";

/** The outcome of a message: calls made, set aside, or to be tried again. */
export type Outcome = "done" | "set_aside" | "failed";

export interface IngressContext {
  readonly database: Database;
  readonly broker: object;
  /** Full name of the service that runs it. */
  readonly service: string;
  /** Number of shares in which nodes divide partitions. */
  readonly shareCount: number;
  readonly release: string;
  readonly limits: StreamLimits;
  readonly logger: HandlingContext["logger"];
  readonly isStopping: () => boolean;
  readonly count: (outcome: Outcome) => void;
  readonly countLost: (messages: number) => void;
}

type Extents = Awaited<ReturnType<Inlet["extents"]>>;

/** A refused message, on its way into the dead letters. */
interface SetAside {
  readonly event: LogEvent;
  readonly error: unknown;
}

export class IngressReader {
  readonly ingress: Ingress;
  readonly inlet: Inlet;
  state: "waiting" | "following" | "paused" = "waiting";
  /** Why the bus cannot be read, while it cannot. */
  problem: string | undefined;
  readonly #context: IngressContext;
  readonly #handling: HandlingContext;
  readonly #retrying: Retrying;
  readonly #read: (kept: KeptMessage) => ReadMessage;
  /** Messages that were read for their keys are not read again when they are handled. */
  readonly #known = new WeakMap<KeptMessage, ReadMessage>();
  readonly #pause = new Pause();
  readonly #done: Promise<void>;
  #shares: ReadonlySet<number> = new Set();
  #feed: InletFeed | undefined;
  /** The pass at hand; it never rejects. */
  #following: Promise<void> = Promise.resolve();
  #stopping = false;
  #failures = 0;
  #lookAt = -Infinity;
  /** When the partitions of the topic are counted again; monotonic, as the time before. */
  #countAt = -Infinity;
  #isPaused = false;
  /** In the batch at hand, messages that are set aside from their keys, and by event id the ones that stand alone, as they are tried next. */
  #setAside: SetAside[] = [];
  readonly #refused = new Map<string, LogEvent>();

  constructor(context: IngressContext, ingress: Ingress, inlet: Inlet) {
    this.#context = context;
    this.ingress = ingress;
    this.inlet = inlet;
    this.#read = messageReader(ingress);
    const consumer: Consumer = {
      name: ingress.name,
      types: "all",
      definition: String(ingress.handle),
      react: event => this.#react(event),
      isFinal,
    };
    this.#handling = {
      key: { consumer: ingress.name, source: ingress.name },
      consumer,
      database: context.database,
      limits: context.limits,
      release: context.release,
      logger: context.logger,
      // A dead letter holds the whole message: there is no log to ask.
      readStream: async () => [],
      wants: () => true,
      isLeaving: () => this.#stopping || context.isStopping(),
      traced: consumerTracing(ingress.name, inlet.source),
    };
    this.#retrying = new Retrying(this.#handling);
    this.#done = this.#run();
  }

  /** From now on reads the partitions of these shares. Resolves when it works on no other one any more. */
  serve(shares: ReadonlySet<number>): Promise<void> {
    this.#shares = shares;
    this.#wake();
    return this.#following;
  }

  /** Finishes the batch at hand. */
  stop(): Promise<void> {
    this.#stopping = true;
    this.#wake();
    return this.#done;
  }

  /** An operator has paused or resumed it. */
  lookNow(): void {
    this.#lookAt = -Infinity;
    this.#wake();
  }

  #wake(): void {
    this.#feed?.close();
    this.#pause.end();
  }

  async #run(): Promise<void> {
    while (!this.#stopping)
      try {
        const shares = this.#shares;
        if (shares.size === 0 || (await this.#mustPause())) {
          this.state = this.#isPaused ? "paused" : "waiting";
          await this.#wait(limits.lookMs);
          continue;
        }
        const following = this.#follow(shares);
        this.#following = following.catch(() => {});
        await following;
      } catch (error) {
        if (!this.#stopping) await this.#backOff(error);
      }
  }

  async #backOff(error: unknown): Promise<void> {
    const { name } = this.ingress;
    const { message } = plainError(error);
    const isRace = error instanceof Superseded || error instanceof Leaving;
    // Once for each reason: a bus may be away for hours, and is not there yet at a start.
    const isNew = !isRace && !isRetryable(error) && message !== this.problem;
    if (!isRace) this.problem = message;
    this.#context.logger[isNew ? "warn" : "debug"](`ingress ${name} on ${this.inlet.source}: ${message}`, error);
    await this.#wait(backoffMs(++this.#failures, { baseMs: limits.retryMinMs, capMs: limits.retryMaxMs }));
  }

  /** Asks the database once a second: an operator may be on another node. */
  async #mustPause(): Promise<boolean> {
    if (performance.now() >= this.#lookAt) {
      this.#lookAt = performance.now() + limits.lookMs;
      this.#isPaused = await isPaused(this.#context.database, this.ingress.name);
    }
    return this.#isPaused;
  }

  /** Whether the topic has other partitions than when the pass began. A bus that is away fails the feed, which is told. */
  async #hasGrown(extents: Extents): Promise<boolean> {
    if (performance.now() < this.#countAt) return false;
    this.#countAt = performance.now() + limits.partitionsMs;
    const { size } = await this.inlet.extents().catch(() => extents);
    return size !== extents.size;
  }

  /**
   * One pass: reads the partitions of the shares until they or those of the topic are others, it is paused or stopped, or something
   * fails.
   */
  async #follow(shares: ReadonlySet<number>): Promise<void> {
    const { database, shareCount } = this.#context;
    const { name } = this.ingress;
    const all = await this.inlet.extents();
    this.#countAt = performance.now() + limits.partitionsMs;
    const extents = new Map([...all].filter(([partition]) => shares.has(partition % shareCount)));
    const failedKey = {
      ...this.#handling.key,
      partitions: shares,
      count: shareCount,
      bucketOf: partitionOfStream,
    };
    // Messages that were set aside wait for a person, whatever the release: one that was refused long ago may not be wanted now.
    await this.#retrying.tryParkedAgain(failedKey, parked => withoutAlone(parked, name));
    const failed = await FailedStreams.read(database, failedKey);
    const key = { ingress: name, source: this.inlet.source };
    const places = await Places.read(database, key, extents, trx => this.#writeAside(trx, failed));
    this.#tellLost(places);
    const feed = this.inlet.open(places.next, extents);
    this.#feed = feed;
    this.state = "following";
    try {
      while (!this.#stopping && this.#shares === shares && !(await this.#mustPause()) && !(await this.#hasGrown(all)))
        await this.#next(feed, places, failed);
    } finally {
      feed.close();
      this.#feed = undefined;
      this.state = "waiting";
    }
  }

  async #next(feed: InletFeed, places: Places, failed: FailedStreams): Promise<void> {
    this.#setAside = [];
    this.#refused.clear();
    if (failed.size > 0 && (await this.#retrying.retryDue(places, failed))) return;
    if (this.#retrying.isFull(failed)) return this.#wait(limits.waitMs);
    const messages = await feed.next();
    this.problem = undefined;
    this.#failures = 0;
    if (messages.length > 0) await this.#take(messages, places, failed);
    else await places.pass(feed.reached());
  }

  async #take(messages: readonly Incoming[], places: Places, failed: FailedStreams): Promise<void> {
    const events = messages.map((message, i) => this.#envelope(message, i + 1));
    const waiting = events.filter(event => failed.has(streamOf(event)));
    const ready = events.filter(event => !failed.has(streamOf(event)));
    let newlyFailed = new Map<string, FailedStream>();
    places.begin(messages);
    await handle(this.#handling, ready, false, async (trx, failures) => {
      newlyFailed = await this.#retrying.failedAfter(trx, failed, failures);
      const behind = ready
        .filter(event => isAtOrBehind(event, failures))
        .map(event => this.#refused.get(event.eventId) ?? event);
      await failed.addLetters(trx, await this.#numbered(trx, [...waiting, ...behind]));
      await failed.write(trx, newlyFailed);
      await places.move(trx, {});
    });
    places.moved();
    this.#retrying.noteFailed(failed, newlyFailed);
  }

  #envelope(message: Incoming, version: number): LogEvent {
    const { name, maxBytes = DEFAULT_MAX_BYTES } = this.ingress;
    const kept = keptOf(message, maxBytes);
    const attributes = attributesOf(kept);
    const key = this.#keyOf(kept);
    return envelopeOf(name, kept, {
      stream: key === undefined ? streamAlone(kept) : streamOfKey(kept.partition, key),
      version,
      type: attributes["type"] ?? this.inlet.source,
      traceparent: attributes["traceparent"] ?? kept.headers["traceparent"],
    });
  }

  /** Undefined for a message that is in no order: without a key, or one that cannot be read, which fails when it is handled. */
  #keyOf(kept: KeptMessage): string | undefined {
    try {
      const read = this.#read(kept);
      this.#known.set(kept, read);
      const { message } = read;
      return this.ingress.key?.(message) ?? message.key;
    } catch {
      return undefined;
    }
  }

  /** The letters with versions that follow on those which their streams have already. */
  async #numbered(trx: Knex.Transaction, events: readonly LogEvent[]): Promise<LogEvent[]> {
    const numbered: LogEvent[] = [];
    for (const [stream, own] of Map.groupBy(events, streamOf)) {
      const [{ last }] = (await trx("dead_letters")
        .where({ consumer: this.ingress.name, actor_stream: stream })
        .max({ last: "version" })) as [{ last: number | string | null }];
      numbered.push(...own.map((event, i) => ({ ...event, version: Number(last ?? 0) + i + 1 })));
    }
    return numbered;
  }

  // ---- one message

  /** Makes the calls of a message. A refused one is set aside, so that its key goes on. */
  async #react(event: LogEvent): Promise<void> {
    const { count } = this.#context;
    try {
      await this.#perform(event);
      count("done");
    } catch (error) {
      count(isFinal(error) ? "set_aside" : "failed");
      if (!isFinal(error)) throw error;
      if (!isAlone(event)) this.#setAside.push({ event, error });
      else {
        this.#refused.set(event.eventId, raised(event, error));
        throw error;
      }
    }
  }

  async #perform(event: LogEvent): Promise<void> {
    const { name, handle: handler, ignoresEmpty = false } = this.ingress;
    const kept = messageIn(event);
    if (ignoresEmpty && kept.encoding === "none") return;
    const { message, identity } = this.#known.get(kept) ?? this.#read(kept);
    const { broker, service } = this.#context;
    const behalf = behalfOf(service, {});
    const call = typedCall(broker);
    let n = 0;
    const callOnce: Call = (action, params, options) =>
      floating(
        call(action, params, {
          behalf,
          ...options,
          commandId: messageCommandId(name, identity, kept.attempt, ++n),
        }),
      );
    await handler(message, { call: callOnce });
    failpoint("ingress:after-calls");
  }

  /** In the transaction that moves the places: messages that were set aside, and the next attempt of those refused again. */
  async #writeAside(trx: Knex.Transaction, failed: FailedStreams): Promise<void> {
    const { name } = this.ingress;
    const letters = this.#setAside.map(({ event, error }) => ({
      error,
      event: { ...raised(event, error), stream: streamAlone(messageIn(event)) },
    }));
    const failures = new Map(letters.map(({ event, error }) => [streamOf(event), { event, error }]));
    await failed.addLetters(
      trx,
      await this.#numbered(
        trx,
        letters.map(({ event }) => event),
      ),
    );
    const streams = await this.#retrying.failedAfter(trx, failed, failures);
    await failed.write(trx, streams);
    this.#retrying.noteFailed(failed, streams);
    for (const event of this.#refused.values())
      await trx("dead_letters")
        .where({ consumer: name, actor_stream: streamOf(event), version: event.version })
        .update({ event: JSON.stringify(event) });
  }

  #tellLost({ lost }: Places): void {
    for (const { partition, why, messages } of lost) {
      const what = `ingress ${this.ingress.name} on ${this.inlet.source}, partition ${partition}`;
      if (why === "anew") this.#context.logger.warn(`${what}: it was made anew, and is read from its first message on`);
      else this.#context.logger.error(`${what}: ${messages} messages were removed before they were read`);
      this.#context.countLost(Number(messages ?? 0));
    }
  }

  async #wait(ms: number): Promise<void> {
    if (!this.#stopping) await this.#pause.wait(ms);
  }
}

/** No further attempt mends a refusal, nor a message that cannot be read. */
const isFinal = (error: unknown): boolean => isRefusal(error);

/**
 * The message as it is tried next: under other command ids, since the refusal is recorded under these. One whose id was used
 * for another command keeps them: it would take effect under any other.
 */
function raised(event: LogEvent, error: unknown): LogEvent {
  const kept = messageIn(event);
  const isReused = plainError(error).type === "COMMAND_ID_REUSED";
  return withMessage(event, { ...kept, attempt: kept.attempt + (isReused ? 0 : 1) });
}

const withoutAlone = (parked: Knex.QueryBuilder, ingress: string): Knex.QueryBuilder =>
  parked.whereRaw("substr(actor_stream, 1, ?) <> ?", [aloneIn(ingress).length, aloneIn(ingress)]);
