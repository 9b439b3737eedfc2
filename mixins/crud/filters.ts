// What a client may ask of a table: filters in moleculer-db's shape, turned into knex calls. Fields are looked up among
// the declared ones, operators in the list below, values are bound; anything else is refused with the field's name.
import type { Knex } from "knex";
import { trimmed } from "../kernel/index.ts";
import { invalid, type Columns } from "./columns.ts";
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

/** What is searched for, if anything is. */
export function searchText({ search, iSearch }: Filters): string | undefined {
  const text = search ?? iSearch;
  if (text === undefined || text === null) return undefined;
  if (typeof text !== "string" || text.length > limits.searchMax || text.includes("\0"))
    throw invalid("search", `must be text of at most ${limits.searchMax} characters`);
  return trimmed(text) === "" ? undefined : text;
}

/** The order always ends with the id: equal rows would otherwise move between pages. */
export function applySort(
  builder: Knex.QueryBuilder,
  columns: Columns,
  idField: string,
  sort: unknown,
  index?: SearchIndex,
): void {
  const names = list(sort, "sort") ?? [];
  if (names.length > limits.sortsMax) throw invalid("sort", `must name at most ${limits.sortsMax} fields`);
  for (const name of names) {
    const descending = name.startsWith("-");
    const field = descending ? name.slice(1) : name;
    const { column, optional } = columns.find(field, "sort");
    const folded = index?.sortedBy(field);
    if (folded !== undefined) builder.orderBy(folded, descending ? "desc" : "asc");
    // What is absent comes before all that is there: without a word it would be last on Postgres.
    // (Raw: of `orderBy`'s own word for it knex makes an order by presence alone on SQLite.)
    if (optional) builder.orderByRaw(descending ? "?? desc nulls last" : "?? asc nulls first", [column]);
    else builder.orderBy(column, descending ? "desc" : "asc");
  }
  builder.orderBy(columns.find(idField, "sort").column);
}

export function applyPage(builder: Knex.QueryBuilder, { limit, offset }: Filters): void {
  const asked = whole(limit, "limit");
  builder.limit(Math.min(asked ?? limits.rowsMax, limits.rowsMax));
  const skipped = whole(offset, "offset");
  if (skipped) builder.offset(skipped);
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
