// The gate of a consumer in one owner's log: nodes that divide the log in different ways go through it in turn. It is the
// lease under which a release without partitions reads the whole log, `<consumer>/<source>/0`, so a node of such a release
// waits while nodes with partitions are there, and they wait for it. Nodes that count alike hold it together, under the name
// of their layout; so the number of partitions may change while nodes serve: those of the new number wait for the others to
// be gone.
//
// The nodes that come through after others make their own rows of the others', in one transaction with the gate:
//   - the row of the whole log gets another revision, so a node without partitions that was at work rolls back;
//   - rows of another number of partitions are deleted: their nodes roll back;
//   - the new rows begin where all of the old ones had come to. What some had handled beyond that comes again, and is ignored
//     by its versions.
// A node with partitions rolls back once the gate is another's: each of its transactions asks (`isOurs`), and makes whoever
// takes the gate wait for its end. So no two layouts ever handle one event.
import type { Knex } from "knex";
import type { Database } from "../../database/index.ts";
import { keptMark, markIn } from "../log/identity.ts";
import type { CheckpointRow } from "./checkpoint.ts";
import { isGone, isHeld } from "../sharing/lease.ts";
import { layoutName, partitionNames, presentRows, reachedBy, WHOLE } from "../sharing/partitions.ts";

export interface GateOptions {
  readonly database: Database;
  readonly consumer: string;
  readonly source: string;
  /** Number of partitions. */
  readonly count: number;
  readonly leaseMs: number;
}

/** Tries of one turn: another node of our layout may be taking it too. */
const TRIES = 3;

export class Gate {
  readonly name: string;
  readonly #options: GateOptions;
  readonly #holder: string;
  readonly #key: { readonly consumer: string; readonly source: string };

  constructor(options: GateOptions) {
    const { consumer, source, count } = options;
    this.#options = options;
    this.#key = { consumer, source };
    this.name = `${consumer}/${source}/${WHOLE}`;
    this.#holder = layoutName(count);
  }

  /** Whether our layout has the log. Takes it if no other has, and makes the rows that are missing. */
  async enter(): Promise<boolean> {
    for (let i = 0; i < TRIES; i++) {
      const entered = await this.#enter();
      if (entered !== undefined) return entered;
    }
    return false;
  }

  /** Narrows a statement of a transaction to when the gate is ours, and keeps it ours until the transaction ends. */
  isOurs(trx: Knex, statement: Knex.QueryBuilder): void {
    const gate = trx("leases").where({ name: this.name, holder: this.#holder }).forShare().select("name");
    void statement.whereExists(gate);
  }

  /** Undefined if another node was faster. */
  async #enter(): Promise<boolean | undefined> {
    const { database, leaseMs } = this.#options;
    const { knex } = database;
    const lease = await knex("leases").where({ name: this.name }).first();
    const now = await database.now();
    const isOurs = lease?.holder === this.#holder;
    const leftMs = Number(lease?.expires_at ?? 0) - now;
    if (lease && !isOurs && isHeld(leftMs, leaseMs) && !isGone(lease.holder)) return false;
    if (isOurs && leftMs > leaseMs / 2 && (await this.#hasRows())) return true;
    return database.transaction(async trx => {
      const held = { holder: this.#holder, expires_at: now + leaseMs };
      if (!lease) {
        const first = { name: this.name, epoch: 1, ...held };
        const made = await trx("leases").insert(first).onConflict("name").ignore().returning("name");
        if (made.length === 0) return undefined;
      } else {
        const { holder, epoch, expires_at } = lease;
        const seen = isOurs ? { holder } : { holder, epoch, expires_at };
        const taken = await trx("leases")
          .where({ name: this.name, ...seen })
          .update({ ...held, ...(!isOurs && { epoch: Number(epoch) + 1 }) });
        if (taken === 0) return undefined;
      }
      await this.#makeRows(trx, !isOurs);
      return true;
    });
  }

  async #hasRows(): Promise<boolean> {
    const names = partitionNames(this.#options.count);
    const rows = await this.#options.database
      .knex("checkpoints")
      .where(this.#key)
      .whereIn("partition", names)
      .select("partition");
    return rows.length === names.length;
  }

  async #makeRows(trx: Knex.Transaction, isNew: boolean): Promise<void> {
    const rows: CheckpointRow[] = await trx("checkpoints").where(this.#key).orderBy("partition").forUpdate();
    const names = partitionNames(this.#options.count);
    const present = new Set(rows.map(({ partition }) => partition));
    const missing = names.filter(name => !present.has(name));
    const others = rows.filter(({ partition }) => partition !== WHOLE && !names.includes(partition));
    if (!isNew && missing.length === 0) return;
    // Higher than any row has had, the deleted ones too: no node of theirs that wakes finds its own.
    const revision = Math.max(0, ...rows.map(row => Number(row.revision))) + 1;
    if (missing.length > 0) {
      const { events, ...begin } = startOf(others.length > 0 ? others : presentRows(rows), revision);
      await trx("checkpoints").insert(
        // The number of events that were handled is the sum of the rows.
        missing.map((partition, i) => {
          const isFirst = i === 0 && missing.length === names.length;
          return { ...this.#key, partition, ...begin, events: isFirst ? events : 0 };
        }),
      );
    }
    if (others.length > 0)
      await trx("checkpoints")
        .where(this.#key)
        .whereIn(
          "partition",
          others.map(({ partition }) => partition),
        )
        .delete();
    const whole = rows.find(({ partition }) => partition === WHOLE);
    if (whole)
      await trx("checkpoints")
        .where({ ...this.#key, partition: WHOLE })
        .update({ revision, mark: keptMark(markIn(whole), revision) });
    else await trx("checkpoints").insert({ ...this.#key, partition: WHOLE, cursor: "", revision, events: 0 });
  }
}

/** A row where all of these had come to. */
function startOf(rows: readonly CheckpointRow[], revision: number) {
  const cursor = reachedBy(rows);
  const at = rows.find(row => row.cursor === cursor);
  return {
    cursor,
    mark: keptMark(at && markIn(at), revision),
    revision,
    events: rows.reduce((sum, row) => sum + Number(row.events), 0),
    event_at:
      rows
        .map(row => row.event_at ?? "")
        .sort()
        .at(-1) || null,
    stopped: rows.find(row => row.stopped)?.stopped ?? null,
    passes_over: rows.some(row => row.passes_over === 1) ? 1 : null,
  };
}
