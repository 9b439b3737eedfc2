// Physical tables from TypeBox columns, and rows to and from them.
import type { Knex } from "knex";
import type { TProperties } from "typebox";
import type { Bug } from "../kernel/index.ts";
import { strictObject } from "../contract/index.ts";
import type { Projection } from "./define-projection.ts";
import { projectionErrors } from "./errors.ts";

export type Row = Record<string, unknown>;
/** A row in memory as the database keeps it: JSON columns are text, an optional column without a value is left out. */
export type Kept = Record<string, string | number | boolean>;
type Kind = "text" | "integer" | "number" | "boolean" | "json";
interface Column {
  readonly name: string;
  readonly kind: Kind;
  readonly optional: boolean;
}

/** Bytes of text in one entry of an index. Postgres refuses entries of more than 2 704 bytes, with the row's own part. */
const INDEXED_BYTES_MAX = 2_600;

const holds: Record<Kind, (value: unknown) => boolean> = {
  // Postgres refuses the NUL character in text.
  text: value => typeof value === "string" && !value.includes("\0"),
  integer: Number.isSafeInteger,
  number: Number.isFinite,
  boolean: value => typeof value === "boolean",
  json: () => true,
};

/** One logical table: columns in their declared order, the first is the primary key. */
export class Shape {
  readonly table: string;
  readonly columns: readonly Column[];
  readonly names: readonly string[];
  readonly key: string;
  readonly indexes: readonly (readonly string[])[];
  readonly #projection: string;
  /** Columns of text by index, the primary key's among them. */
  readonly #indexedText: readonly (readonly string[])[];

  constructor(
    table: string,
    properties: TProperties,
    indexes: readonly (readonly string[])[] = [],
    projection: string = "",
  ) {
    const required = new Set<string>(strictObject(properties).required ?? []);
    this.table = table;
    this.columns = Object.entries(properties).map(([name, schema]) => ({
      name,
      kind: kindOf(schema as { type?: unknown; enum?: readonly unknown[]; const?: unknown }),
      optional: !required.has(name),
    }));
    const [first] = this.columns;
    if (first?.kind !== "text" || first.optional)
      throw new Error(`projection table "${table}": the first column is the key, a string that is not optional`);
    this.names = this.columns.map(({ name }) => name);
    this.key = first.name;
    this.indexes = indexes;
    this.#projection = projection;
    const text = new Set(this.columns.filter(({ kind }) => kind === "text" || kind === "json").map(({ name }) => name));
    this.#indexedText = [[this.key], ...indexes].map(columns => columns.filter(name => text.has(name)));
  }

  /**
   * A copy of the handler's row, as the database keeps it: later changes of the handler's object change nothing.
   * @throws Bug `ROW_NOT_STORABLE` for a row that the table cannot hold, with the column: so its event fails alone, instead of
   * the whole batch when it is written.
   */
  keep(row: Row): Kept {
    if (typeof row !== "object" || row === null) throw this.#unfit(`a row is an object, not ${described(row)}`);
    const kept: Kept = {};
    let characters = 0;
    for (const { name, kind, optional } of this.columns) {
      const value = row[name];
      if (value === undefined || value === null) {
        if (!optional) throw this.#unfit(`a row without "${name}"`);
      } else if (!holds[kind](value)) throw this.#unfit(`"${name}" (${kind}) cannot hold ${described(value)}`);
      else {
        const stored = kind === "json" ? this.#json(name, value) : (value as string | number | boolean);
        if (typeof stored === "string") characters += stored.length;
        kept[name] = stored;
      }
    }
    kept[this.key] = wellFormed(kept[this.key]);
    // A character has at most three bytes: most rows need not be measured.
    if (characters * 3 > INDEXED_BYTES_MAX) this.#checkIndexes(kept);
    return kept;
  }

  /** A key as it is kept, for `find` and `remove`. @throws Bug `ROW_NOT_STORABLE` */
  keepKey(key: unknown): string {
    if (!holds.text(key)) throw this.#unfit(`the key "${this.key}" is text, not ${described(key)}`);
    return wellFormed(key);
  }

  /** A kept row for a handler, which may change it: every call gives a copy, of JSON columns too. */
  give(kept: Kept): Row {
    const row: Row = { ...kept };
    for (const { name, kind } of this.columns)
      if (kind === "json" && kept[name] !== undefined) row[name] = JSON.parse(kept[name] as string);
    return row;
  }

  /** Values in the order of the columns. */
  encode(kept: Kept): (string | number | boolean | null)[] {
    return this.names.map(name => kept[name] ?? null);
  }

  /** A row of the database as it is kept. SQLite has no booleans, and Postgres may give numbers as text. */
  decode(stored: Row): Kept {
    const kept: Kept = {};
    for (const { name, kind } of this.columns) {
      const value = stored[name];
      if (value === null || value === undefined) continue;
      kept[name] =
        kind === "boolean" ? Boolean(value) : kind === "text" || kind === "json" ? (value as string) : Number(value);
    }
    return kept;
  }

  async create(trx: Knex.Transaction, physical: string): Promise<void> {
    await trx.schema.createTable(physical, table => {
      for (const { name, kind, optional } of this.columns) {
        const column = {
          text: () => table.text(name),
          json: () => table.text(name),
          integer: () => table.bigInteger(name),
          number: () => table.double(name),
          boolean: () => table.boolean(name),
        }[kind]();
        if (!optional) column.notNullable();
      }
      table.primary([this.key]);
      for (const [i, columns] of this.indexes.entries()) table.index([...columns], `${physical}_i${i + 1}`);
    });
  }

  #json(name: string, value: unknown): string {
    let reason = described(value);
    try {
      const text = JSON.stringify(value) as string | undefined;
      // JSON makes `null` of NaN and Infinity, too.
      if (text?.includes("null")) JSON.stringify(value, onlyFinite);
      if (text !== undefined) return text;
    } catch (error) {
      reason = (error as Error).message.split("\n", 1)[0]!;
    }
    throw this.#unfit(`"${name}" (json) cannot hold its value: ${reason}`);
  }

  #checkIndexes(kept: Kept): void {
    for (const columns of this.#indexedText) {
      const bytes = columns.reduce((sum, name) => sum + Buffer.byteLength((kept[name] as string | undefined) ?? ""), 0);
      if (bytes > INDEXED_BYTES_MAX)
        throw this.#unfit(`${bytes} bytes of text in "${columns.join(", ")}": an index holds ${INDEXED_BYTES_MAX}`);
    }
  }

  #unfit(message: string): Bug {
    return projectionErrors.ROW_NOT_STORABLE({ projection: this.#projection, table: this.table, reason: message });
  }
}

export const shapesOf = (projection: Projection): Shape[] =>
  Object.entries(projection.tables as Record<string, TProperties>).map(
    ([table, properties]) =>
      new Shape(table, properties, projection.indexes?.[table] as string[][] | undefined, projection.name),
  );

/** Postgres refuses half a surrogate pair. Two keys that it stores as one have to be one here as well. */
const wellFormed = (value: unknown): string => (value as string).toWellFormed();

/** The kind of a value, without the value: it may be personal data. */
function described(value: unknown): string {
  if (typeof value === "number" && !Number.isInteger(value)) return Number.isFinite(value) ? "a fraction" : `${value}`;
  if (typeof value === "number") return "a number of more than 53 bits";
  if (typeof value === "string" && value.includes("\0")) return "text with a NUL character";
  return value === null || value === undefined ? `${value}` : `a value of type ${typeof value}`;
}

function onlyFinite(_key: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) throw new Error(`${value}`);
  return value;
}

function kindOf(schema: { type?: unknown; enum?: readonly unknown[]; const?: unknown }): Kind {
  const values = schema.enum ?? (schema.const === undefined ? undefined : [schema.const]);
  if (schema.type === "string" || values?.every(value => typeof value === "string")) return "text";
  if (schema.type === "integer" || schema.type === "number" || schema.type === "boolean") return schema.type;
  return "json";
}
