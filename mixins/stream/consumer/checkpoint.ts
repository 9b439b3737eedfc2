// A consumer's checkpoint in one owner's log, on one node: the cursor after the last event that it has handled of the partitions
// that the node holds, and the last version of each stream. Guards P4 (each event exactly once): both lie in the consumer's
// own database and move in the transaction of the effects, by a conditional update on the revisions. Of two consumers of one
// name at the same time, the second finds the revisions moved and rolls back.
//
// Each partition has a row with a cursor and a revision of its own, so that it can go to another node. A node reads all of its
// partitions at once, from the least of their cursors. A transaction moves the rows of the partitions that it has handled
// events of, which is what another node would handle too; the others are moved to the same cursor now and then, since
// nothing of theirs lies before it.
import type { Knex } from "knex";
import { inChunks, rfc3339 } from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";
import { keptMark, markIn, stoppedOf, type CursorFault, type Stopped } from "../log/identity.ts";
import { isAtOrPast, type Cursor, type LogEvent } from "../log/source.ts";
import type { Gate } from "./gate.ts";
import { partitionName, partitionOf, presentRows, reachedBy, WHOLE } from "../sharing/partitions.ts";

const limits = {
  /** Streams whose last version is kept in memory. A miss costs a query; 50 000 cost about 10 MB. */
  versionsCached: 50_000,
  /** Events after which the row of a partition without any of them moves too. */
  behindEvents: 1_000,
  /** Milliseconds without an event after which none of them stays there. */
  idleMs: 100,
  /** Milliseconds between two moves of the row that is kept for a roll-back. */
  wholeMs: 5_000,
};

export interface CheckpointKey {
  readonly consumer: string;
  readonly source: string;
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
  /** Streams that the transaction handles beside those, from dead letters. */
  readonly retried?: readonly string[];
}

/** Another consumer of the same name has committed since the checkpoint was read: this one rolls back. */
export class Superseded extends Error {
  constructor({ consumer, source }: CheckpointKey) {
    super(`another ${consumer} moved the checkpoint on ${source}`);
  }
}

/** `loan.42`: the stream in which an event's version counts. */
export const streamOf = (event: Pick<LogEvent, "actor" | "stream">): string => `${event.actor}.${event.stream}`;

/** The row of a partition, as it was read or written last. */
interface Row {
  readonly name: string;
  cursor: Cursor;
  mark: string | undefined;
  revision: number;
}

export interface CheckpointOptions {
  readonly database: Database;
  readonly key: CheckpointKey;
  readonly gate: Gate;
  /** The partitions that the node holds, and how many there are. */
  readonly partitions: ReadonlySet<number>;
  readonly count: number;
  /** Milliseconds for which the row of a partition without events may stay where it was. */
  readonly behindMs: number;
}

export class Checkpoint {
  readonly key: CheckpointKey;
  readonly partitions: ReadonlySet<number>;
  /** Everything of the partitions up to it is handled. */
  cursor: Cursor;
  mark: string | undefined;
  /** Why the consumer has stopped: its cursor is not in the log. */
  stopped: Stopped | undefined;
  /** An operator has sent these partitions to the head of the log: they are to pass over the events that the log has. */
  readonly passesOver: ReadonlySet<number>;
  readonly #options: CheckpointOptions;
  readonly #rows: ReadonlyMap<number, Row>;
  /** Rows whose cursors were past that of the checkpoint when it began, and still are. */
  readonly #ahead: Set<Row>;
  readonly #versions = new Map<string, number>();
  /** The rows that the transaction at hand moves. */
  #moving: readonly Row[] = [];
  /** Events handled since all rows were moved, and when that was; monotonic. */
  #behindEvents = 0;
  #movedAllAt = performance.now();
  #handledAt = -Infinity;
  #movedWholeAt = -Infinity;

  private constructor(options: CheckpointOptions, rows: readonly CheckpointRow[]) {
    const { key, partitions, count } = options;
    this.#options = options;
    this.key = key;
    this.partitions = partitions;
    this.cursor = reachedBy(rows);
    const at = rows.find(row => row.cursor === this.cursor);
    this.mark = at && markIn(at);
    this.stopped = rows.map(stoppedOf).find(stopped => stopped !== undefined);
    const byName = new Map(rows.map(row => [row.partition, row]));
    const own = [...partitions].map((partition): [number, CheckpointRow] => [
      partition,
      byName.get(partitionName(partition, count))!,
    ]);
    this.passesOver = new Set(own.filter(([, row]) => row.passes_over === 1).map(([partition]) => partition));
    this.#rows = new Map(own.map(([partition, row]) => [partition, rowOf(row)]));
    this.#ahead = new Set([...this.#rows.values()].filter(row => !isAtOrPast(this.cursor, row.cursor)));
  }

  /**
   * Reads the rows of the partitions, which the gate has made.
   * @throws Superseded if one of them is gone
   */
  static async read(options: CheckpointOptions): Promise<Checkpoint> {
    const { database, key, partitions, count } = options;
    const names = [...partitions].map(partition => partitionName(partition, count));
    const rows: CheckpointRow[] = await database.knex("checkpoints").where(key).whereIn("partition", names);
    if (rows.length < names.length) throw new Superseded(key);
    return new Checkpoint(options, rows);
  }

  /** The places of the partitions, each once. All of them have to be in the log. */
  places(): { readonly cursor: Cursor; readonly mark: string | undefined }[] {
    const rows = [...this.#rows.values()];
    const places = new Map(rows.map(({ cursor, mark }) => [`${cursor} ${mark}`, { cursor, mark }]));
    return [...places.values()];
  }

  /**
   * Last version handled of each stream. Kept in memory between commits: another consumer that moves them moves the
   * checkpoint too, and then our next commit fails.
   */
  async versions(streams: ReadonlySet<string>): Promise<ReadonlyMap<string, number>> {
    const unknown = [...streams].filter(stream => !this.#versions.has(stream));
    for (const some of inChunks(unknown)) {
      const rows = await this.#options.database
        .knex("consumer_versions")
        .select("actor_stream", "version")
        .where("consumer", this.key.consumer)
        .whereIn("actor_stream", some);
      for (const { actor_stream, version } of rows) this.#versions.set(actor_stream, version);
    }
    return this.#versions;
  }

  /**
   * Moves the checkpoint, in the transaction of the effects. What was read before of the streams that it handles is still
   * true exactly if the revisions of their partitions are still ours: a second consumer at the same time finds them moved.
   * @throws Superseded
   */
  async move(trx: Knex.Transaction, step: Step): Promise<void> {
    const { versions, fresh, retried = [] } = step;
    const isAllDue =
      this.#behindEvents + fresh.length >= limits.behindEvents ||
      performance.now() - this.#movedAllAt >= this.#options.behindMs;
    const touched = this.#partitionsOf([...versions.keys(), ...retried]);
    this.#moving = [...this.#rows].filter(([partition]) => isAllDue || touched.has(partition)).map(([, row]) => row);
    await this.#update(trx, this.#moving, step);
    await this.#writeVersions(trx, versions);
  }

  /** The transaction of `move` has committed. */
  moved(step: Step): void {
    this.#handledAt = performance.now();
    this.passTo(step.to, step.mark);
    this.#behindEvents += step.fresh.length;
    this.#updated(this.#moving, step);
    for (const [stream, version] of step.versions) this.#versions.set(stream, version);
    for (const stream of this.#versions.keys()) {
      if (this.#versions.size <= limits.versionsCached) break;
      this.#versions.delete(stream);
    }
  }

  /** Passes over events that were handled before, or are of partitions of other nodes. */
  passTo(cursor: Cursor, mark: string | undefined): void {
    this.cursor = cursor;
    this.mark = mark;
  }

  /**
   * Moves the rows that have stayed behind: when nothing comes for them, and at once (`isLast`) before partitions go to
   * another node.
   * @throws Superseded
   */
  async moveAll(isLast = false): Promise<void> {
    const now = performance.now();
    const isDue = now - this.#handledAt >= limits.idleMs || now - this.#movedAllAt >= this.#options.behindMs;
    const rows = [...this.#rows.values()].filter(row => row.cursor !== this.cursor && !this.#ahead.has(row));
    if (rows.length > 0 && (isLast || isDue)) {
      const step = { to: this.cursor, mark: this.mark, versions: new Map<string, number>(), fresh: [] };
      await this.#options.database.transaction(trx => this.#update(trx, rows, step));
      this.#updated(rows, step);
    }
    const isWholeDue = isLast || now - this.#movedWholeAt >= limits.wholeMs;
    if (isWholeDue && this.#rows.has(0)) await this.#moveWhole();
  }

  /** Notes in the rows that a cursor is not in the log, unless another consumer has moved them meanwhile. */
  async stop(fault: CursorFault): Promise<void> {
    const { knex } = this.#options.database;
    this.stopped = { ...fault, at: this.stopped?.at ?? rfc3339(await this.#options.database.now()) };
    await this.#matching(knex, [...this.#rows.values()]).update({ stopped: JSON.stringify(this.stopped) });
  }

  /** Notes in the rows that the cursors are in the log again. */
  async goOn(): Promise<void> {
    await this.#matching(this.#options.database.knex, [...this.#rows.values()]).update({ stopped: null });
    this.stopped = undefined;
  }

  /**
   * Moves the partitions in `passesOver` to the head of the log, with the versions of their streams: none of the events is
   * handled. The checkpoint is of no use afterwards.
   */
  async passOver(step: Step): Promise<void> {
    const rows = [...this.passesOver].map(partition => this.#rows.get(partition)!);
    await this.#options.database.transaction(async trx => {
      this.#ahead.clear();
      await this.#update(trx, rows, step, { passes_over: null });
      await this.#writeVersions(trx, step.versions);
    });
  }

  // ---- rows

  #partitionsOf(streams: readonly string[]): Set<number> {
    return new Set(streams.map(stream => partitionOf(stream, this.#options.count)));
  }

  #matching(knex: Knex, rows: readonly Row[]): Knex.QueryBuilder {
    return knex("checkpoints")
      .where(this.key)
      .where(any => {
        for (const { name: partition, revision } of rows) void any.orWhere({ partition, revision });
      });
  }

  /** A row that is past the step keeps its cursor: its revision alone moves. */
  async #update(
    trx: Knex.Transaction,
    rows: readonly Row[],
    { to, mark, fresh }: Step,
    more: object = {},
  ): Promise<void> {
    for (const row of this.#ahead) if (isAtOrPast(to, row.cursor)) this.#ahead.delete(row);
    const handled = this.#handled(fresh);
    const last = fresh.at(-1);
    const updates = [
      { rows: rows.filter(row => !this.#ahead.has(row)), place: { cursor: to, mark } },
      ...rows.filter(row => this.#ahead.has(row)).map(row => ({ rows: [row], place: row })),
    ];
    for (const { rows: some, place } of updates.filter(update => update.rows.length > 0)) {
      const statement = this.#matching(trx, some);
      this.#options.gate.isOurs(trx, statement);
      const moved = await statement.update({
        cursor: place.cursor,
        // As keptMark writes it, for the revision of each row.
        mark: place.mark === undefined ? null : trx.raw("cast(revision + 1 as text) || ' ' || ?", [place.mark]),
        revision: trx.raw("revision + 1"),
        ...(handled.size > 0 && { events: sumIn(trx, handled), event_at: last!.at }),
        ...more,
      });
      if (moved < some.length) throw new Superseded(this.key);
    }
  }

  /** The transaction of `#update` has committed. */
  #updated(rows: readonly Row[], { to, mark }: Step): void {
    for (const row of rows) {
      row.revision++;
      if (!this.#ahead.has(row)) [row.cursor, row.mark] = [to, mark];
    }
    if (![...this.#rows.values()].every(row => row.cursor === to || this.#ahead.has(row))) return;
    this.#behindEvents = 0;
    this.#movedAllAt = performance.now();
  }

  /** How many of the events are in each partition, by its name. */
  #handled(events: readonly LogEvent[]): Map<string, number> {
    const { count } = this.#options;
    const counts = new Map<string, number>();
    for (const event of events) {
      const name = partitionName(partitionOf(streamOf(event), count), count);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  }

  async #writeVersions(trx: Knex.Transaction, versions: ReadonlyMap<string, number>): Promise<void> {
    const { consumer } = this.key;
    await this.#options.database.upsert(trx, {
      table: "consumer_versions",
      columns: ["consumer", "actor_stream", "version"],
      keys: ["consumer", "actor_stream"],
      rows: [...versions].map(([stream, version]) => [consumer, stream, version]),
      isBookkeeping: true,
    });
  }

  /** Moves the row that is kept for a roll-back to where all partitions have come, those of other nodes too. */
  async #moveWhole(): Promise<void> {
    const { database, gate } = this.#options;
    this.#movedWholeAt = performance.now();
    const rows: CheckpointRow[] = await database.knex("checkpoints").where(this.key);
    const whole = rows.find(row => row.partition === WHOLE);
    const present = presentRows(rows);
    const cursor = reachedBy(present);
    if (!whole || (whole.cursor === cursor && whole.passes_over === null)) return;
    const revision = Number(whole.revision);
    const at = present.find(row => row.cursor === cursor);
    const statement = database.knex("checkpoints").where({ ...this.key, partition: WHOLE, revision });
    gate.isOurs(database.knex, statement);
    await statement.update({
      cursor,
      mark: keptMark(at && markIn(at), revision + 1),
      revision: revision + 1,
      events: present.reduce((sum, row) => sum + Number(row.events), 0),
      passes_over: present.some(row => row.passes_over === 1) ? 1 : null,
    });
  }
}

const rowOf = (row: CheckpointRow): Row => ({
  name: row.partition,
  cursor: row.cursor,
  mark: markIn(row),
  revision: Number(row.revision),
});

/** `events` and the number for the partition of the row. */
function sumIn(knex: Knex, counts: ReadonlyMap<string, number>): Knex.Raw {
  const cases = [...counts].map(() => "when ? then cast(? as integer)").join(" ");
  return knex.raw(`events + case "partition" ${cases} else 0 end`, [...counts].flat());
}

/** Deletes all that is kept of a consumer that will not come back, in the transaction that removes its rows. */
export async function forgetConsumer(trx: Knex.Transaction, name: string): Promise<void> {
  for (const table of ["checkpoints", "consumer_versions", "parked_streams", "dead_letters"])
    await trx(table).where({ consumer: name }).delete();
  await trx("leases").where("name", ">=", `${name}/`).where("name", "<", `${name}0`).delete();
}

/** A row of the table. */
export interface CheckpointRow {
  readonly consumer: string;
  readonly source: string;
  readonly partition: string;
  readonly cursor: string;
  readonly mark: string | null;
  readonly stopped: string | null;
  readonly passes_over: number | null;
  readonly revision: number | string;
  readonly events: number | string;
  readonly event_at: string | null;
}
