import type { Knex } from "knex";
import type { Service, ServiceBroker } from "moleculer";
import type { Database } from "../database/index.ts";
import { cursorOf, readCursor } from "../contract/index.ts";
import { newId } from "../kernel/index.ts";
import { Columns, invalid, type Entity, type Fields, type Row } from "./columns.ts";
import {
  applyAfter,
  BY_RANK,
  applyPage,
  applyQuery,
  applySearch,
  applySort,
  limits,
  list,
  RANK,
  searchText,
  sortKeys,
  type Filters,
  type SortKey,
} from "./filters.ts";
import { SearchIndex, type Searched } from "./search/search.ts";
import { wordsOf } from "./search/word-index.ts";

export interface Table {
  readonly table: string;
  readonly fields: Fields;
  /** Default `id`. An entity without one gets a UUIDv7. */
  readonly idField?: string;
  /** Text fields that `search` looks into; a scan of the table. Default none. */
  readonly searchable?: readonly string[];
  /**
   * Instead of `searchable`: fields whose words are kept in an index, folded and ranked, and fields that are sorted as
   * people sort. Its tables come with `searchMigration`.
   */
  readonly search?: Searched;
  /** Whether reads may go to a standby, up to 2 s old; a process always sees its own writes. Default false. */
  readonly staleReads?: boolean;
}

/** An entity before and after its change: one that was inserted has only `after`, one that was removed only `before`. */
export interface Change<E> {
  readonly before?: E;
  readonly after?: E;
}
export interface AdapterOptions<E> extends Table {
  /**
   * Called within the transaction of `insert`, `insertMany`, `updateById` and `removeById`, for each entity. When it
   * rejects, nothing is changed. Default: nothing.
   */
  readonly onChange?: (service: Service & Record<string, any>, trx: Knex, change: Change<E>) => Promise<void>;
}

/**
 * A moleculer-db adapter on knex. A client's params are safe to pass on to it: unknown fields, operators and types are
 * refused (`VALIDATION_ERROR`, 422), values are bound, answers end at 100 rows. `E`: the entity, as the author knows it.
 */
export class KnexAdapter<E extends object = any> {
  readonly columns: Columns;
  readonly table: string;
  readonly idField: string;
  private readonly searchable: readonly string[];
  private readonly staleReads: boolean;
  readonly index: SearchIndex | undefined;
  readonly #onChange: AdapterOptions<E>["onChange"];
  /** Monotonic time of the last write. */
  private wroteAt = -Infinity;
  private service!: Service & { database: Database };

  constructor({
    table,
    fields,
    idField = "id",
    searchable = [],
    search,
    staleReads = false,
    onChange,
  }: AdapterOptions<E>) {
    this.table = table;
    this.idField = idField;
    this.searchable = searchable;
    this.staleReads = staleReads;
    this.columns = new Columns(fields);
    this.#onChange = onChange;
    this.index = search && new SearchIndex({ table, idField, search });
  }

  init(_broker: ServiceBroker, service: Service): void {
    this.service = service as typeof this.service;
  }
  // The database belongs to the service: opened and migrated by `Sql`, closed with the broker.
  // A standby may not have replayed yet what the migrations of this start have made.
  async connect(): Promise<void> {
    this.noteChange();
  }
  async disconnect(): Promise<void> {}

  async find(filters: Filters = {}): Promise<E[]> {
    await this.caughtUp(filters);
    const rows = this.filtered(filters);
    if (this.isRanked(filters)) this.index!.byRank(rows);
    applySort(rows, this.sortKeys(filters));
    applyPage(rows, filters);
    return this.entities(await rows);
  }

  /**
   * A page of the rows of `find`, and the cursor of the next page if there is one. `cursor` begins after the page that
   * it came with, whatever was added or removed since. Fields that may be absent cannot be sorted by here. A search
   * without a sort has no cursors: on SQLite the rank of a row changes with every other row. With the sort `rank` it comes
   * by the part of the rank that does not.
   */
  async page(filters: Filters & { readonly cursor?: string | undefined }): Promise<Page<E>> {
    const isByRank = filters.sort === BY_RANK && this.index !== undefined;
    const keys = isByRank ? this.rankKeys(filters) : this.sortKeys(filters);
    const names = keys.map(({ name, descending }) => (descending ? `-${name}` : name)).join();
    // A rank is about the words that were searched for.
    const order = isByRank ? `${names} ${wordsOf(searchText(filters) ?? "").join(" ")}` : names;
    for (const { name, optional, folded } of keys)
      if (optional && !folded) throw invalid(`sort.${name}`, "cannot be paged by");
    const isRanked = this.isRanked(filters);
    if (isRanked && filters.cursor !== undefined)
      throw invalid("cursor", "does not go with a search that is sorted by rank: give a sort, or ask by page");
    const values = filters.cursor === undefined ? undefined : readCursor(filters.cursor, order, keys.length);
    const after = values && keys.map((key, n) => this.columns.value(key, values[n], "cursor") as Knex.Value);
    await this.caughtUp(filters);
    const builder = this.filtered(filters);
    if (isRanked) this.index!.byRank(builder);
    // A row that a node of the release before has added since has no folded copy, so no place in the order yet.
    for (const { column, folded } of keys) if (folded) builder.whereNotNull(column);
    if (after) applyAfter(builder, keys, after);
    applySort(builder, keys);
    const most = applyPage(builder, filters, 1);
    const found: Row[] = await builder;
    const rows = this.entities(found.slice(0, most));
    if (found.length <= most || rows.length === 0 || isRanked) return { rows };
    const [row, entity] = [found[most - 1]!, rows.at(-1)!];
    const last = keys.map(key => (key.folded ? row[key.column] : valueIn(entity, key)));
    return { rows, nextCursor: cursorOf(order, last) };
  }

  async findOne(query: unknown): Promise<E | null> {
    return (await this.find({ query, limit: 1 }))[0] ?? null;
  }

  findById(id: unknown): Promise<E | null> {
    return this.findOne({ [this.idField]: this.id(id) });
  }

  findByIds(ids: readonly unknown[]): Promise<E[]> {
    return this.find({ query: { [this.idField]: ids } });
  }

  async count(filters: Filters = {}): Promise<number> {
    await this.caughtUp(filters);
    const [row] = await this.filtered(filters).clearSelect().count({ rows: "*" });
    return Number((row as { rows: number | string }).rows);
  }

  /** Rows have changed, here or on another node that has said so: reads from now on hold the change. */
  noteChange(): void {
    this.wroteAt = performance.now();
  }

  insert(entity: Partial<E>): Promise<E> {
    const insert = async (knex: Knex): Promise<E> => {
      const row = await this.insertRow(knex<Row>(this.table), entity);
      await this.indexed(knex, [row]);
      const after = this.entity(row);
      await this.#onChange?.(this.service, knex, { after });
      return after;
    };
    return this.changing(() =>
      this.index || this.#onChange ? this.service.database.transaction(insert) : insert(this.service.database.knex),
    );
  }

  /** Inserts all or none. */
  insertMany(entities: readonly Partial<E>[]): Promise<E[]> {
    if (entities.length > limits.rowsMax) throw invalid("entities", `must be at most ${limits.rowsMax}`);
    const insert = async (trx: Knex.Transaction): Promise<E[]> => {
      const inserted: Row[] = [];
      for (const entity of entities) inserted.push(await this.insertRow(trx<Row>(this.table), entity));
      await this.indexed(trx, inserted);
      const made = this.entities(inserted);
      for (const after of made) await this.#onChange?.(this.service, trx, { after });
      return made;
    };
    return this.changing(() => this.service.database.transaction(insert));
  }

  /** `guard` gets the present entity, which is locked meanwhile; when it throws, nothing is changed. */
  async updateById(id: unknown, update: { $set: Entity }, guard?: (entity: E) => void): Promise<E | null> {
    const changes = this.changes(update);
    const isEmpty = Object.keys(changes).length === 0;
    if (isEmpty && !guard) return this.findById(id);
    const change = async (knex: Knex): Promise<Row | null> => {
      const before = guard || this.#onChange ? await this.locked(knex, id, guard) : undefined;
      if (before === null || (before && isEmpty)) return before;
      const [row] = await this.byId(knex<Row>(this.table), id).update(changes).returning("*");
      if (!row) return null;
      await this.indexed(knex, [row]);
      await this.#onChange?.(this.service, knex, { before: this.entity(before!), after: this.entity(row) });
      return row;
    };
    const row = await this.changing(() =>
      guard || this.index || this.#onChange
        ? this.service.database.transaction(change)
        : change(this.service.database.knex),
    );
    return row && this.entity(row);
  }

  /** Answers how many rows it changed. */
  async updateMany(query: unknown, update: { $set: Entity }): Promise<number> {
    const changes = this.changes(update);
    if (Object.keys(changes).length === 0) return 0;
    return this.changing(async () => this.filtered({ query }, this.service.database.knex).update(changes));
  }

  /** `guard`: as in `updateById`. */
  removeById(id: unknown, guard?: (entity: E) => void): Promise<E | null> {
    const remove = async (trx: Knex.Transaction): Promise<E | null> => {
      // Locked: of two removals at once only one may answer that it removed the row.
      const row = await this.locked(trx, id, guard);
      if (!row) return null;
      await this.byId(trx<Row>(this.table), id).del();
      await this.indexed(trx, [row]);
      const before = this.entity(row);
      await this.#onChange?.(this.service, trx, { before });
      return before;
    };
    return this.changing(() => this.service.database.transaction(remove));
  }

  removeMany(query: unknown): Promise<number> {
    return this.changing(async () => this.filtered({ query }, this.service.database.knex).del());
  }

  clear(): Promise<number> {
    return this.changing(async () => this.rows().del());
  }

  // Rows become entities on the way out, and ids are called `id` on both sides.
  entityToObject(entity: Entity): Entity {
    return entity;
  }
  beforeSaveTransformID(entity: Entity): Entity {
    return entity;
  }
  afterRetrieveTransformID(entity: Entity): Entity {
    return entity;
  }

  private rows(): Knex.QueryBuilder<Row, Row[]> {
    return this.service.database.knex<Row>(this.table);
  }

  /** Notes the change also when it fails, since it may have been made all the same. */
  private async changing<T>(change: () => Promise<T>): Promise<T> {
    try {
      return await change();
    } finally {
      this.noteChange();
    }
  }

  private readKnex(): Knex {
    const { database } = this.service;
    return this.staleReads ? database.reads(this.wroteAt) : database.knex;
  }

  /** Completes the index as far as this read needs it. */
  private async caughtUp(filters: Filters): Promise<void> {
    const { index } = this;
    if (!index) return;
    const isSorted = (list(filters.sort, "sort") ?? []).some(
      name => index.sortedBy(name.replace("-", "")) !== undefined,
    );
    if (searchText(filters) === undefined && !isSorted) return;
    if (await index.catchUp(this.service.database, this.readKnex())) this.noteChange();
  }

  private filtered(filters: Filters, knex = this.readKnex()): Knex.QueryBuilder<Row, Row[]> {
    const rows = knex<Row>(this.table);
    applyQuery(rows, this.columns, filters.query);
    if (!this.index) applySearch(rows, this.columns, this.searchable, filters);
    else if (searchText(filters) !== undefined) this.index.narrow(rows, knex, searchText(filters)!);
    return rows;
  }

  /** Rows that a search finds come by rank, unless the client names a sort. */
  private isRanked(filters: Filters): boolean {
    return this.index !== undefined && searchText(filters) !== undefined && !filters.sort;
  }

  private sortKeys({ sort }: Filters): SortKey[] {
    return sortKeys(this.columns, this.idField, sort, this.index);
  }

  private rankKeys(filters: Filters): SortKey[] {
    if (searchText(filters) === undefined) throw invalid("sort", "by rank goes with a search only");
    return [RANK, ...this.sortKeys({ sort: this.index!.first })];
  }

  /** Completes the index in the transaction that has written these rows. */
  private async indexed(trx: Knex, rows: readonly Row[]): Promise<void> {
    const { column } = this.columns.find(this.idField, "query");
    await this.index?.complete(
      trx,
      rows.map(row => row[column] as string),
    );
  }

  private byId(rows: Knex.QueryBuilder<Row, Row[]>, id: unknown): Knex.QueryBuilder<Row, Row[]> {
    return rows.where(this.columns.find(this.idField, "query").column, this.id(id) as Knex.Value);
  }

  private async locked(trx: Knex, id: unknown, guard?: (entity: E) => void): Promise<Row | null> {
    const row: Row | undefined = await this.byId(trx<Row>(this.table), id).forUpdate().first();
    if (row) guard?.(this.entity(row));
    return row ?? null;
  }

  private id(id: unknown): unknown {
    return this.columns.value(this.columns.find(this.idField, "query"), id, this.idField);
  }

  private async insertRow(rows: Knex.QueryBuilder<Row, Row[]>, entity: object): Promise<Row> {
    const [row] = await rows.insert(this.columns.toRow({ [this.idField]: newId(), ...object(entity) })).returning("*");
    return row!;
  }

  private changes({ $set }: { $set: Entity }): Row {
    if (Object.hasOwn(object($set), this.idField)) throw invalid(this.idField, "cannot be changed");
    return this.columns.toChanges($set);
  }

  private entity(row: Row): E {
    return this.columns.toEntity(row) as E;
  }
  private entities(rows: readonly Row[]): E[] {
    return rows.map(row => this.entity(row));
  }
}

export interface Page<E> {
  readonly rows: E[];
  readonly nextCursor?: string;
}

const valueIn = (entity: object, { path }: SortKey): unknown =>
  path.reduce<unknown>((value, key) => (value as Entity)[key], entity);

function object(entity: unknown): Entity {
  if (typeof entity !== "object" || entity === null || Array.isArray(entity))
    throw invalid("entity", "must be an object");
  return entity as Entity;
}
