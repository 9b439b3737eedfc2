import type { WordIndex } from "../word-index.ts";

const LETTERS = ["A", "B", "C", "D"];
/** Weight of a word by its field's letter; Postgres wants D first. */
const WEIGHTS = "{0.015,0.05,0.3,1}";
/** Steps of a whole weight. A rank of Postgres is a fraction of six digits, of the row alone; whole, yet no integer, which would refuse a larger number in a cursor. */
const STEPS = 1_000_000;
/** The last place in a text that Postgres tells from others. */
const PLACE_MAX = 16_383;

/** Postgres's text search, without its parser and dictionaries: those differ between servers. */
export function tsvectorIndex(table: string): WordIndex {
  const words = `${table}_words`;
  return {
    async create(knex) {
      await knex.schema.createTable(words, table => {
        table.string("id").primary();
        table.specificType("words", "tsvector").notNullable();
        table.index(["words"], undefined, "gin");
      });
    },
    async write(trx, entries, gone) {
      if (gone.length > 0) await trx(words).whereIn("id", gone).del();
      if (entries.length === 0) return;
      const rows = entries.map(({ id, fields }) => ({ id, words: trx.raw("?::tsvector", [vectorOf(fields)]) }));
      await trx(words).insert(rows).onConflict("id").merge(["words"]);
    },
    found: (knex, asked) =>
      knex.raw(
        `select found_id, found_rank, round(found_rank * ${STEPS}) as found_weight from (
           select id as found_id, ts_rank('${WEIGHTS}', words, beginnings) + ts_rank('${WEIGHTS}', words, whole) as found_rank
           from ${words}, (select ?::tsquery as beginnings, ?::tsquery as whole) asked where words @@ beginnings) ranked`,
        [asked.map(word => `'${word}':*`).join(" & "), asked.map(word => `'${word}'`).join(" | ")],
      ),
  };
}

/** `'oat':1A 'mug':2A`: words with their places and weights. */
function vectorOf(fields: readonly (readonly string[])[]): string {
  let place = 0;
  return fields
    .flatMap((words, field) => words.map(word => `'${word}':${Math.min(++place, PLACE_MAX)}${LETTERS[field]}`))
    .join(" ");
}
