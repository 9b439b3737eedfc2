// The words of a table's rows, as a database finds and ranks them. The same on every database by the suite beside it.
import type { Knex } from "knex";
import { foldedText } from "../../kernel/index.ts";
import { ftsIndex } from "./dialects/fts5.ts";
import { tsvectorIndex } from "./dialects/tsvector.ts";

/** A row's words by field, the weightiest field first. */
export interface Entry {
  readonly id: string;
  readonly fields: readonly (readonly string[])[];
}

/** Where the words lie. Words reach it as letters and digits only: nothing in them is syntax to a database. */
export interface WordIndex {
  /** Makes its tables. */
  create(knex: Knex): Promise<void>;
  /** Writes the entries anew, and removes those of rows that are gone. */
  write(trx: Knex, entries: readonly Entry[], gone: readonly string[]): Promise<void>;
  /**
   * Rows that hold, for each of the words, one that begins so: their `found_id`, and `found_rank`, which is the higher
   * the weightier the fields are, and higher for a whole word than for its beginning. `found_weight` is the part of it
   * that depends on the row alone, as a whole number: it stays while other rows come and go, so that a page can begin
   * after it.
   */
  found(knex: Knex, words: readonly string[]): Knex.Raw;
}

/** The index of SQLite (FTS5) or Postgres (tsvector), for so many fields. */
export const wordIndexOf = (knex: Knex, table: string, fields: number): WordIndex =>
  isPostgres(knex) ? tsvectorIndex(table) : ftsIndex(table, fields);

export const isPostgres = ({ client }: Knex): boolean => (client as { dialect: string }).dialect === "postgresql";

export const limits = {
  /** Fields that differ in weight: Postgres has four. */
  fieldsMax: 4,
  /** Words of one search. A search has 100 characters; folded, one may be twenty. */
  searchWordsMax: 16,
} as const;

/** Scripts that have no blanks between words: each character counts as one. */
const SINGLE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/gu;
/** Longer ones come in pieces, in an entry and in a search alike: an index takes no word of 2 kB. */
const WORD = /[\p{L}\p{N}]{1,64}/gu;

/** The words of a text in their order, folded. */
export const wordsOf = (text: string): string[] => foldedText(text).replaceAll(SINGLE, " $& ").match(WORD) ?? [];
