// Search and sorting of a table by folded text: words in an index, and a folded copy of the fields to sort by.
//
// A change of a searched field leaves a mark, by a trigger: also the change of a node of the release before, which
// knows nothing of the index, and of a statement by hand. Our own writes complete the index for their rows and take
// their marks away in the same transaction; a read that needs the index completes the rows that are still marked first.
// So no change is lost:
//
//   1. mark    in the transaction that changes a row, one for each change
//   2. lock    the completing transaction locks the rows first, in the order of their ids, and so reads committed values
//   3. write   words and folded fields
//   4. unmark  only then: a change before the lock has been read, one after it leaves a new mark
import type { Knex } from "knex";
import type { Database, Migration } from "../../database/index.ts";
import { foldedText } from "../../kernel/index.ts";
import { isPostgres, limits as wordLimits, wordIndexOf, wordsOf } from "./word-index.ts";

export interface Searched {
  /** Fields of text to search in, the weightiest first; at most four. */
  readonly fields: readonly string[];
  /** The fields among them that are sorted as people sort; the first decides between rows of one rank. */
  readonly sorted: readonly string[];
}

interface Place {
  readonly table: string;
  readonly idField: string;
  readonly search: Searched;
}

const limits = {
  /** Rows completed in one transaction. */
  batchRows: 100,
  /** Characters of a folded copy: an index of Postgres takes no value of 2.7 kB. */
  foldedMax: 200,
} as const;

/** `display_name_folded` is the sort key of `displayName`. */
export const foldedColumn = (column: string): string => `${column}_folded`;
const columnOf = (field: string): string => field.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
const marksOf = (table: string): string => `${table}_changed`;

/** The step that makes the index of a table that is there, and fills it. */
export const searchMigration = (name: string, place: Place): Migration => ({
  name,
  async up(knex) {
    const { table, search } = place;
    await knex.schema.alterTable(table, columns => {
      for (const field of search.sorted) void columns.string(foldedColumn(columnOf(field)), limits.foldedMax).index();
    });
    await knex.schema.createTable(marksOf(table), columns => {
      columns.bigIncrements("n");
      columns.string("id").notNullable().index();
    });
    await wordIndexOf(knex, table, search.fields.length).create(knex);
    for (const sql of triggers(knex, place)) await knex.raw(sql);
    await knex.raw(`insert into ${marksOf(table)} (id) select ${columnOf(place.idField)} from ${table}`);
    const index = new SearchIndex(place);
    while (await index.completeSome(knex));
  },
});

function triggers(knex: Knex, { table, idField, search }: Place): string[] {
  const [marks, id] = [marksOf(table), columnOf(idField)];
  const changes = {
    insert: "insert",
    update: `update of ${[...new Set([id, ...search.fields.map(columnOf)])].join(", ")}`,
    delete: "delete",
  };
  if (!isPostgres(knex))
    return Object.entries(changes).map(
      ([name, change]) => `create trigger ${marks}_${name} after ${change} on ${table} begin
        insert into ${marks} (id) values (${name === "delete" ? "old" : "new"}.${id}); end`,
    );
  return [
    `create function ${marks}() returns trigger language plpgsql as $$ begin
       if tg_op = 'DELETE' then insert into ${marks} (id) values (old.${id});
       else insert into ${marks} (id) values (new.${id}); end if;
       return null; end $$`,
    `create trigger ${marks} after ${Object.values(changes).join(" or ")} on ${table}
       for each row execute function ${marks}()`,
  ];
}

export class SearchIndex {
  readonly #place: Place;
  readonly #marks: string;
  readonly #id: string;

  constructor(place: Place) {
    if (place.search.fields.length > wordLimits.fieldsMax)
      throw new Error(`${place.table}: at most ${wordLimits.fieldsMax} fields can be searched`);
    this.#place = place;
    this.#marks = marksOf(place.table);
    this.#id = columnOf(place.idField);
  }

  /** The column by which a field is sorted as people sort; undefined for other fields. */
  sortedBy(name: string): string | undefined {
    return this.#place.search.sorted.includes(name) ? foldedColumn(columnOf(name)) : undefined;
  }

  /**
   * Narrows a query down to the rows that hold all words of the text, however it is written, in any order, each at least
   * as the beginning of one; `found_rank` then says how well. A text without a letter or digit finds nothing.
   */
  narrow(rows: Knex.QueryBuilder, knex: Knex, text: string): void {
    const { table, search } = this.#place;
    const words = [...new Set(wordsOf(text))].slice(0, wordLimits.searchWordsMax);
    void rows.select(`${table}.*`, "found_weight");
    if (words.length === 0) {
      void rows.joinRaw("cross join (select 0 as found_rank, 0 as found_weight) found").whereRaw("1 = 0");
      return;
    }
    const found = wordIndexOf(knex, table, search.fields.length).found(knex, words);
    void rows.joinRaw(`join (?) found on found.found_id = ${table}.${this.#id}`, [found]);
  }

  /** The best first, then by the first sorted field. */
  byRank(rows: Knex.QueryBuilder): void {
    void rows.orderBy("found_rank", "desc");
    const [first] = this.#place.search.sorted;
    if (first !== undefined) void rows.orderBy(foldedColumn(columnOf(first)));
  }

  /** The field that decides between rows of one weight. */
  get first(): string | undefined {
    return this.#place.search.sorted[0];
  }

  /** Completes the rows in the transaction that has written them. */
  async complete(trx: Knex, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const { table, search } = this.#place;
    const rows: Record<string, string>[] = await trx(table).whereIn(this.#id, ids).orderBy(this.#id).forUpdate();
    const entries = rows.map(row => ({
      id: row[this.#id]!,
      fields: search.fields.map(field => wordsOf(row[columnOf(field)] ?? "")),
    }));
    const there = new Set(entries.map(({ id }) => id));
    await wordIndexOf(trx, table, search.fields.length).write(
      trx,
      entries,
      ids.filter(id => !there.has(id)),
    );
    if (search.sorted.length > 0)
      for (const row of rows) {
        const folded = search.sorted.map(field => [foldedColumn(columnOf(field)), foldedFor(row[columnOf(field)])]);
        await trx(table).where(this.#id, row[this.#id]!).update(Object.fromEntries(folded));
      }
    await trx(this.#marks).whereIn("id", ids).del();
  }

  /** Completes rows that others have changed. Answers whether there were any. */
  async catchUp(database: Database, reads: Knex): Promise<boolean> {
    if (!(await reads(this.#marks).first("n"))) return false;
    // Readers that find the same marks take turns, and all but the first find no mark left.
    const some = () => database.transaction(trx => this.completeSome(trx), { lock: this.#marks });
    while (await some());
    return true;
  }

  /** Answers whether there may be more. */
  async completeSome(trx: Knex): Promise<boolean> {
    const ids: string[] = await trx(this.#marks).distinct("id").orderBy("id").limit(limits.batchRows).pluck("id");
    await this.complete(trx, ids);
    return ids.length === limits.batchRows;
  }
}

const foldedFor = (text: string | null | undefined): string | null =>
  text === null || text === undefined ? null : Array.from(foldedText(text)).slice(0, limits.foldedMax).join("");
