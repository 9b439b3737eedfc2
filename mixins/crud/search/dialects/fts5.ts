import type { Knex } from "knex";
import type { WordIndex } from "../word-index.ts";

/** Weight of a word by its field's place, and the part of it that a whole word adds. */
const WEIGHTS = [20, 6, 1, 0.3];
const WHOLE = 0.5;
/** Words of a search that rank: each is looked up in every field, and a letter is the beginning of half of all rows' words. */
const RANKED_WORDS = 4;
/**
 * Factor of FTS5's own rank (how often the words come, how rare they are, how long the texts are), which decides
 * between rows of one weight.
 */
const BM25 = 0.001;
/** Steps of a whole weight: sums of fractions differ in their last digit by the order of the addends. */
const STEPS = 1_000;

/** SQLite's FTS5. It numbers its rows itself; a second table knows which row of ours a number is. */
export function ftsIndex(table: string, fields: number): WordIndex {
  const [words, rows] = [`${table}_words`, `${table}_words_rows`];
  const columns = Array.from({ length: fields }, (_, n) => `c${n}`);
  const numbered = (knex: Knex, ids: readonly string[]): Knex.QueryBuilder => knex(rows).whereIn("id", [...ids]);

  return {
    async create(knex) {
      await knex.schema.createTable(rows, table => {
        table.increments("n");
        table.string("id").notNullable().unique();
      });
      // Words come folded and apart: the tokenizer only has to leave them so. Without a copy of the text.
      await knex.raw(
        `create virtual table ${words} using fts5(${columns.join(", ")}, content='', contentless_delete=1,
           tokenize='unicode61 remove_diacritics 0')`,
      );
      await knex.raw(
        `insert into ${words}(${words}, rank) values ('rank', 'bm25(${WEIGHTS.slice(0, fields).join()})')`,
      );
    },
    async write(trx, entries, gone) {
      if (gone.length > 0) {
        await trx(words).whereIn("rowid", numbered(trx, gone).select("n")).del();
        await numbered(trx, gone).del();
      }
      for (const { id, fields } of entries) {
        await trx(rows).insert({ id }).onConflict("id").ignore();
        const [{ n }] = await numbered(trx, [id]).select("n");
        const row = Object.fromEntries(columns.map((column, at) => [column, fields[at]!.join(" ")]));
        await trx(words).where({ rowid: n }).del();
        await trx(words).insert({ rowid: n, ...row });
      }
    },
    found(knex, asked) {
      // bm25 alone is not enough: the weights of its fields saturate, and three words of a text outdo one of a name.
      const hits = columns.flatMap((column, at) =>
        asked.slice(0, RANKED_WORDS).flatMap(word => [
          { match: `${column} : "${word}"*`, weight: WEIGHTS[at]! },
          { match: `${column} : "${word}"`, weight: WEIGHTS[at]! * WHOLE },
        ]),
      );
      const all = hits
        .map(() => `select rowid as n, ? as weight from ${words} where ${words} match ?`)
        .join(" union all ");
      return knex.raw(
        `select r.id as found_id, h.weight - f.rank * ${BM25} as found_rank,
           cast(round(h.weight * ${STEPS}) as integer) as found_weight
         from (select n, sum(weight) as weight from (${all}) group by n) h
           join ${words} f on f.rowid = h.n join ${rows} r on r.n = h.n
         where f.${words} match ?`,
        [...hits.flatMap(({ match, weight }) => [weight, match]), asked.map(word => `"${word}"*`).join(" AND ")],
      );
    },
  };
}
