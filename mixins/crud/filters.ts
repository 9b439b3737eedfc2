// The filters that a client may ask of a table, in moleculer-db's shape, turned into knex calls. Fields are looked up
// among the declared ones, operators in the list below, values are bound; anything else is refused with the field's
// name.
import type { Knex } from "knex";
import { trimmed } from "../kernel/index.ts";
import { invalid, type Column, type Columns } from "./columns.ts";
import type { SearchIndex } from "./search/search.ts";

export interface Filters {
  /** `{ category: "mugs", "price.amount": { $lt: 1000 } }`; a list means any of, `null` means absent. */
  readonly query?: unknown;
  /** Text contained in one of the searched fields, upper and lower case alike (ASCII). */
  readonly search?: unknown;
  readonly iSearch?: unknown;
  /** Default: all that the table declares as searchable. */
  readonly searchFields?: unknown;
  /** `name`, `-createdAt`; commas or spaces between several. */
  readonly sort?: unknown;
  readonly limit?: unknown;
  readonly offset?: unknown;
}

export const limits = {
  /** Rows of one answer, whatever was asked for: a page of a screen, not a dump. */
  rowsMax: 100,
  /** Values of one `$in`: a page of ids. */
  valuesMax: 100,
  /** Characters of a search: each is scanned for in every row. */
  searchMax: 100,
  /** Fields of one sort. */
  sortsMax: 5,
};

const COMPARISONS = { $gt: ">", $gte: ">=", $lt: "<", $lte: "<=" } as const;

export function applyQuery(builder: Knex.QueryBuilder, columns: Columns, query: unknown): void {
  if (query === undefined || query === null) return;
  if (typeof query !== "object" || Array.isArray(query)) throw invalid("query", "must be an object");
  for (const [name, condition] of Object.entries(query)) {
    const field = `query.${name}`;
    const found = columns.find(name, "query");
    const { column } = found;
    const bound = (value: unknown) => columns.value(found, value, field) as Knex.Value;
    const several = (values: unknown) => {
      if (!Array.isArray(values) || values.length > limits.valuesMax)
        throw invalid(field, `must be a list of at most ${limits.valuesMax} values`);
      return values.map(bound);
    };
    if (condition === null) builder.whereNull(column);
    else if (Array.isArray(condition)) builder.whereIn(column, several(condition));
    else if (typeof condition !== "object") builder.where(column, bound(condition));
    else
      for (const [operator, value] of Object.entries(condition as object)) {
        if (Object.hasOwn(COMPARISONS, operator))
          builder.where(column, COMPARISONS[operator as keyof typeof COMPARISONS], bound(value));
        else if (operator === "$in") builder.whereIn(column, several(value));
        else if (operator === "$nin") builder.whereNotIn(column, several(value));
        else if (operator !== "$ne") throw invalid(field, `${operator} is not an operator`);
        else if (value === null) builder.whereNotNull(column);
        else builder.whereNot(column, bound(value));
      }
  }
}

export function applySearch(
  builder: Knex.QueryBuilder,
  columns: Columns,
  searchable: readonly string[],
  filters: Filters,
): void {
  const names = list(filters.searchFields, "searchFields") ?? searchable;
  for (const name of names)
    if (!searchable.includes(name)) throw invalid(`searchFields.${name}`, "is not a field to search in");
  const text = searchText(filters);
  if (text === undefined) return;
  // Both databases know `escape`; without it `%` finds everything, and SQLite has no escape character of its own.
  const pattern = `%${text.replaceAll(/[!%_]/g, "!$&")}%`;
  builder.where(any => {
    for (const name of names)
      void any.orWhereRaw("lower(??) like lower(?) escape '!'", [columns.find(name, "searchFields").column, pattern]);
  });
}

/** The text of a search; undefined when there is none. */
export function searchText({ search, iSearch }: Filters): string | undefined {
  const text = search ?? iSearch;
  if (text === undefined || text === null) return undefined;
  if (typeof text !== "string" || text.length > limits.searchMax || text.includes("\0"))
    throw invalid("search", `must be text of at most ${limits.searchMax} characters`);
  return trimmed(text) === "" ? undefined : text;
}

export interface SortKey extends Column {
  readonly descending: boolean;
  /** A folded copy of a field; rows that are not completed yet have none. */
  readonly folded: boolean;
}

/**
 * The sort keys of a list. They always end with the id: equal rows would otherwise move between pages. A field that
 * people sort by comes folded first, then as it is written.
 */
export function sortKeys(columns: Columns, idField: string, sort: unknown, index?: SearchIndex): SortKey[] {
  const names = list(sort, "sort") ?? [];
  if (names.length > limits.sortsMax) throw invalid("sort", `must name at most ${limits.sortsMax} fields`);
  return [...names, idField].flatMap(name => {
    const descending = name.startsWith("-");
    const key = { ...columns.find(descending ? name.slice(1) : name, "sort"), descending, folded: false };
    const folded = index?.sortedBy(key.name);
    return folded === undefined ? [key] : [{ ...key, name: folded, column: folded, folded: true }, key];
  });
}

/** The sort by which a search comes in pages by cursor: how well a row fits, which no other row changes. */
export const BY_RANK = "rank";
/** The weight that a search has found. */
export const RANK: SortKey = {
  name: BY_RANK,
  path: [],
  column: "found_weight",
  kind: "integer",
  optional: false,
  descending: true,
  folded: true,
};

export function applySort(builder: Knex.QueryBuilder, keys: readonly SortKey[]): void {
  for (const { column, optional, descending } of keys) {
    // Absent values come first. By default Postgres puts them last. Raw, since with the
    // option of `orderBy` knex sorts by presence alone on SQLite.
    if (optional) builder.orderByRaw(descending ? "?? desc nulls last" : "?? asc nulls first", [column]);
    else builder.orderBy(column, descending ? "desc" : "asc");
  }
}

/** Only rows that come after one with these values of the keys. */
export function applyAfter(builder: Knex.QueryBuilder, keys: readonly SortKey[], values: readonly Knex.Value[]): void {
  const beyond = ({ descending }: SortKey): string => (descending ? "<" : ">");
  // Implied by the conditions that follow; it lets the database begin to read an index there.
  builder.where(keys[0]!.column, `${beyond(keys[0]!)}=`, values[0]!);
  builder.where(any => {
    for (const [last, key] of keys.entries())
      void any.orWhere(all => {
        for (const [n, { column }] of keys.slice(0, last).entries()) void all.where(column, values[n]!);
        void all.where(key.column, beyond(key), values[last]!);
      });
  });
}

/** Answers how many rows it lets through. `more`: rows read besides these, to find out whether there are any. */
export function applyPage(builder: Knex.QueryBuilder, { limit, offset }: Filters, more = 0): number {
  const most = Math.min(whole(limit, "limit") ?? limits.rowsMax, limits.rowsMax);
  builder.limit(most + more);
  const skipped = whole(offset, "offset");
  if (skipped) builder.offset(skipped);
  return most;
}

function whole(value: unknown, field: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw invalid(field, "must be a whole number from 0");
  return value as number;
}

/** Names as clients write them: a list, or text with commas or spaces between. */
export function list(value: unknown, field: string): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  const items = typeof value === "string" ? value.split(/[\s,]+/) : value;
  if (!Array.isArray(items) || items.some(item => typeof item !== "string"))
    throw invalid(field, "must be a list of names");
  return items.filter(Boolean);
}
