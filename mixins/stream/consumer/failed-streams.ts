// Streams of a node's partitions at which the consumer has failed, and the events that wait for them: in the consumer's own
// database, moved in the transaction of the checkpoint. A failed stream is `retrying`, by itself and with backoff, or
// `parked`, until a person or another release sends it back. Its event that failed and those behind it are dead letters,
// handled in order once it gets through.
import type { Knex } from "knex";
import { eventIdOf, inChunks, rfc3339 } from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";
import type { LogEvent } from "../log/source.ts";
import { bucketOf } from "../../event-store/index.ts";
import { streamOf, type CheckpointKey } from "./checkpoint.ts";
import { WHOLE } from "../sharing/partitions.ts";

/** Longest wait for an attempt in milliseconds: of a thousand streams that an operator sends back in turn. */
const WAIT_MS_MAX = 15 * 60_000;

/** An event that waits in the dead-letter table. */
export interface Letter {
  readonly id: number;
  readonly stream: string;
  readonly event: LogEvent;
}
export interface FailedStream {
  readonly state: "retrying" | "parked";
  /** Attempts in a row that failed. An event that was only postponed was not attempted. */
  readonly attempts: number;
  /** The attempts among them that are charged to the event. What is unavailable is charged to none. */
  readonly charged: number;
  /** The releases that have parked it, commas between. */
  readonly releases: string;
  /** Time of the next attempt in milliseconds since the epoch, on the database's clock. */
  readonly nextAt: number;
  /** JSON of the plain error. */
  readonly error: string;
}

/** The failed streams of some partitions of one source. */
export interface FailedKey extends CheckpointKey {
  readonly partitions: ReadonlySet<number>;
  /** Number of partitions there are. */
  readonly count: number;
  /** The number of a stream, by which it is in a partition: that number modulo `count`. Default: its bucket. */
  readonly bucketOf?: (stream: string) => number;
}

export class FailedStreams {
  readonly #database: Database;
  readonly #key: FailedKey;
  readonly #streams: Map<string, FailedStream>;

  private constructor(database: Database, key: FailedKey, streams: Map<string, FailedStream>) {
    this.#database = database;
    this.#key = key;
    this.#streams = streams;
  }

  static async read(database: Database, key: FailedKey): Promise<FailedStreams> {
    const rows: FailedRow[] = await inPartitions(database.knex("parked_streams"), key);
    return new FailedStreams(database, key, new Map(rows.map(row => [row.actor_stream, failedStreamOf(row)])));
  }

  /** Notes the buckets of rows that an older release has written. */
  static async addBuckets({ knex }: Database, { consumer, source }: CheckpointKey): Promise<void> {
    const rows = await knex("parked_streams").where({ consumer, source }).whereNull("bucket").select("actor_stream");
    for (const { actor_stream } of rows)
      await knex("parked_streams")
        .where({ consumer, actor_stream })
        .update({ bucket: bucketOf(actor_stream) });
  }

  get size(): number {
    return this.#streams.size;
  }
  has(stream: string): boolean {
    return this.#streams.has(stream);
  }
  get(stream: string): FailedStream | undefined {
    return this.#streams.get(stream);
  }
  /** The transaction that wrote the stream has committed. */
  set(stream: string, failed: FailedStream): void {
    this.#streams.set(stream, failed);
  }
  /** The transaction that removed the streams has committed. */
  delete(streams: readonly string[]): void {
    for (const stream of streams) this.#streams.delete(stream);
  }

  /**
   * Streams whose next attempt is due, the one that waits longest first, as the table has them: a person may have sent one
   * back. A stream that would have to wait longer than any may is due as well: the clock was put back.
   */
  async due(now: number, limit: number): Promise<string[]> {
    const rows: FailedRow[] = await inPartitions(this.#database.knex("parked_streams"), this.#key)
      .where({ state: "retrying" })
      .where(time => void time.where("next_at", "<=", now).orWhere("next_at", ">", now + WAIT_MS_MAX))
      .orderBy("next_at")
      .limit(limit);
    for (const row of rows) this.#streams.set(row.actor_stream, failedStreamOf(row));
    return rows.map(row => row.actor_stream);
  }

  /** The first letters of a stream, in order. */
  async letters(stream: string, limit: number): Promise<Letter[]> {
    const rows = await this.#database
      .knex("dead_letters")
      .where({ consumer: this.#key.consumer, actor_stream: stream })
      .orderBy("version")
      .limit(limit);
    return rows.map(row => ({ id: row.id, stream, event: eventIn(row) }));
  }

  /** Appends events to the letters of their streams. */
  async addLetters(trx: Knex.Transaction, events: readonly LogEvent[]): Promise<void> {
    if (events.length === 0) return;
    const at = rfc3339(await this.#database.now(trx));
    for (const some of inChunks(events, 100))
      await trx("dead_letters").insert(
        some.map(event => ({
          consumer: this.#key.consumer,
          actor_stream: streamOf(event),
          version: event.version,
          event: JSON.stringify(event),
          at,
        })),
      );
  }

  async removeLetters(trx: Knex.Transaction, letters: readonly Letter[]): Promise<void> {
    for (const some of inChunks(letters))
      await trx("dead_letters")
        .whereIn(
          "id",
          some.map(letter => letter.id),
        )
        .delete();
  }

  async write(trx: Knex.Transaction, streams: ReadonlyMap<string, FailedStream>): Promise<void> {
    const { consumer, source, bucketOf: numberOf = bucketOf } = this.#key;
    // The partition of an older release, which looks for no other: after a roll-back it has to find the stream failed.
    const key = { consumer, source, partition: WHOLE };
    for (const [actor_stream, { nextAt, ...failed }] of streams)
      await trx("parked_streams")
        .insert({ ...key, actor_stream, bucket: numberOf(actor_stream), ...failed, next_at: nextAt })
        .onConflict(["consumer", "actor_stream"])
        .merge();
  }

  /** Removes the streams among these that have no letter left. Answers which. */
  async remove(trx: Knex.Transaction, streams: readonly string[]): Promise<string[]> {
    const { consumer } = this.#key;
    const left = await trx("dead_letters")
      .where({ consumer })
      .whereIn("actor_stream", streams)
      .distinct("actor_stream");
    const waiting = new Set(left.map(row => row.actor_stream));
    const done = streams.filter(stream => !waiting.has(stream));
    await trx("parked_streams").where({ consumer }).whereIn("actor_stream", done).delete();
    return done;
  }
}

/** Narrows to the rows of the partitions. Their number divides that of the buckets, and may change. */
export function inPartitions(rows: Knex.QueryBuilder, { consumer, source, partitions, count }: FailedKey) {
  const some = [...partitions];
  return rows
    .where({ consumer, source })
    .whereRaw(`bucket % ? in (${some.map(() => "?").join(",")})`, [count, ...some]);
}

/** The event of a letter's row. A row that cannot be read still has stream and version: the owner has the rest. */
export function eventIn(row: { actor_stream: string; version: number; event: string; at: string }): LogEvent {
  try {
    return JSON.parse(row.event) as LogEvent;
  } catch {
    const { actor_stream, version, at } = row;
    const [actor, stream] = [actor_stream.split(".", 1)[0]!, actor_stream.slice(actor_stream.indexOf(".") + 1)];
    const event = { eventId: eventIdOf(actor_stream, version), actor, stream, version, type: "", at };
    return { ...event, data: {}, metadata: {}, broken: "its dead letter cannot be read" } as unknown as LogEvent;
  }
}

type FailedRow = Omit<FailedStream, "nextAt"> & { readonly actor_stream: string; readonly next_at: number | string };
const failedStreamOf = ({ state, attempts, charged, releases, next_at, error }: FailedRow): FailedStream => ({
  state,
  attempts,
  charged,
  releases,
  nextAt: Number(next_at),
  error,
});
