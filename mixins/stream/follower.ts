// One consumer on one partition of one source: reads in order, applies, commits effects and place together. Guards P4
// (each event exactly once, in stream order) for what is written; calls are made at least once.
//
// Life of a batch:
//   1. read after the checkpoint. The lease says that we may; it only saves work (see lease.ts).
//   2. judge each event by the last version of its stream: lower = ignored, next = taken, higher = a hole, which is
//      read from the owner. All types count, not only the subscribed ones: else a skipped type looks like a hole.
//   3. call (reactors), outside a transaction; a crash from here to 4 repeats the calls under the same command ids.
//   4. one transaction: rows, versions, dead letters, and the checkpoint if its revision is still ours. A crash before
//      the commit leaves nothing, after it everything; a second consumer at the same time rolls back.
//
// An event that fails sets its *stream* aside: it and what follows of that stream wait in the dead-letter table, in
// order, and the others go on. A stream aside is tried again with backoff: an event that keeps failing parks it for a
// person, one that is merely unavailable is tried for ever, at a bounded rate. What is tried again is read again from the
// owner: a deploy may have changed its shape, and what is stored is for people. Another release of the consumer tries what
// is parked once more by itself. When too many streams are aside the consumer says so and stops reading until some are back.
import { asError, backoffMs, Bug, failpoint, isRetryable, plainError } from "../kernel/index.ts";
import type { Recorded } from "../contract/index.ts";
import type { Database } from "../database/index.ts";
import type { Knex } from "knex";
import type { Carrier, Feed } from "./carriers/carrier.ts";
import { HOW_TO_GO_ON, PlaceNotInLog } from "./identity.ts";
import { Lease } from "./lease.ts";
import type { StreamLimits } from "./limits.ts";
import { notParkedBy, parkedBy, releaseName, unpark } from "./parked.ts";
import { Place, streamOf, Superseded, type Aside, type Letter, type PlaceKey } from "./place.ts";
import type { ReadStream } from "./read-stream.ts";
import { isAtOrPast, type Cursor, type LogEvent, type LogPage, type ReadLog } from "./source.ts";
import { storeErrors } from "../event-store/index.ts";
import { streamErrors } from "./errors.ts";

/** By stream, the first event that failed and why. Later events of that stream have not been applied. */
export type Failures = Map<string, { readonly event: LogEvent; readonly error: unknown }>;

export interface Consumer {
  /** Names its place; unique in the service. */
  readonly name: string;
  /** Event types that it handles, or all there are. */
  readonly types: readonly string[] | "all";
  /** What an event does that cannot be handled: parks its stream (default), or stops the consumer until a restart. */
  readonly onPoison?: "park" | "stop";
  /** Source of the code that handles events: with other code, what was parked is tried again. Default: the release tells. */
  readonly definition?: string;
  /** Calls for one event. Streams side by side, the events of one in order. */
  readonly react?: (event: Recorded) => Promise<unknown>;
  /** Writes for a batch, in the transaction of the checkpoint. */
  readonly write?: (trx: Knex.Transaction, events: readonly Recorded[]) => Promise<Failures>;
  /** Instead of the database's: lets followers that write the same rows take turns before each takes a connection. */
  readonly transactions?: Pick<Database, "transaction">;
  /** After each commit. */
  readonly committed?: () => void;
  /** There is nothing more to read for now. */
  readonly caughtUp?: () => void;
  /** Makes its rows anew beside those that it has: they cannot take an event again. In place of a reset to the start. */
  readonly restart?: () => Promise<void>;
  /** The consumer's rows in memory are worth nothing: another one moved on, or a transaction failed. */
  readonly forget?: () => void;
  readonly limits?: Partial<StreamLimits>;
}

export interface House {
  readonly database: Database;
  readonly carrier: Carrier;
  readonly readStream: ReadStream;
  /** What runs here; see Environment. */
  readonly release: string;
  /** Whether the node is leaving: what fails from now on is not the fault of events. */
  readonly isStopping: () => boolean;
  readonly readLog: (source: string, params: ReadLog) => Promise<LogPage>;
  /** Tells everybody, every few seconds, that a consumer has stopped because its place is not in the log. */
  readonly tellStopped: (consumer: string, source: string) => void;
  readonly logger: Record<"debug" | "info" | "warn" | "error", (...message: unknown[]) => void>;
  readonly limits: StreamLimits;
}

/** An event that cannot be handled, for a consumer that stops at such. */
class Poisoned extends Error {
  readonly event: LogEvent;
  constructor({ event, error }: { event: LogEvent; error: unknown }) {
    super(`${event.eventId}: ${plainError(error).message}`, { cause: error });
    this.event = event;
  }
}

/** The node is leaving, and events failed: nothing of the batch is kept. */
class Leaving extends Error {
  constructor() {
    super("the node is leaving");
  }
}

export class Follower {
  readonly key: PlaceKey;
  state: "waiting" | "following" | "stopped" = "waiting";
  /** As many streams are aside as may be: it reads no further. */
  isFull = false;
  readonly #consumer: Consumer;
  readonly #house: House;
  readonly #limits: StreamLimits;
  readonly #lease: Lease;
  readonly #types: ReadonlySet<string> | undefined;
  readonly #release: string;
  readonly #done: Promise<void>;
  #feed: Feed | undefined;
  #stopping = false;
  #endPause: (() => void) | undefined;
  /** When the log is told again that the place is not in the log; monotonic. */
  #tellAt = -Infinity;
  /** Failures in a row of the consumer as a whole. */
  #failures = 0;
  /** The event at which a consumer that stops has failed, and how often. */
  #poison = { eventId: "", attempts: 0 };

  constructor(house: House, consumer: Consumer, source: string, partition: string) {
    this.key = { consumer: consumer.name, source, partition };
    this.#consumer = consumer;
    this.#house = house;
    this.#limits = { ...house.limits, ...consumer.limits };
    this.#lease = new Lease(house.database, `${consumer.name}/${source}/${partition}`, this.#limits.leaseMs);
    this.#types = consumer.types === "all" ? undefined : new Set(consumer.types);
    this.#release = releaseName(house.release, consumer.definition ?? "");
    this.#done = this.#run();
  }

  get #isLeaving(): boolean {
    return this.#stopping || this.#house.isStopping();
  }

  /** Finishes the batch at hand and frees the lease. */
  stop(): Promise<void> {
    this.#stopping = true;
    this.#feed?.close();
    this.#endPause?.();
    return this.#done;
  }

  /** Its row was changed by somebody: looks at it at once if it stands still. */
  lookNow(): void {
    if (this.state === "stopped") this.#endPause?.();
  }

  async #run(): Promise<void> {
    const { logger } = this.#house;
    while (!this.#stopping)
      try {
        if (await this.#lease.hold()) await this.#follow();
        else await this.#pause(this.#limits.lookMs);
      } catch (error) {
        if (this.#stopping) break;
        this.#consumer.forget?.();
        if (error instanceof PlaceNotInLog) {
          this.#tellNotInLog(error);
          await this.#pause(this.#limits.notInLogMs);
          continue;
        }
        if (error instanceof Poisoned && this.#mustStop(error)) {
          this.state = "stopped";
          logger.error(`consumer ${this.key.consumer} has stopped at ${error.message}`, error.cause);
          break;
        }
        const isExpected = isRetryable(error) || error instanceof Superseded || error instanceof Leaving;
        const level = isExpected ? "debug" : "warn";
        logger[level](`consumer ${this.key.consumer} on ${this.key.source}: ${plainError(error).message}`, error);
        await this.#pause(backoffMs(++this.#failures, { baseMs: this.#limits.retryMinMs, capMs: 5_000 }));
      }
    await this.#lease.release().catch(error => logger.debug("a lease was not released", error));
  }

  async #follow(): Promise<void> {
    const { database, carrier } = this.#house;
    const { source, partition } = this.key;
    await this.#tryParkedAgain();
    const place = await Place.read(database, this.key);
    await this.#mustBeInLog(place);
    if (place.passesOver) await this.#passOver(place);
    this.#feed = carrier.open(source, partition, place.cursor, place.mark);
    this.state = "following";
    try {
      while (!this.#stopping && (await this.#lease.hold())) {
        if (place.aside.size > 0) await this.#retryDue(place);
        if (this.#isFull(place)) {
          await this.#pause(this.#limits.retryMinMs);
          continue;
        }
        const { events, cursor, mark } = await this.#feed.next(this.#limits.batch);
        if (events.length > 0) await this.#take(place, events, cursor, mark);
        if (events.length < this.#limits.batch) this.#consumer.caughtUp?.();
        await nextTurn();
      }
    } catch (error) {
      if (error instanceof PlaceNotInLog) await place.stop(error.fault);
      throw error;
    } finally {
      this.#feed.close();
      this.state = "waiting";
    }
  }

  // ---- whose log it is

  /** Asked before anything is done, retries of what is aside too. An owner that is away says nothing: the feed asks again. */
  async #mustBeInLog(place: Place): Promise<void> {
    const { source } = this.key;
    const { cursor, mark } = place;
    const page = await this.#house.readLog(source, { cursor, mark, limit: 0 }).catch(() => undefined);
    if (page?.fault) {
      await place.stop(page.fault);
      throw new PlaceNotInLog(source, page.fault);
    }
    if (place.stopped === undefined) return;
    // Only an owner that has looked the place up can say that it is there again; one of an older release gives no head.
    if (page?.head === undefined) throw new PlaceNotInLog(source, place.stopped);
    await place.goOn();
    this.#tellAt = -Infinity;
    this.#house.logger.warn(`consumer ${this.key.consumer}: its place is in the log of ${source} again, it goes on`);
  }

  /** An error a minute, as long as it lasts. */
  #tellNotInLog(error: PlaceNotInLog): void {
    const { consumer, source } = this.key;
    this.state = "stopped";
    this.#house.tellStopped(consumer, source);
    if (performance.now() < this.#tellAt) return;
    this.#tellAt = performance.now() + this.#limits.tellMs;
    this.#house.logger.error(`consumer ${consumer} has stopped: ${error.message}; ${HOW_TO_GO_ON}`);
  }

  /** Takes the version of every stream, to the end that the log has now, and none of the events. */
  async #passOver(place: Place): Promise<void> {
    const { source, consumer } = this.key;
    const { batch: limit } = this.#limits;
    const { head = "" } = await this.#house.readLog(source, { cursor: "", limit: 0 });
    const taken = new Map<string, number>();
    let [to, mark]: [Cursor, string | undefined] = ["", undefined];
    for (;;) {
      const page = await this.#house.readLog(source, { cursor: to, mark, limit });
      if (page.fault) throw new PlaceNotInLog(source, page.fault);
      for (const event of page.events)
        taken.set(streamOf(event), Math.max(event.version, taken.get(streamOf(event)) ?? 0));
      ({ cursor: to, mark } = page);
      if (this.#stopping) throw new Error("stopping");
      if (page.events.length < limit && isAtOrPast(to, head)) break;
      await this.#lease.hold();
    }
    const step = { to, mark, taken, fresh: [] };
    await this.#house.database.transaction(trx => place.passedOver(trx, step));
    place.moved(step);
    this.#house.logger.warn(
      `consumer ${consumer} goes on at the head of the log of ${source}: ${taken.size} streams passed over`,
    );
  }

  // ---- a batch of the log

  async #take(place: Place, events: readonly LogEvent[], cursor: Cursor, mark: string | undefined): Promise<void> {
    const { fresh, taken } = await this.#judge(place, events);
    const step = { to: cursor, mark, taken, fresh };
    const waiting = fresh.filter(event => place.aside.has(streamOf(event)) && this.#wants(event));
    const ready = await this.#readable(fresh.filter(event => !place.aside.has(streamOf(event))));
    const stops = this.#consumer.onPoison === "stop";
    let newlyAside = new Map<string, Aside>();
    try {
      await this.#apply(ready, stops, async (trx, failures) => {
        newlyAside = await this.#asideAfter(trx, place, failures);
        const behind = ready.filter(event => isAtOrBehind(event, failures) && this.#wants(event));
        await place.setAside(trx, [...waiting, ...behind]);
        await place.writeAside(trx, newlyAside);
        await place.move(trx, step);
      });
    } catch (error) {
      if (error instanceof Poisoned) await this.#takeUpTo(error.event, place, events);
      throw error;
    }
    place.moved(step);
    for (const [stream, aside] of newlyAside) this.#setAside(place, stream, aside);
    this.#failures = 0;
    this.#consumer.committed?.();
  }

  /** What comes before the event at which the consumer stops is committed; the cursor stays, versions tell what is done. */
  async #takeUpTo(poison: LogEvent, place: Place, events: readonly LogEvent[]): Promise<void> {
    const stream = streamOf(poison);
    const index = events.findIndex(event => streamOf(event) === stream && event.version >= poison.version);
    if (index > 0) await this.#take(place, events.slice(0, index), place.cursor, place.mark);
  }

  /** Drops what was taken before, fills holes; answers what is new, in order, and the versions after it. */
  async #judge(place: Place, events: readonly LogEvent[]): Promise<{ fresh: LogEvent[]; taken: Map<string, number> }> {
    const known = await place.versions(new Set(events.map(streamOf)));
    const taken = new Map<string, number>();
    const fresh: LogEvent[] = [];
    for (const event of events) {
      const stream = streamOf(event);
      const last = taken.get(stream) ?? known.get(stream) ?? 0;
      if (event.version <= last) continue;
      if (event.version > last + 1) fresh.push(...(await this.#hole(event, last + 1)));
      fresh.push(event);
      taken.set(stream, event.version);
    }
    return { fresh, taken };
  }

  /** The versions before `event` from `from` on, from the owner. One that is not there either is an event that is broken. */
  async #hole(event: LogEvent, from: number): Promise<LogEvent[]> {
    const { consumer, source } = this.key;
    const missing = event.version - from;
    if (missing > this.#limits.hole)
      throw streamErrors.LOG_HOLE({ consumer, source, version: from - 1, event: event.eventId });
    this.#house.logger.info(
      `consumer ${consumer}: ${missing} events are missing before ${event.eventId}, reading them`,
    );
    const found = await this.#house.readStream(source, event.stream, from, missing);
    const byVersion = new Map(found.map(event => [event.version, event]));
    return Array.from({ length: missing }, (_, i) => byVersion.get(from + i) ?? absent(event, from + i));
  }

  /** Calls, then writes and `commit` in one transaction. Events that the consumer does not handle are passed over. */
  async #apply(
    events: readonly LogEvent[],
    stops: boolean,
    commit: (trx: Knex.Transaction, failures: Failures) => Promise<void>,
  ): Promise<void> {
    const failures: Failures = new Map();
    const ready: LogEvent[] = [];
    for (const event of events)
      if (this.#wants(event) && !failures.has(streamOf(event)))
        if (event.broken === undefined) ready.push(event);
        else failures.set(streamOf(event), { event, error: unreadable(event) });
    const stopAtFirst = (): void => {
      const [first] = failures.values();
      if (stops && first) throw new Poisoned(first);
    };
    stopAtFirst();
    if (this.#consumer.react) await this.#react(ready, failures);
    stopAtFirst();
    this.#chargeNone(failures);
    const transactions = this.#consumer.transactions ?? this.#house.database;
    await transactions.transaction(async trx => {
      if (this.#consumer.write)
        for (const [stream, failure] of await this.#consumer.write(trx, ready)) failures.set(stream, failure);
      this.#chargeNone(failures);
      stopAtFirst();
      await commit(trx, failures);
      failpoint("consumer:before-commit");
    });
    failpoint("consumer:after-commit");
  }

  /** What we call is stopping as well: what fails now is not the event's fault, and the next start repeats it. */
  #chargeNone(failures: Failures): void {
    if (this.#isLeaving && failures.size > 0) throw new Leaving();
  }

  async #react(events: readonly LogEvent[], failures: Failures): Promise<void> {
    await this.#sideBySide([...Map.groupBy(events, streamOf)], async ([stream, own]) => {
      for (const event of own)
        try {
          await within(this.#limits.reactMs, event, this.#consumer.react!(event));
        } catch (error) {
          failures.set(stream, { event, error: asError(error) });
          if (error instanceof LateReaction) this.#house.logger.warn(`consumer ${this.key.consumer}: ${error.message}`);
          return;
        }
    });
  }

  async #sideBySide<T>(streams: readonly T[], work: (stream: T) => Promise<void>): Promise<void> {
    const left = streams.values();
    const workers = Array.from({ length: Math.min(streams.length, this.#limits.streamsAtOnce) }, async () => {
      for (const stream of left) await work(stream);
    });
    await Promise.all(workers);
  }

  // ---- streams that are set aside

  async #retryDue(place: Place): Promise<void> {
    const streams = await place.due(await this.#house.database.now(), this.#limits.retriesAtOnce);
    if (streams.length === 0) return;
    const letters: Letter[] = [];
    await this.#sideBySide(streams, async stream => {
      const [first, ...more] = await place.letters(stream, this.#limits.lettersAtOnce);
      if (first === undefined) return;
      // Between them lie those of types that the consumer does not handle: no more than a page is read.
      const near = more.filter(({ event }) => event.version < first.event.version + this.#limits.batch);
      const events = await this.#asTheOwnerTells([first.event, ...near.map(({ event }) => event)]);
      letters.push(...[first, ...near].map((letter, i) => ({ ...letter, event: events[i]! })));
    });
    const step = { to: place.cursor, mark: place.mark, taken: new Map(), fresh: [] };
    let again = new Map<string, Aside>();
    let free: string[] = [];
    await this.#apply(
      letters.map(letter => letter.event),
      false,
      async (trx, failures) => {
        const done = letters.filter(letter => !isAtOrBehind(letter.event, failures));
        const moving = new Set(done.map(letter => letter.stream));
        again = await this.#asideAfter(trx, place, failures, moving);
        await place.removeLetters(trx, done);
        free = await place.release(
          trx,
          streams.filter(stream => !failures.has(stream)),
        );
        await place.writeAside(trx, again);
        await place.move(trx, step);
      },
    );
    place.moved(step);
    for (const [stream, aside] of again) this.#setAside(place, stream, aside);
    for (const stream of free) place.aside.delete(stream);
    this.#failures = 0;
    this.#consumer.committed?.();
  }

  /**
   * Events of one stream, in order, as its owner tells them today: in the shape of its release, and whole where it has got
   * what was missing. What it does not have stays as it was read. If it cannot be asked, none can be handled now, as if a
   * newer release had written them.
   */
  async #asTheOwnerTells(events: readonly LogEvent[]): Promise<readonly LogEvent[]> {
    const [first, last] = [events[0]!, events.at(-1)!];
    try {
      const found = await this.#house.readStream(
        this.key.source,
        first.stream,
        first.version,
        last.version - first.version + 1,
      );
      const byVersion = new Map(found.map(event => [event.version, event]));
      return events.map(event => byVersion.get(event.version) ?? event);
    } catch (error) {
      const broken = `${this.key.source} cannot be asked: ${plainError(error).message}`;
      return events.map(event => ({ ...event, broken, isNewer: true }));
    }
  }

  /** Those that the node which told them could not read, as another node of the owner reads them. */
  async #readable(events: readonly LogEvent[]): Promise<readonly LogEvent[]> {
    const broken = events.filter(event => event.broken !== undefined && !isAbsent(event) && this.#wants(event));
    if (broken.length === 0) return events;
    const read = new Map<string, LogEvent>();
    await this.#sideBySide([...Map.groupBy(broken, streamOf).values()], async own => {
      for (const event of await this.#asTheOwnerTells(own)) read.set(event.eventId, event);
    });
    return events.map(event => read.get(event.eventId) ?? event);
  }

  /** Streams that another release has parked get one attempt more: its mistake may be mended. */
  async #tryParkedAgain(): Promise<void> {
    const { attempts, unparkedPerSecond } = this.#limits;
    const sent = await unpark(this.#house.database, parked => notParkedBy(this.#release, parked.where(this.key)), {
      charged: attempts - 1,
      perSecond: unparkedPerSecond,
    });
    for (const [consumer, streams] of sent)
      this.#house.logger.info(`consumer ${consumer}: another release parked ${streams} streams, trying them again`);
  }

  /** Whether so many streams are aside that no more is read; told when it begins and when it ends. */
  #isFull({ aside }: Place): boolean {
    const isFull = aside.size >= this.#limits.asideStreams;
    if (isFull === this.isFull) return isFull;
    this.isFull = isFull;
    const { consumer, source } = this.key;
    if (!isFull) this.#house.logger.info(`consumer ${consumer} on ${source} reads on`);
    else
      this.#house.logger.error(
        `consumer ${consumer} on ${source} reads no further: ${aside.size} streams are set aside. ` +
          "Mend what they fail with, then POST /ops/dead-letters/retry",
      );
    return isFull;
  }

  /** When to try again, or that a person has to. Progress starts the count anew; what is unavailable is not charged. */
  async #asideAfter(
    trx: Knex.Transaction,
    place: Place,
    failures: Failures,
    moving: ReadonlySet<string> = new Set(),
  ): Promise<Map<string, Aside>> {
    const now = failures.size > 0 ? await this.#house.database.now(trx) : 0;
    const { attempts: attemptsMax, retryMinMs, retryMaxMs } = this.#limits;
    const aside = new Map<string, Aside>();
    for (const [stream, { error }] of failures) {
      const before = place.aside.get(stream);
      const counted = moving.has(stream) ? undefined : before;
      const attempts = (counted?.attempts ?? 0) + 1;
      const charged = (counted?.charged ?? 0) + (isRetryable(error) ? 0 : 1);
      const isParked = charged >= attemptsMax;
      aside.set(stream, {
        state: isParked ? "parked" : "retrying",
        attempts,
        charged,
        releases: isParked ? parkedBy(this.#release, before?.releases ?? "") : (before?.releases ?? ""),
        nextAt: now + backoffMs(attempts, { baseMs: retryMinMs, capMs: retryMaxMs }),
        error: JSON.stringify(plainError(error)),
      });
    }
    return aside;
  }

  #setAside(place: Place, stream: string, aside: Aside): void {
    place.aside.set(stream, aside);
    if (aside.state === "parked")
      this.#house.logger.error(`consumer ${this.key.consumer}: ${stream} is parked after ${aside.attempts} attempts`, {
        error: aside.error,
      });
  }

  // ---- small things

  #wants(event: LogEvent): boolean {
    return this.#types === undefined || this.#types.has(event.type) || isAbsent(event);
  }

  #mustStop({ event, cause }: Poisoned): boolean {
    const before = this.#poison.eventId === event.eventId ? this.#poison.attempts : 0;
    this.#poison = { eventId: event.eventId, attempts: before + (isRetryable(cause) ? 0 : 1) };
    return this.#poison.attempts >= this.#limits.attempts;
  }

  async #pause(ms: number): Promise<void> {
    if (this.#stopping) return;
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#endPause = undefined;
  }
}

/** Type of an event of which only the version is known. */
const ABSENT = "";
const isAbsent = ({ type }: { type: string }): boolean => type === ABSENT;
const absent = (neighbour: LogEvent, version: number): LogEvent => ({
  ...neighbour,
  eventId: `${streamOf(neighbour)}@${version}`,
  version,
  type: ABSENT as never,
  data: Object.create(null) as never,
  broken: "it is missing in the log",
});

/** The event of another release is unavailable here, not damaged: another node reads it, or this one after a deploy. */
const unreadable = ({ eventId, broken, isNewer }: LogEvent): Error =>
  isNewer
    ? storeErrors.UNREADABLE_HERE({ message: `${eventId}: ${broken}`, retryAfterMs: 100 })
    : streamErrors.EVENT_BROKEN({ message: broken ?? "" });

/** It has held up the events of all streams; told each time. */
class LateReaction extends Bug {
  constructor(eventId: string, ms: number) {
    super(streamErrors.REACTION_TOO_LONG.code, `${eventId} was not handled within ${ms} ms`);
  }
}

/** The reaction, or a Bug once it takes too long; what it comes to later is of no interest. */
async function within(ms: number, { eventId }: LogEvent, reaction: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new LateReaction(eventId, ms)), ms);
  try {
    await Promise.race([reaction, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

const isAtOrBehind = (event: LogEvent, failures: Failures): boolean => {
  const failure = failures.get(streamOf(event));
  return failure !== undefined && event.version >= failure.event.version;
};

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
