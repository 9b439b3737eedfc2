// The reader of one consumer on one source: reads the partitions that its node holds, in order, handles, commits effects and
// checkpoint together. Guards P4 (each event exactly once, in stream order) for all writes; calls are made at least once.
//
// Life of a pass, over a set of partitions:
//   1. go through the gate (gate.ts), read the checkpoints of the partitions, ask the owner whether they are in its log.
//   2. open one feed at the least of them. Events that a partition has had come again, and are ignored by their versions.
//   3. batch by batch, until the set is another one (shares.ts): the pass ends after the batch at hand, and the next one begins.
//
// Life of a batch:
//   1. read after the checkpoint. The leases of the partitions only save work (see lease.ts).
//   2. judge each event by the last version of its stream, and read gaps from the owner (judging.ts).
//   3. call (reactors), outside of a transaction; a crash from here to 4 repeats the calls under the same command ids.
//   4. one transaction: rows, versions, dead letters, and the checkpoint if the revisions of its partitions are still ours. A
//      crash before the commit leaves nothing, after it everything; of two consumers at the same time one rolls back
//      (handling.ts).
//
// An event that fails makes its stream fail: the event and later ones of that stream wait as dead letters, in order, and
// are retried beside the batches (retrying.ts); the other streams go on. A consumer with `onPoison: "stop"` commits what
// comes before the event and stops there instead, with the partitions of this node; those of other nodes go on.
//
// A cursor that is not in the owner's log stops the reader until an operator resets it or the right log is back
// (log/identity.ts): it looks again every few seconds, and logs an error a minute.
import { backoffMs, isRetryable, Pause, plainError } from "../../kernel/index.ts";
import type { Batch, Feed } from "../carriers/carrier.ts";
import { consumerTracing } from "../event-spans.ts";
import { CursorNotInLog, HOW_TO_GO_ON } from "../log/identity.ts";
import { isAtOrPast, type Cursor, type LogEvent, type LogPage } from "../log/source.ts";
import { Checkpoint, streamOf, Superseded, type CheckpointKey } from "./checkpoint.ts";
import type { Consumer, ConsumerContext, ReaderContext } from "./consumer.ts";
import { FailedStreams, type FailedStream } from "./failed-streams.ts";
import { Gate } from "./gate.ts";
import { handle, isAtOrBehind, Leaving, Poisoned } from "./handling.ts";
import { decoded, isAbsent, judge } from "./judging.ts";
import { partitionOf } from "../sharing/partitions.ts";
import { Retrying } from "./retrying.ts";

/** Longest wait in milliseconds after a failure of the reader as a whole. */
const RETRY_MS_MAX = 5_000;

export class SourceReader {
  readonly key: CheckpointKey;
  state: "waiting" | "following" | "stopped" = "waiting";
  readonly #reader: ReaderContext;
  readonly #retrying: Retrying;
  readonly #gate: Gate;
  readonly #done: Promise<void>;
  readonly #pause = new Pause();
  #feed: Feed | undefined;
  /** The partitions that the node holds. */
  #partitions: ReadonlySet<number>;
  /** The checkpoint of the pass at hand. */
  #checkpoint: Checkpoint | undefined;
  /** The pass at hand; it never rejects. */
  #following: Promise<void> = Promise.resolve();
  #stopping = false;
  /** When it is logged again that the cursor is not in the log; monotonic milliseconds. */
  #tellAt = -Infinity;
  /** Failures in a row of the reader as a whole. */
  #failures = 0;
  /** The event at which a consumer that stops has failed, and how often. */
  #poison = { eventId: "", attempts: 0 };

  constructor(context: ConsumerContext, consumer: Consumer, source: string, partitions: ReadonlySet<number>) {
    this.key = { consumer: consumer.name, source };
    this.#partitions = partitions;
    const types = consumer.types === "all" ? undefined : new Set(consumer.types);
    const limits = { ...context.limits, ...consumer.limits };
    const { database, shares } = context;
    this.#reader = {
      ...context,
      key: this.key,
      consumer,
      limits,
      wants: event => types === undefined || types.has(event.type) || isAbsent(event),
      traced: consumerTracing(consumer.name, source),
      isLeaving: () => this.#stopping || context.isStopping(),
    };
    this.#retrying = new Retrying(this.#reader);
    this.#gate = new Gate({ database, ...this.key, count: shares.count, leaseMs: limits.leaseMs });
    this.#done = this.#run();
  }

  /** How far it has read its partitions: their rows tell it a moment later. */
  get reached(): { readonly partitions: ReadonlySet<number>; readonly cursor: Cursor } | undefined {
    return this.#checkpoint && { partitions: this.#checkpoint.partitions, cursor: this.#checkpoint.cursor };
  }

  /** From now on reads these partitions. Resolves when it works on no other one any more: after the batch at hand. */
  serve(partitions: ReadonlySet<number>): Promise<void> {
    this.#partitions = partitions;
    this.#feed?.close();
    this.#pause.end();
    return this.#following;
  }

  /** Finishes the batch at hand. */
  stop(): Promise<void> {
    this.#stopping = true;
    this.#feed?.close();
    this.#pause.end();
    return this.#done;
  }

  /** Looks at the checkpoint's row at once, which was changed from outside, if the reader has stopped. */
  lookNow(): void {
    if (this.state === "stopped") this.#pause.end();
  }

  async #run(): Promise<void> {
    const { consumer, limits, logger, shares } = this.#reader;
    while (!this.#stopping)
      try {
        const partitions = this.#partitions;
        const mayRead = partitions.size > 0 && (await this.#gate.enter());
        if (this.#partitions !== partitions) continue;
        if (mayRead) {
          shares.keepGate(consumer.name, this.#gate.name);
          const following = this.#follow(partitions);
          this.#following = following.catch(() => {});
          await following;
        } else await this.#wait(limits.lookMs);
      } catch (error) {
        if (this.#stopping) break;
        consumer.forget?.();
        if (error instanceof CursorNotInLog) {
          this.#tellNotInLog(error);
          await this.#wait(limits.notInLogMs);
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
        await this.#wait(backoffMs(++this.#failures, { baseMs: limits.retryMinMs, capMs: RETRY_MS_MAX }));
      }
  }

  /** One pass: reads the partitions from their checkpoints on until it is stopped, holds others, or fails. */
  async #follow(partitions: ReadonlySet<number>): Promise<void> {
    const { carrier, database, shares } = this.#reader;
    const { count } = shares;
    const failedKey = { ...this.key, partitions, count };
    await FailedStreams.addBuckets(database, this.key);
    await this.#retrying.tryParkedAgain(failedKey);
    const checkpoint = await this.#checkpointOf(partitions);
    const failed = await FailedStreams.read(database, failedKey);
    const takes =
      partitions.size === count
        ? undefined
        : (event: LogEvent): boolean => partitions.has(partitionOf(streamOf(event), count));
    this.#feed = carrier.open(this.key.source, checkpoint, takes);
    this.#checkpoint = checkpoint;
    this.state = "following";
    try {
      while (!this.#stopping && this.#partitions === partitions) await this.#next(this.#feed, checkpoint, failed);
      await checkpoint.moveAll(true);
    } catch (error) {
      if (error instanceof CursorNotInLog) await checkpoint.stop(error.fault);
      throw error;
    } finally {
      this.#feed.close();
      this.#checkpoint = undefined;
      this.state = "waiting";
    }
  }

  /** The checkpoint of the partitions, in the log and past what it is to pass over. */
  async #checkpointOf(partitions: ReadonlySet<number>): Promise<Checkpoint> {
    const { database, limits, shares } = this.#reader;
    const { count } = shares;
    const options = { database, key: this.key, gate: this.#gate, partitions, count, behindMs: limits.behindMs };
    const read = (): Promise<Checkpoint> => Checkpoint.read(options);
    const checkpoint = await read();
    await this.#mustBeInLog(checkpoint);
    if (checkpoint.passesOver.size === 0) return checkpoint;
    await this.#passOver(checkpoint);
    return read();
  }

  async #next(feed: Feed, checkpoint: Checkpoint, failed: FailedStreams): Promise<void> {
    const { consumer, limits } = this.#reader;
    if (failed.size > 0 && (await this.#retrying.retryDue(checkpoint, failed))) this.#failures = 0;
    if (this.#retrying.isFull(failed)) {
      await checkpoint.moveAll();
      return this.#wait(limits.retryMinMs);
    }
    const batch = await feed.next(limits.batch);
    if (batch.events.length > 0) await this.#take(checkpoint, failed, batch);
    else checkpoint.passTo(batch.cursor, batch.mark);
    await checkpoint.moveAll();
    if (batch.isAtEnd) consumer.caughtUp?.();
    await nextTurn();
  }

  // ---- a batch

  async #take(checkpoint: Checkpoint, failed: FailedStreams, batch: Omit<Batch, "isAtEnd">): Promise<void> {
    const { consumer, wants } = this.#reader;
    const { events, cursor, mark } = batch;
    const { fresh, versions } = await judge(this.#reader, checkpoint, events);
    if (fresh.length === 0) return checkpoint.passTo(cursor, mark);
    const step = { to: cursor, mark, versions, fresh };
    const waiting = fresh.filter(event => failed.has(streamOf(event)) && wants(event));
    const others = fresh.filter(event => !failed.has(streamOf(event)));
    const ready = await decoded(this.#reader, others);
    let newlyFailed = new Map<string, FailedStream>();
    try {
      await handle(this.#reader, ready, consumer.onPoison === "stop", async (trx, failures) => {
        newlyFailed = await this.#retrying.failedAfter(trx, failed, failures);
        const behind = ready.filter(event => isAtOrBehind(event, failures) && wants(event));
        await failed.addLetters(trx, [...waiting, ...behind]);
        await failed.write(trx, newlyFailed);
        await checkpoint.move(trx, step);
      });
    } catch (error) {
      if (error instanceof Poisoned) await this.#takeUpTo(error.event, checkpoint, failed, events);
      throw error;
    }
    checkpoint.moved(step);
    this.#retrying.noteFailed(failed, newlyFailed);
    this.#failures = 0;
    consumer.committed?.();
  }

  /** Commits the events before the one at which the consumer stops. The cursor stays; the versions tell which are done. */
  async #takeUpTo(
    poison: LogEvent,
    checkpoint: Checkpoint,
    failed: FailedStreams,
    events: readonly LogEvent[],
  ): Promise<void> {
    const stream = streamOf(poison);
    const index = events.findIndex(event => streamOf(event) === stream && event.version >= poison.version);
    const { cursor, mark } = checkpoint;
    if (index > 0) await this.#take(checkpoint, failed, { events: events.slice(0, index), cursor, mark });
  }

  /** Whether the consumer has failed at this event as often as it may. */
  #mustStop({ event, cause }: Poisoned): boolean {
    const before = this.#poison.eventId === event.eventId ? this.#poison.attempts : 0;
    this.#poison = { eventId: event.eventId, attempts: before + (isRetryable(cause) ? 0 : 1) };
    return this.#poison.attempts >= this.#reader.limits.attempts;
  }

  // ---- whether the cursor is in the log

  /** Asked before anything is done, retries included. While no node of the owner answers, the feed asks again. */
  async #mustBeInLog(checkpoint: Checkpoint): Promise<void> {
    const { logger, readLog } = this.#reader;
    const { source } = this.key;
    const pages: (LogPage | undefined)[] = [];
    for (const place of checkpoint.places()) {
      const page = await readLog(source, { ...place, limit: 0 }).catch(() => undefined);
      if (page?.fault) {
        await checkpoint.stop(page.fault);
        throw new CursorNotInLog(source, page.fault);
      }
      pages.push(page);
    }
    if (checkpoint.stopped === undefined) return;
    // Only an owner that has looked a cursor up can say that it is there again; one of an older release gives no head.
    if (pages.some(page => page?.head === undefined)) throw new CursorNotInLog(source, checkpoint.stopped);
    await checkpoint.goOn();
    this.#tellAt = -Infinity;
    logger.warn(`consumer ${this.key.consumer}: its place is in the log of ${source} again, it goes on`);
  }

  #tellNotInLog(error: CursorNotInLog): void {
    const { limits, logger, tellStopped } = this.#reader;
    const { consumer, source } = this.key;
    this.state = "stopped";
    tellStopped(consumer, source);
    if (performance.now() < this.#tellAt) return;
    this.#tellAt = performance.now() + limits.tellMs;
    logger.error(`consumer ${consumer} has stopped: ${error.message}; ${HOW_TO_GO_ON}`);
  }

  /** Reads to the present end of the log for the versions of its streams, and handles none of the events. */
  async #passOver(checkpoint: Checkpoint): Promise<void> {
    const { limits, logger, readLog, shares } = this.#reader;
    const { source, consumer } = this.key;
    const { head = "" } = await readLog(source, { cursor: "", limit: 0 });
    const versions = new Map<string, number>();
    let [to, mark]: [Cursor, string | undefined] = ["", undefined];
    for (;;) {
      const page = await readLog(source, { cursor: to, mark, limit: limits.batch });
      if (page.fault) throw new CursorNotInLog(source, page.fault);
      for (const event of this.#reader.ownOf(source, page.events)) {
        const stream = streamOf(event);
        if (checkpoint.passesOver.has(partitionOf(stream, shares.count)))
          versions.set(stream, Math.max(event.version, versions.get(stream) ?? 0));
      }
      ({ cursor: to, mark } = page);
      if (this.#stopping) throw new Error("stopping");
      if (page.events.length < limits.batch && isAtOrPast(to, head)) break;
    }
    await checkpoint.passOver({ to, mark, versions, fresh: [] });
    logger.warn(
      `consumer ${consumer} goes on at the head of the log of ${source}: ${versions.size} streams passed over`,
    );
  }

  async #wait(ms: number): Promise<void> {
    if (!this.#stopping) await this.#pause.wait(ms);
  }
}

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
