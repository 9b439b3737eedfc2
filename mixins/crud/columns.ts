// The fields of an entity and the columns they live in. A client can name only the fields declared here: in a query, a
// sort, a search, an entity. Names from outside are looked up, never put into SQL.
import type { Refusal } from "../kernel/index.ts";
import { callErrors } from "../contract/index.ts";

type Kind = "text" | "integer" | "number" | "boolean" | "json";
/** `text` is required, `text?` may be left out. `json` is stored as text and can be neither queried nor sorted by. */
export type FieldKind = Kind | `${Kind}?`;
/**
 * Fields by name; a nested object spreads over columns: `price: { amount: "integer", currency: "text" }` lives in
 * `price_amount` and `price_currency` and is named `price.amount` in queries and sorts. Columns are in snake case.
 */
export interface Fields {
  readonly [name: string]: FieldKind | Fields;
}

export type Entity = Record<string, unknown>;
export type Row = Record<string, unknown>;

export interface Column {
  readonly path: readonly string[];
  /** As clients write it, with dots between. */
  readonly name: string;
  readonly column: string;
  readonly kind: Kind;
  readonly optional: boolean;
}

/** 422 naming the field, of the same type as a refusal by the validator of params: nothing was done. */
export const invalid = (field: string, message: string): Refusal => callErrors.VALIDATION_ERROR({ field, message });

const expectations: Record<Kind, [(value: unknown) => boolean, string]> = {
  // Postgres refuses the NUL character in text, SQLite cuts the text there.
  text: [value => typeof value === "string" && !value.includes("\0"), "must be text without NUL characters"],
  integer: [Number.isSafeInteger, "must be a whole number"],
  number: [Number.isFinite, "must be a number"],
  boolean: [value => typeof value === "boolean", "must be true or false"],
  json: [value => typeof value === "object" && value !== null, "must be an object or a list"],
};

export class Columns {
  /** Top-level names. */
  readonly names: readonly string[];
  private readonly byName = new Map<string, Column>();
  private readonly groups = new Set<string>();

  constructor(fields: Fields) {
    this.names = Object.keys(fields);
    this.add(fields, []);
  }

  private add(fields: Fields, parents: readonly string[]): void {
    for (const [key, kind] of Object.entries(fields)) {
      const path = [...parents, key];
      const name = path.join(".");
      if (typeof kind === "object") {
        this.groups.add(name);
        this.add(kind, path);
      } else
        this.byName.set(name, {
          path,
          name,
          column: path.join("_").replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`),
          kind: kind.replace("?", "") as Kind,
          optional: kind.endsWith("?"),
        });
    }
  }

  /** Whether it names a field, or an object of fields. */
  has(name: string): boolean {
    return this.byName.has(name) || this.groups.has(name);
  }

  /** The column that a name in a query, sort or search stands for. */
  find(name: string, where: string): Column {
    const column = this.byName.get(name);
    if (!column || column.kind === "json") throw invalid(`${where}.${name}`, "is not a field to ask by");
    return column;
  }

  /** A value as the database takes it. */
  value({ kind, name }: Pick<Column, "kind" | "name">, value: unknown, field = name): unknown {
    const [holds, expected] = expectations[kind];
    if (!holds(value)) throw invalid(field, expected);
    return kind === "json" ? JSON.stringify(value) : value;
  }

  /** An entity as a row; refused when it has unknown fields or lacks required ones. */
  toRow(entity: Entity): Row {
    const row = this.toChanges(entity);
    for (const { name, column, optional } of this.byName.values())
      if (!optional && row[column] === undefined) throw invalid(name, "is required");
    return row;
  }

  /** Part of an entity as the columns to set; `null` clears an optional field. */
  toChanges(entity: Entity, parents: readonly string[] = []): Row {
    const changes: Row = {};
    for (const [key, value] of Object.entries(entity)) {
      const name = [...parents, key].join(".");
      const column = this.byName.get(name);
      if (value === undefined) continue;
      if (column) changes[column.column] = value === null && column.optional ? null : this.value(column, value);
      else if (!this.groups.has(name)) throw invalid(name, "is not allowed");
      else if (typeof value !== "object" || value === null || Array.isArray(value))
        throw invalid(name, "must be an object");
      else Object.assign(changes, this.toChanges(value as Entity, [...parents, key]));
    }
    return changes;
  }

  /** A row as an entity; a null of the row is absent. */
  toEntity(row: Row): Entity {
    const entity: Entity = {};
    for (const { path, column, kind } of this.byName.values()) {
      const value = row[column];
      if (value === null || value === undefined) continue;
      let target = entity;
      for (const key of path.slice(0, -1)) target = (target[key] ??= {}) as Entity;
      target[path.at(-1)!] = read(kind, value);
    }
    return entity;
  }
}

/** SQLite has no booleans, and keeps JSON as text. */
function read(kind: Kind, value: unknown): unknown {
  if (kind === "boolean") return Boolean(value);
  if (kind === "integer" || kind === "number") return Number(value);
  return kind === "json" && typeof value === "string" ? JSON.parse(value) : value;
}
