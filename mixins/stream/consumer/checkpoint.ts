// A consumer's checkpoint in one partition: the cursor after the last event that it has handled, and the last version of
// each stream. Guards P4 (each event exactly once): both lie in the consumer's own database and move in the transaction of
// the effects, by a conditional update on the revision. Of two consumers of one name at the same time, the second finds
// the revision moved and rolls back.
import type { Knex } from "knex";
import { inChunks, rfc3339 } from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";
import { keptMark, markIn, stoppedOf, type CursorFault, type Stopped } from "../log/identity.ts";
import type { Cursor, LogEvent } from "../log/source.ts";

/** Streams whose last version is kept in memory. A miss costs a query; 50 000 cost about 10 MB. */
const VERSIONS_CACHED = 50_000;

export interface CheckpointKey {
  readonly consumer: string;
  readonly source: string;
  readonly partition: string;
}

/** One move of the checkpoint. */
export interface Step {
  readonly to: Cursor;
  /** The mark that came with the cursor. */
  readonly mark: string | undefined;
  /** The last version of each stream after it. */
  readonly versions: ReadonlyMap<string, number>;
  /** The events between, in order. */
  readonly fresh: readonly LogEvent[];
}

/** Another consumer of the same name has committed since the checkpoint was read: this one rolls back. */
export class Superseded extends Error {
  constructor({ consumer, source }: CheckpointKey) {
    super(`another ${consumer} moved the checkpoint on ${source}`);
  }
}

/** `loan.42`: the stream in which an event's version counts. */
export const streamOf = (event: Pick<LogEvent, "actor" | "stream">): string => `${event.actor}.${event.stream}`;

export class Checkpoint {
  readonly key: CheckpointKey;
  cursor: Cursor;
  mark: string | undefined;
  events: number;
  /** Why the consumer has stopped: its cursor is not in the log. */
  stopped: Stopped | undefined;
  /** An operator has sent the consumer to the head of the log: it is to pass over the events that the log has. */
  readonly passesOver: boolean;
  readonly #database: Database;
  readonly #versions = new Map<string, number>();
  #revision: number;

  private constructor(database: Database, key: CheckpointKey, row: CheckpointRow) {
    this.#database = database;
    this.key = key;
    this.cursor = row.cursor;
    this.mark = markIn(row);
    this.stopped = stoppedOf(row);
    this.passesOver = row.passes_over === 1;
    this.events = Number(row.events);
    this.#revision = Number(row.revision);
  }

  /** Reads the row. A new consumer gets one at the start of the log. */
  static async read(database: Database, key: CheckpointKey): Promise<Checkpoint> {
    const { knex } = database;
    const start = { ...key, cursor: "", revision: 0, events: 0 };
    await knex("checkpoints").insert(start).onConflict(["consumer", "source", "partition"]).ignore();
    return new Checkpoint(database, key, await knex("checkpoints").where(key).first());
  }

  /**
   * Last version handled of each stream. Kept in memory between commits: another consumer that moves them moves the
   * checkpoint too, and then our next commit fails.
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
  async move(trx: Knex.Transaction, { to, mark, versions, fresh }: Step): Promise<void> {
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
      rows: [...versions].map(([stream, version]) => [consumer, stream, version]),
    });
  }

  /** The transaction of `move` has committed. */
  moved({ to, mark, versions, fresh }: Step): void {
    this.#revision++;
    this.events += fresh.length;
    this.cursor = to;
    this.mark = mark;
    for (const [stream, version] of versions) this.#versions.set(stream, version);
    for (const stream of this.#versions.keys()) {
      if (this.#versions.size <= VERSIONS_CACHED) break;
      this.#versions.delete(stream);
    }
  }

  /** Notes in the row that the cursor is not in the log, unless another consumer has moved the row meanwhile. */
  async stop(fault: CursorFault): Promise<void> {
    this.stopped = { ...fault, at: this.stopped?.at ?? rfc3339(await this.#database.now()) };
    await this.#own().update({ stopped: JSON.stringify(this.stopped) });
  }

  /** Notes in the row that the cursor is in the log again. */
  async goOn(): Promise<void> {
    await this.#own().update({ stopped: null });
    this.stopped = undefined;
  }

  /** Moves to the head of the log in one transaction with the versions of its streams: none of the events is handled. */
  async passOver(trx: Knex.Transaction, step: Step): Promise<void> {
    await this.move(trx, step);
    await trx("checkpoints").where(this.key).update({ passes_over: null });
  }

  #own(): Knex.QueryBuilder {
    return this.#database.knex("checkpoints").where({ ...this.key, revision: this.#revision });
  }
}

/** Deletes all that is kept of a consumer that will not come back, in the transaction that removes its rows. */
export async function forgetConsumer(trx: Knex.Transaction, name: string): Promise<void> {
  for (const table of ["checkpoints", "consumer_versions", "parked_streams", "dead_letters"])
    await trx(table).where({ consumer: name }).delete();
}

interface CheckpointRow {
  cursor: string;
  mark?: string | null;
  stopped?: string | null;
  passes_over?: number | null;
  revision: number | string;
  events: number | string;
}
