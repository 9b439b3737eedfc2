// The reader of one consumer on one partition of one source: reads in order, handles, commits effects and checkpoint
// together. Guards P4 (each event exactly once, in stream order) for all writes; calls are made at least once.
//
// Life of a batch:
//   1. read after the checkpoint, while the lease is held. The lease only saves work (see lease.ts).
//   2. judge each event by the last version of its stream, and read gaps from the owner (judging.ts).
//   3. call (reactors), outside of a transaction; a crash from here to 4 repeats the calls under the same command ids.
//   4. one transaction: rows, versions, dead letters, and the checkpoint if its revision is still ours. A crash before
//      the commit leaves nothing, after it everything; of two consumers at the same time one rolls back (handling.ts).
//
// An event that fails makes its stream fail: the event and later ones of that stream wait as dead letters, in order, and
// are retried beside the batches (retrying.ts); the other streams go on. A consumer with `onPoison: "stop"` commits what
// comes before the event and stops there instead.
//
// A cursor that is not in the owner's log stops the reader until an operator resets it or the right log is back
// (log/identity.ts): it looks again every few seconds, and logs an error a minute.
import { backoffMs, isRetryable, Pause, plainError } from "../../kernel/index.ts";
import type { Feed } from "../carriers/carrier.ts";
import { consumerTracing } from "../event-spans.ts";
import { CursorNotInLog, HOW_TO_GO_ON } from "../log/identity.ts";
import { isAtOrPast, type Cursor, type LogEvent } from "../log/source.ts";
import { Checkpoint, streamOf, Superseded, type CheckpointKey } from "./checkpoint.ts";
import type { Consumer, ConsumerContext, PartitionContext } from "./consumer.ts";
import { FailedStreams, type FailedStream } from "./failed-streams.ts";
import { handle, isAtOrBehind, Leaving, Poisoned } from "./handling.ts";
import { decoded, isAbsent, judge } from "./judging.ts";
import { Lease } from "./lease.ts";
import { Retrying } from "./retrying.ts";

/** Longest wait in milliseconds after a failure of the reader as a whole. */
const RETRY_MS_MAX = 5_000;

export class PartitionReader {
  readonly key: CheckpointKey;
  state: "waiting" | "following" | "stopped" = "waiting";
  readonly #partition: PartitionContext;
  readonly #retrying: Retrying;
  readonly #lease: Lease;
  readonly #done: Promise<void>;
  readonly #pause = new Pause();
  #feed: Feed | undefined;
  #stopping = false;
  /** When it is logged again that the cursor is not in the log; monotonic milliseconds. */
  #tellAt = -Infinity;
  /** Failures in a row of the reader as a whole. */
  #failures = 0;
  /** The event at which a consumer that stops has failed, and how often. */
  #poison = { eventId: "", attempts: 0 };

  constructor(context: ConsumerContext, consumer: Consumer, source: string, partition: string) {
    this.key = { consumer: consumer.name, source, partition };
    const types = consumer.types === "all" ? undefined : new Set(consumer.types);
    const limits = { ...context.limits, ...consumer.limits };
    this.#partition = {
      ...context,
      key: this.key,
      consumer,
      limits,
      wants: event => types === undefined || types.has(event.type) || isAbsent(event),
      traced: consumerTracing(consumer.name, source, partition),
      isLeaving: () => this.#stopping || context.isStopping(),
    };
    this.#retrying = new Retrying(this.#partition);
    this.#lease = new Lease(context.database, `${consumer.name}/${source}/${partition}`, limits.leaseMs);
    this.#done = this.#run();
  }

  /** Finishes the batch at hand and frees the lease. */
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
    const { consumer, limits, logger } = this.#partition;
    while (!this.#stopping)
      try {
        if (await this.#lease.hold()) await this.#follow();
        else await this.#wait(limits.lookMs);
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
    await this.#lease.release().catch(error => logger.debug("a lease was not released", error));
  }

  /** Reads from the checkpoint on until it is stopped, loses the lease, or fails. */
  async #follow(): Promise<void> {
    const { carrier, consumer, database, limits } = this.#partition;
    await this.#retrying.tryParkedAgain();
    const checkpoint = await Checkpoint.read(database, this.key);
    const failed = await FailedStreams.read(database, this.key);
    await this.#mustBeInLog(checkpoint);
    if (checkpoint.passesOver) await this.#passOver(checkpoint);
    this.#feed = carrier.open(this.key.source, checkpoint);
    this.state = "following";
    try {
      while (!this.#stopping && (await this.#lease.hold())) {
        if (failed.size > 0 && (await this.#retrying.retryDue(checkpoint, failed))) this.#failures = 0;
        if (this.#retrying.isFull(failed)) {
          await this.#wait(limits.retryMinMs);
          continue;
        }
        const { events, cursor, mark, isAtEnd } = await this.#feed.next(limits.batch);
        if (events.length > 0) await this.#take(checkpoint, failed, events, cursor, mark);
        if (isAtEnd) consumer.caughtUp?.();
        await nextTurn();
      }
    } catch (error) {
      if (error instanceof CursorNotInLog) await checkpoint.stop(error.fault);
      throw error;
    } finally {
      this.#feed.close();
      this.state = "waiting";
    }
  }

  // ---- a batch

  async #take(
    checkpoint: Checkpoint,
    failed: FailedStreams,
    events: readonly LogEvent[],
    cursor: Cursor,
    mark: string | undefined,
  ): Promise<void> {
    const { consumer, wants } = this.#partition;
    const { fresh, versions } = await judge(this.#partition, checkpoint, events);
    const step = { to: cursor, mark, versions, fresh };
    const waiting = fresh.filter(event => failed.has(streamOf(event)) && wants(event));
    const others = fresh.filter(event => !failed.has(streamOf(event)));
    const ready = await decoded(this.#partition, others);
    let newlyFailed = new Map<string, FailedStream>();
    try {
      await handle(this.#partition, ready, consumer.onPoison === "stop", async (trx, failures) => {
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
    if (index > 0) await this.#take(checkpoint, failed, events.slice(0, index), checkpoint.cursor, checkpoint.mark);
  }

  /** Whether the consumer has failed at this event as often as it may. */
  #mustStop({ event, cause }: Poisoned): boolean {
    const before = this.#poison.eventId === event.eventId ? this.#poison.attempts : 0;
    this.#poison = { eventId: event.eventId, attempts: before + (isRetryable(cause) ? 0 : 1) };
    return this.#poison.attempts >= this.#partition.limits.attempts;
  }

  // ---- whether the cursor is in the log

  /** Asked before anything is done, retries included. While no node of the owner answers, the feed asks again. */
  async #mustBeInLog(checkpoint: Checkpoint): Promise<void> {
    const { logger, readLog } = this.#partition;
    const { source } = this.key;
    const { cursor, mark } = checkpoint;
    const page = await readLog(source, { cursor, mark, limit: 0 }).catch(() => undefined);
    if (page?.fault) {
      await checkpoint.stop(page.fault);
      throw new CursorNotInLog(source, page.fault);
    }
    if (checkpoint.stopped === undefined) return;
    // Only an owner that has looked the cursor up can say that it is there again; one of an older release gives no head.
    if (page?.head === undefined) throw new CursorNotInLog(source, checkpoint.stopped);
    await checkpoint.goOn();
    this.#tellAt = -Infinity;
    logger.warn(`consumer ${this.key.consumer}: its place is in the log of ${source} again, it goes on`);
  }

  #tellNotInLog(error: CursorNotInLog): void {
    const { limits, logger, tellStopped } = this.#partition;
    const { consumer, source } = this.key;
    this.state = "stopped";
    tellStopped(consumer, source);
    if (performance.now() < this.#tellAt) return;
    this.#tellAt = performance.now() + limits.tellMs;
    logger.error(`consumer ${consumer} has stopped: ${error.message}; ${HOW_TO_GO_ON}`);
  }

  /** Reads to the present end of the log for the versions of its streams, and handles none of the events. */
  async #passOver(checkpoint: Checkpoint): Promise<void> {
    const { database, limits, logger, readLog } = this.#partition;
    const { source, consumer } = this.key;
    const { head = "" } = await readLog(source, { cursor: "", limit: 0 });
    const versions = new Map<string, number>();
    let [to, mark]: [Cursor, string | undefined] = ["", undefined];
    for (;;) {
      const page = await readLog(source, { cursor: to, mark, limit: limits.batch });
      if (page.fault) throw new CursorNotInLog(source, page.fault);
      for (const event of this.#partition.ownOf(source, page.events))
        versions.set(streamOf(event), Math.max(event.version, versions.get(streamOf(event)) ?? 0));
      ({ cursor: to, mark } = page);
      if (this.#stopping) throw new Error("stopping");
      if (page.events.length < limits.batch && isAtOrPast(to, head)) break;
      await this.#lease.hold();
    }
    const step = { to, mark, versions, fresh: [] };
    await database.transaction(trx => checkpoint.passOver(trx, step));
    checkpoint.moved(step);
    logger.warn(
      `consumer ${consumer} goes on at the head of the log of ${source}: ${versions.size} streams passed over`,
    );
  }

  async #wait(ms: number): Promise<void> {
    if (!this.#stopping) await this.#pause.wait(ms);
  }
}

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
