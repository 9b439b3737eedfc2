// How far a log has been published: a row of the whole log, and one for each partition where nodes share the publishing. The
// rows lie in the owner's own database and move by conditional updates, after the carrier's server has stored the events. So a
// node that was paused and overtaken sets nothing back.
//
// Everything before the whole log's place has been published. Publishing by one node alone, as a release does that knows no
// partitions, moves only that one; nodes that share keep it where the slowest partition is, for when the number of partitions
// changes, or a node of such a release takes over.
import type { Database } from "../../database/index.ts";
import { leastPlace, type Place } from "../log/places.ts";
import { isAtOrPast, type Cursor } from "../log/source.ts";
import { partitionIn, partitionName, partitionNames } from "../sharing/partitions.ts";

/** Where each of some partitions is, as the node has found or left it; undefined for one without a row. */
export type Found = Map<number, Cursor | undefined>;

export class Published {
  readonly #database: Database;
  readonly #source: string;
  readonly #count: number;

  /** `count`: number of partitions. */
  constructor(database: Database, source: string, count: number) {
    this.#database = database;
    this.#source = source;
    this.#count = count;
  }

  async whole(): Promise<Place> {
    const row = await this.#database.knex("relays").where({ source: this.#source }).first();
    // A relay of an older release moves the cursor and leaves the mark, which is then one of another cursor.
    const isOfCursor = row.mark?.startsWith(`${row.cursor} `);
    return { cursor: row.cursor, mark: isOfCursor ? row.mark.slice(row.cursor.length + 1) : undefined };
  }

  /** The place of each partition; where its row is behind the whole log's place, or missing, that one. */
  async places(): Promise<Map<number, Place>> {
    const whole = await this.whole();
    const rows = new Map((await this.#rows()).map(row => [row.partition, row]));
    const names = partitionNames(this.#count);
    return new Map(
      names.map(name => {
        const { cursor, mark } = rows.get(name) ?? { cursor: "", mark: null };
        const place = { cursor, mark: mark ?? undefined };
        return [partitionIn(name, this.#count), isAtOrPast(cursor, whole.cursor) ? place : whole];
      }),
    );
  }

  /** Where the rows of partitions are. */
  async found(partitions: ReadonlySet<number>): Promise<Found> {
    const rows = new Map((await this.#rows()).map(row => [row.partition, row.cursor]));
    return new Map([...partitions].map(partition => [partition, rows.get(partitionName(partition, this.#count))]));
  }

  /** Moves partitions to a place, and `found` with them. Answers whether no other node has moved any of them before. */
  async move(found: Found, { cursor, mark = undefined }: Place): Promise<boolean> {
    const { knex } = this.#database;
    const moved = { cursor, mark: mark ?? null };
    for (const [from, own] of Map.groupBy(found.keys(), partition => found.get(partition))) {
      if (from === cursor) continue;
      const names = own.map(partition => partitionName(partition, this.#count));
      const rows = names.map(partition => ({ source: this.#source, partition, ...moved }));
      const count =
        from === undefined
          ? (
              await knex("relay_partitions")
                .insert(rows)
                .onConflict(["source", "partition"])
                .ignore()
                .returning("partition")
            ).length
          : await knex("relay_partitions")
              .where({ source: this.#source, cursor: from })
              .whereIn("partition", names)
              .update(moved);
      if (count < own.length) return false;
      for (const partition of own) found.set(partition, cursor);
    }
    return true;
  }

  /** Moves the whole log's place from a cursor. Answers whether no other node has moved it before. */
  async moveWhole(from: Cursor, { cursor, mark }: Place): Promise<boolean> {
    const own = { source: this.#source, cursor: from };
    const moved = { cursor, mark: mark === undefined ? null : `${cursor} ${mark}` };
    return (await this.#database.knex("relays").where(own).update(moved)) > 0;
  }

  /** Moves the whole log's place to where the slowest partition is, and answers it. */
  async follow(): Promise<Cursor> {
    const rows = await this.#rows();
    const whole = await this.whole();
    if (rows.length < this.#count) return whole.cursor;
    const least = leastPlace(rows.map(({ cursor, mark }) => ({ cursor, mark: mark ?? undefined })));
    if (least.cursor === whole.cursor || !isAtOrPast(least.cursor, whole.cursor)) return whole.cursor;
    return (await this.moveWhole(whole.cursor, least)) ? least.cursor : whole.cursor;
  }

  #rows(): Promise<{ partition: string; cursor: Cursor; mark: string | null }[]> {
    return this.#database
      .knex("relay_partitions")
      .where({ source: this.#source })
      .whereIn("partition", partitionNames(this.#count))
      .select("partition", "cursor", "mark");
  }
}
