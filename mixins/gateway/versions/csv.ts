// A page of a list as CSV (RFC 4180): a line of names, then a line for each row. Fields of nested objects have names with
// dots between; a list within a row is one cell of JSON.
import { stringify } from "csv-stringify/sync";
import type { TSchema } from "typebox";
import { propertiesOf, type FieldTree } from "./fields.ts";

export const CSV = "text/csv";
/** RFC 4180, 3: `header=present` says that the first line has the names. */
export const csvTypeOf = (text: string): string =>
  `${CSV}; charset=utf-8; header=${text === "" ? "absent" : "present"}`;

type Row = Readonly<Record<string, unknown>>;

/**
 * The rows as CSV. The columns follow from the rows' schema, so that all pages of a list have the same; where the schema
 * leaves the fields open, the columns are those of the rows, and a list without rows is an empty text.
 */
export function csvOf(rows: readonly Row[], schema: TSchema | undefined, tree: FieldTree | undefined): string {
  const known = schema === undefined ? [] : columnsOf(schema);
  const all = known.length > 0 ? known : columnsIn(rows);
  const columns = tree ? all.filter(column => isAsked(column, tree)) : all;
  if (columns.length === 0) return "";
  const records = rows.map(row => columns.map(column => cellOf(valueAt(row, column))));
  const names = columns.map(column => plain(column.join(".")));
  // Every cell with a line break is quoted: the library quotes only its own line ends.
  return stringify([names, ...records], { record_delimiter: "windows", quoted_match: /[\r\n]/ });
}

/** A name for the file, from the path: `loans.csv`. */
export function fileNameOf(path: string, ending = "csv"): string {
  const parts = path.split("/").filter(part => /^[a-z][a-z-]{0,40}$/.test(part));
  return `${parts.at(-1) ?? "list"}.${ending}`;
}

type Column = readonly string[];

function columnsOf(schema: TSchema, under: Column = []): Column[] {
  return Object.entries(propertiesOf(schema) ?? {}).flatMap(([name, field]) => {
    const inner = "items" in field ? [] : columnsOf(field, [...under, name]);
    return inner.length > 0 ? inner : [[...under, name]];
  });
}

function isAsked(column: Column, tree: FieldTree): boolean {
  let at: FieldTree | true | undefined = tree;
  for (const name of column) {
    at = at.get(name);
    if (at === true) return true;
    if (at === undefined) return false;
  }
  return true;
}

function columnsIn(rows: readonly Row[]): Column[] {
  const found = new Map<string, Column>();
  const look = (value: Row, under: Column): void => {
    for (const [name, field] of Object.entries(value)) {
      const column = [...under, name];
      if (isPlainObject(field) && Object.keys(field).length > 0) look(field, column);
      else found.set(column.join("\0"), column);
    }
  };
  for (const row of rows) look(row, []);
  return [...found.values()];
}

const isPlainObject = (value: unknown): value is Row =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function valueAt(row: Row, column: Column): unknown {
  let value: unknown = row;
  for (const name of column) {
    if (!isPlainObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

function cellOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return plain(value);
  const text = JSON.stringify(value);
  return typeof value === "object" ? plain(text) : text;
}

/**
 * A spreadsheet runs a cell that begins with one of these as a formula, also behind blanks. A quote before it makes it text
 * (OWASP, CSV injection). Numbers have no such cells: they are written from numbers.
 */
const FORMULA = /^\s*[=+\-@\uff0b\uff0d\uff1d\uff20]|^[\t\r\n]/;
const plain = (text: string): string => (FORMULA.test(text) ? `'${text}` : text);
