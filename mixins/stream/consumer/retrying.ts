// Retries of failed streams, beside the events that come in. A stream whose event keeps failing is parked for a person
// after `attempts` tries; one that meets something unavailable is tried for ever, at a bounded rate. A retry reads the
// events from the owner again, since a deploy may have changed their shape; the copies in the dead letters are for
// people. Under another release, or other code of the consumer, parked streams are tried once more: the mistake may be
// mended. With `failedStreamsMax` streams failed the consumer says so and reads no further until some are through: when
// everything fails, the log must not move into the dead-letter table.
import type { Knex } from "knex";
import { backoffMs, isRetryable, plainError } from "../../kernel/index.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Failures, HandlingContext } from "./consumer.ts";
import { inPartitions, type FailedKey, type FailedStream, type FailedStreams, type Letter } from "./failed-streams.ts";
import { handle, isAtOrBehind } from "./handling.ts";
import { readAgain } from "./judging.ts";
import { notParkedBy, parkedBy, releaseName, unpark } from "./parked.ts";
import { sideBySide } from "./side-by-side.ts";

/** Moved in the transaction of the effects, which guards the streams that were retried. */
type Moved = Pick<Checkpoint, "cursor" | "mark" | "move" | "moved">;

export class Retrying {
  readonly #reader: HandlingContext;
  readonly #release: string;
  #isFull = false;

  constructor(reader: HandlingContext) {
    this.#reader = reader;
    this.#release = releaseName(reader.release, reader.consumer.definition ?? "");
  }

  /** Gives one attempt more to streams of the partitions that another release has parked; `narrow` leaves some out. */
  async tryParkedAgain(
    key: FailedKey,
    narrow: (parked: Knex.QueryBuilder) => Knex.QueryBuilder = parked => parked,
  ): Promise<void> {
    const { consumer, database, limits, logger } = this.#reader;
    const sent = await unpark(database, parked => narrow(notParkedBy(this.#release, inPartitions(parked, key))), {
      charged: limits.attempts - 1,
      perSecond: limits.unparkedPerSecond,
    });
    for (const streams of sent.values())
      logger.info(`consumer ${consumer.name}: another release parked ${streams} streams, trying them again`);
  }

  /** Handles the letters of streams whose time has come. Answers whether there were any. */
  async retryDue(checkpoint: Moved, failed: FailedStreams): Promise<boolean> {
    const { consumer, database, limits } = this.#reader;
    const streams = await failed.due(await database.now(), limits.retriesAtOnce);
    if (streams.length === 0) return false;
    const letters: Letter[] = [];
    await sideBySide(streams, limits.streamsAtOnce, async stream => {
      letters.push(...(await this.#lettersOf(stream, failed)));
    });
    let again = new Map<string, FailedStream>();
    let done: string[] = [];
    const step = { to: checkpoint.cursor, mark: checkpoint.mark, versions: new Map(), fresh: [], retried: streams };
    const events = letters.map(letter => letter.event);
    await handle(this.#reader, events, false, async (trx, failures) => {
      const handled = letters.filter(letter => !isAtOrBehind(letter.event, failures));
      const moving = new Set(handled.map(letter => letter.stream));
      again = await this.failedAfter(trx, failed, failures, moving);
      await failed.removeLetters(trx, handled);
      done = await failed.remove(
        trx,
        streams.filter(stream => !failures.has(stream)),
      );
      await failed.write(trx, again);
      await checkpoint.move(trx, step);
    });
    checkpoint.moved(step);
    this.noteFailed(failed, again);
    failed.delete(done);
    consumer.committed?.();
    return true;
  }

  /** The first letters of a stream, with the events as the owner gives them today. */
  async #lettersOf(stream: string, failed: FailedStreams): Promise<Letter[]> {
    const { limits } = this.#reader;
    const [first, ...more] = await failed.letters(stream, limits.lettersAtOnce);
    if (first === undefined) return [];
    // Between them lie events of types that the consumer does not handle: no more than a page is read.
    const near = more.filter(({ event }) => event.version < first.event.version + limits.batch);
    const letters = [first, ...near];
    const events = await readAgain(
      this.#reader,
      letters.map(({ event }) => event),
    );
    return letters.map((letter, i) => ({ ...letter, event: events[i]! }));
  }

  /**
   * The streams after their failures: when each is tried again, or that it is parked. A stream in `moving`, some letters of
   * which were handled, starts its count anew. A failure that is retryable lengthens the backoff and is not charged; a
   * postponed event was not tried, so its stream does neither.
   */
  async failedAfter(
    trx: Knex.Transaction,
    failed: FailedStreams,
    failures: Failures,
    moving: ReadonlySet<string> = new Set(),
  ): Promise<Map<string, FailedStream>> {
    const { consumer, database, limits } = this.#reader;
    const now = failures.size > 0 ? await database.now(trx) : 0;
    const after = new Map<string, FailedStream>();
    for (const [stream, { error, isPostponed = false }] of failures) {
      const before = failed.get(stream);
      const counted = moving.has(stream) ? undefined : before;
      const attempts = (counted?.attempts ?? 0) + (isPostponed ? 0 : 1);
      const charged = (counted?.charged ?? 0) + (isPostponed || isRetryable(error) ? 0 : 1);
      const isParked = charged >= limits.attempts || (consumer.isFinal?.(error) ?? false);
      // A stream that was only postponed waits as after a first attempt, however long the backoff has become.
      const waits = isPostponed ? 1 : attempts;
      after.set(stream, {
        state: isParked ? "parked" : "retrying",
        attempts,
        charged,
        releases: isParked ? parkedBy(this.#release, before?.releases ?? "") : (before?.releases ?? ""),
        nextAt: now + backoffMs(waits, { baseMs: limits.retryMinMs, capMs: limits.retryMaxMs }),
        error: JSON.stringify(plainError(error)),
      });
    }
    return after;
  }

  /** The transaction that wrote these has committed. */
  noteFailed(failed: FailedStreams, streams: ReadonlyMap<string, FailedStream>): void {
    const { key, logger } = this.#reader;
    for (const [stream, after] of streams) {
      failed.set(stream, after);
      if (after.state === "parked")
        logger.error(`consumer ${key.consumer}: ${stream} is parked after ${after.attempts} attempts`, {
          error: after.error,
        });
    }
  }

  /** Whether so many streams have failed that no more is read. Logged when it begins and when it ends. */
  isFull({ size }: FailedStreams): boolean {
    const { key, limits, logger } = this.#reader;
    const isFull = size >= limits.failedStreamsMax;
    if (isFull === this.#isFull) return isFull;
    this.#isFull = isFull;
    if (!isFull) logger.info(`consumer ${key.consumer} on ${key.source} reads on`);
    else
      logger.error(
        `consumer ${key.consumer} on ${key.source} reads no further: ${size} streams have failed, retrying or parked. ` +
          "Mend the cause, then POST /ops/dead-letters/retry",
      );
    return isFull;
  }
}
