// A consumer's durable place in one partition: checkpoint, last version per stream, and what was set aside. All of it
// lies in the consumer's own database and moves in the transaction of the effects.
import type { Knex } from "knex";
import { eventIdOf, rfc3339 } from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";
import { keptMark, markIn, stoppedOf, type CursorFault, type Stopped } from "../log/identity.ts";
import type { Cursor, LogEvent } from "../log/source.ts";
import { inChunks } from "../chunks.ts";

/** Streams whose last version is kept in memory. A miss costs a query; 50 000 cost about 10 MB. */
const VERSIONS_CACHED = 50_000;

/** Milliseconds until the next attempt at most: of a thousand streams that an operator sends back in turn. */
const PAUSE_MS_MAX = 15 * 60_000;

export interface CheckpointKey {
  readonly consumer: string;
  readonly source: string;
  readonly partition: string;
}

/** An event that waits in the dead-letter table. */
export interface Letter {
  readonly id: number;
  readonly stream: string;
  readonly event: LogEvent;
}
/** Why a stream is set aside, and until when. */
export interface FailedStream {
  /** `retrying` is tried again by itself; `parked` waits for a person. */
  readonly state: "retrying" | "parked";
  readonly attempts: number;
  /** Attempts among them that were the event's fault. */
  readonly charged: number;
  /** The releases that have parked it, commas between. */
  readonly releases: string;
  /** Milliseconds since the epoch, the database's clock. */
  readonly nextAt: number;
  /** JSON of the plain error. */
  readonly error: string;
}

/** One move of the checkpoint. */
export interface Step {
  readonly to: Cursor;
  /** That came with it. */
  readonly mark: string | undefined;
  /** The last version of each stream after it. */
  readonly taken: ReadonlyMap<string, number>;
  /** The events that it takes, in order. */
  readonly fresh: readonly LogEvent[];
}

/** Another consumer of the same name has committed since we read our place: ours rolls back. */
export class Superseded extends Error {
  constructor({ consumer, source }: CheckpointKey) {
    super(`another ${consumer} moved the checkpoint on ${source}`);
  }
}

/** `order.42`: what an event's version counts in. */
export const streamOf = (event: Pick<LogEvent, "actor" | "stream">): string => `${event.actor}.${event.stream}`;

export class Checkpoint {
  readonly key: CheckpointKey;
  cursor: Cursor;
  mark: string | undefined;
  events: number;
  /** Why the consumer has stopped: the place is not in the log. */
  stopped: Stopped | undefined;
  /** What the log has is to be passed over: an operator has sent the consumer to its head. */
  readonly passesOver: boolean;
  /** Streams that are set aside, with the attempts made. */
  readonly aside: Map<string, FailedStream>;
  readonly #database: Database;
  readonly #versions = new Map<string, number>();
  #revision: number;

  private constructor(database: Database, key: CheckpointKey, row: CheckpointRow, aside: Map<string, FailedStream>) {
    this.#database = database;
    this.key = key;
    this.cursor = row.cursor;
    this.mark = markIn(row);
    this.stopped = stoppedOf(row);
    this.passesOver = row.passes_over === 1;
    this.events = Number(row.events);
    this.#revision = Number(row.revision);
    this.aside = aside;
  }

  static async read(database: Database, key: CheckpointKey): Promise<Checkpoint> {
    const { knex } = database;
    const start = { ...key, cursor: "", revision: 0, events: 0 };
    await knex("checkpoints").insert(start).onConflict(["consumer", "source", "partition"]).ignore();
    const row: CheckpointRow = await knex("checkpoints").where(key).first();
    const parked = await knex("parked_streams").where(key);
    return new Checkpoint(database, key, row, new Map(parked.map(row => [row.actor_stream, failedStreamOf(row)])));
  }

  /**
   * Last version taken of each stream. Kept in memory between commits: whoever else moved them moved the checkpoint
   * too, and then our next commit fails.
   */
  async versions(streams: ReadonlySet<string>): Promise<ReadonlyMap<string, number>> {
    const unknown = [...streams].filter(stream => !this.#versions.has(stream));
    for (const some of inChunks(unknown)) {
      const rows = await this.#database
        .knex("consumer_versions")
        .select("actor_stream", "version")
        .where("consumer", this.key.consumer)
        .whereIn("actor_stream", some);
      for (const { actor_stream, version } of rows) this.#versions.set(actor_stream, version);
    }
    return this.#versions;
  }

  /**
   * Moves the checkpoint, in the transaction of the effects. Everything that was read before is still true exactly if
   * the revision is still ours: a second consumer at the same time finds it moved.
   * @throws Superseded
   */
  async move(trx: Knex.Transaction, { to, mark, taken, fresh }: Step): Promise<void> {
    const { consumer } = this.key;
    const last = fresh.at(-1);
    const moved = await trx("checkpoints")
      .where({ ...this.key, revision: this.#revision })
      .update({
        cursor: to,
        mark: keptMark(mark, this.#revision + 1),
        revision: this.#revision + 1,
        events: this.events + fresh.length,
        ...(last && { event_at: last.at }),
      });
    if (moved === 0) throw new Superseded(this.key);
    await this.#database.upsert(trx, {
      table: "consumer_versions",
      columns: ["consumer", "actor_stream", "version"],
      keys: ["consumer", "actor_stream"],
      rows: [...taken].map(([stream, version]) => [consumer, stream, version]),
    });
  }

  /** The transaction of `move` has committed. */
  moved({ to, mark, taken, fresh }: Step): void {
    this.#revision++;
    this.events += fresh.length;
    this.cursor = to;
    this.mark = mark;
    for (const [stream, version] of taken) this.#versions.set(stream, version);
    for (const stream of this.#versions.keys()) {
      if (this.#versions.size <= VERSIONS_CACHED) break;
      this.#versions.delete(stream);
    }
  }

  /** Says in the row that the place is not in the log, unless the row is another's by now. */
  async stop(fault: CursorFault): Promise<void> {
    this.stopped = { ...fault, at: this.stopped?.at ?? rfc3339(await this.#database.now()) };
    await this.#own().update({ stopped: JSON.stringify(this.stopped) });
  }

  /** The place is in the log again. */
  async goOn(): Promise<void> {
    await this.#own().update({ stopped: null });
    this.stopped = undefined;
  }

  /** What the log has was passed over: takes the versions of its streams, in one transaction with the place after them. */
  async passedOver(trx: Knex.Transaction, step: Step): Promise<void> {
    await this.move(trx, step);
    await trx("checkpoints").where(this.key).update({ passes_over: null });
  }

  #own(): Knex.QueryBuilder {
    return this.#database.knex("checkpoints").where({ ...this.key, revision: this.#revision });
  }

  /** Queues events behind those of their streams that wait already. */
  async setAside(trx: Knex.Transaction, events: readonly LogEvent[]): Promise<void> {
    if (events.length === 0) return;
    const at = rfc3339(await this.#database.now(trx));
    for (const some of inChunks(events, 100))
      await trx("dead_letters").insert(
        some.map(event => ({
          consumer: this.key.consumer,
          actor_stream: streamOf(event),
          version: event.version,
          event: JSON.stringify(event),
          at,
        })),
      );
  }

  async writeAside(trx: Knex.Transaction, streams: ReadonlyMap<string, FailedStream>): Promise<void> {
    for (const [actor_stream, { nextAt, ...aside }] of streams)
      await trx("parked_streams")
        .insert({ ...this.key, actor_stream, ...aside, next_at: nextAt })
        .onConflict(["consumer", "actor_stream"])
        .merge();
  }

  /**
   * Streams whose next attempt is due, oldest first, by what the table says: a person may have sent one back. Due is also
   * what would have to wait longer than anything has to: the clock was put back.
   */
  async due(now: number, limit: number): Promise<string[]> {
    const rows = await this.#database
      .knex("parked_streams")
      .where({ ...this.key, state: "retrying" })
      .where(time => void time.where("next_at", "<=", now).orWhere("next_at", ">", now + PAUSE_MS_MAX))
      .orderBy("next_at")
      .limit(limit);
    for (const row of rows) this.aside.set(row.actor_stream, failedStreamOf(row));
    return rows.map(row => row.actor_stream);
  }

  /** The first letters of a stream, in order. */
  async letters(stream: string, limit: number): Promise<Letter[]> {
    const rows = await this.#database
      .knex("dead_letters")
      .where({ consumer: this.key.consumer, actor_stream: stream })
      .orderBy("version")
      .limit(limit);
    return rows.map(row => ({ id: row.id, stream, event: eventIn(row) }));
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

  /** Streams among these that have no letter left are not aside any more. */
  async release(trx: Knex.Transaction, streams: readonly string[]): Promise<string[]> {
    const { consumer } = this.key;
    const left = await trx("dead_letters")
      .where({ consumer })
      .whereIn("actor_stream", streams)
      .distinct("actor_stream");
    const waiting = new Set(left.map(row => row.actor_stream));
    const free = streams.filter(stream => !waiting.has(stream));
    await trx("parked_streams").where({ consumer }).whereIn("actor_stream", free).delete();
    return free;
  }
}

/** What a letter's row holds. Of one that cannot be read the stream and the version are left: its owner knows the rest. */
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

const failedStreamOf = ({ state, attempts, charged, releases, next_at, error }: ParkedRow): FailedStream => ({
  state,
  attempts,
  charged,
  releases,
  nextAt: Number(next_at),
  error,
});
type ParkedRow = Omit<FailedStream, "nextAt"> & { readonly next_at: number | string };

interface CheckpointRow {
  cursor: string;
  mark?: string | null;
  stopped?: string | null;
  passes_over?: number | null;
  revision: number | string;
  events: number | string;
}
