// Physical tables from TypeBox columns, and rows to and from them.
import type { Knex } from "knex";
import type { TProperties } from "typebox";
import { strictObject } from "../contract/index.ts";
import type { Projection } from "./define-projection.ts";

export type Row = Record<string, unknown>;
type Kind = "text" | "integer" | "number" | "boolean" | "json";
interface Column {
  readonly name: string;
  readonly kind: Kind;
  readonly optional: boolean;
}

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

  constructor(table: string, properties: TProperties, indexes: readonly (readonly string[])[] = []) {
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
  }

  /** Throws for a row that the table cannot hold: so its event fails, and not the whole batch when it is written. */
  check(row: Row): void {
    for (const { name, kind, optional } of this.columns) {
      const value = row[name];
      if (value === undefined || value === null) {
        if (!optional) throw new Error(`table ${this.table}: a row without "${name}"`);
      } else if (!holds[kind](value)) throw new Error(`table ${this.table}: "${name}" cannot hold what it is given`);
    }
  }

  /** A row's values in the order of the columns. */
  encode(row: Row): (string | number | boolean | null)[] {
    return this.columns.map(({ name, kind }) => {
      const value = row[name];
      if (value === undefined || value === null) return null;
      return kind === "json" ? JSON.stringify(value) : (value as string | number | boolean);
    });
  }

  decode(stored: Row): Row {
    const row: Row = {};
    for (const { name, kind, optional } of this.columns) {
      const value = stored[name];
      if (value === null || value === undefined) {
        if (!optional) row[name] = null;
      } else if (kind === "json") row[name] = JSON.parse(value as string);
      else if (kind === "boolean") row[name] = Boolean(value);
      else if (kind === "text") row[name] = value;
      else row[name] = Number(value);
    }
    return row;
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
}

export const shapesOf = (projection: Projection): Shape[] =>
  Object.entries(projection.tables as Record<string, TProperties>).map(
    ([table, properties]) => new Shape(table, properties, projection.indexes?.[table] as string[][] | undefined),
  );

function kindOf(schema: { type?: unknown; enum?: readonly unknown[]; const?: unknown }): Kind {
  const values = schema.enum ?? (schema.const === undefined ? undefined : [schema.const]);
  if (schema.type === "string" || values?.every(value => typeof value === "string")) return "text";
  if (schema.type === "integer" || schema.type === "number" || schema.type === "boolean") return schema.type;
  return "json";
}
