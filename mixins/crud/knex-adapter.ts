import type { Knex } from "knex";
import type { Service, ServiceBroker } from "moleculer";
import type { Database } from "../database/index.ts";
import { cursorOf, readCursor } from "../contract/index.ts";
import { newId } from "../kernel/index.ts";
import { Columns, invalid, type Entity, type Fields, type Row } from "./columns.ts";
import {
  applyAfter,
  applyPage,
  applyQuery,
  applySearch,
  applySort,
  limits,
  sortKeys,
  type Filters,
  type SortKey,
} from "./filters.ts";

export interface Table {
  readonly table: string;
  readonly fields: Fields;
  /** Default `id`. An entity without one gets a UUIDv7. */
  readonly idField?: string;
  /** Text fields that `search` looks into; a scan of the table. Default none. */
  readonly searchable?: readonly string[];
  /** Whether reads may go to a standby, up to 2 s old; what this process has written it always sees. Default false. */
  readonly staleReads?: boolean;
}

/**
 * A moleculer-db adapter on knex. Whatever reaches it from a client is safe to pass on: unknown fields, operators and
 * types are refused (`VALIDATION_ERROR`, 422), values are bound, answers end at 100 rows.
 */
export class KnexAdapter {
  readonly columns: Columns;
  readonly table: string;
  readonly idField: string;
  private readonly searchable: readonly string[];
  private readonly staleReads: boolean;
  /** Monotonic time of the last write. */
  private wroteAt = -Infinity;
  private service!: Service & { database: Database };

  constructor({ table, fields, idField = "id", searchable = [], staleReads = false }: Table) {
    this.table = table;
    this.idField = idField;
    this.searchable = searchable;
    this.staleReads = staleReads;
    this.columns = new Columns(fields);
  }

  init(_broker: ServiceBroker, service: Service): void {
    this.service = service as typeof this.service;
  }
  // The database belongs to the service: opened and migrated by `Sql`, closed with the broker.
  async connect(): Promise<void> {}
  async disconnect(): Promise<void> {}

  async find(filters: Filters = {}): Promise<Entity[]> {
    const rows = this.filtered(filters);
    applySort(rows, sortKeys(this.columns, this.idField, filters.sort));
    applyPage(rows, filters);
    return this.entities(await rows);
  }

  /**
   * A page of what `find` gives, and the cursor of the next one if there is one. `cursor` begins after the page that it
   * came with, whatever was added or removed since. Fields that may be absent cannot be sorted by here.
   */
  async page(filters: Filters & { readonly cursor?: string | undefined }): Promise<Page> {
    const keys = sortKeys(this.columns, this.idField, filters.sort);
    const order = keys.map(({ name, descending }) => (descending ? `-${name}` : name)).join();
    for (const { name, optional } of keys) if (optional) throw invalid(`sort.${name}`, "cannot be paged by");
    const builder = this.filtered(filters);
    if (filters.cursor !== undefined) {
      const values = readCursor(filters.cursor, order, keys.length);
      applyAfter(
        builder,
        keys,
        keys.map((key, n) => this.columns.value(key, values[n], "cursor") as Knex.Value),
      );
    }
    applySort(builder, keys);
    const most = applyPage(builder, filters, 1);
    const found = this.entities(await builder);
    const rows = found.slice(0, most);
    const last = found.length > most ? rows.at(-1) : undefined;
    return {
      rows,
      ...(last && {
        nextCursor: cursorOf(
          order,
          keys.map(key => valueIn(last, key)),
        ),
      }),
    };
  }

  async findOne(query: unknown): Promise<Entity | null> {
    return (await this.find({ query, limit: 1 }))[0] ?? null;
  }

  findById(id: unknown): Promise<Entity | null> {
    return this.findOne({ [this.idField]: this.id(id) });
  }

  findByIds(ids: readonly unknown[]): Promise<Entity[]> {
    return this.find({ query: { [this.idField]: ids } });
  }

  async count(filters: Filters = {}): Promise<number> {
    const [row] = await this.filtered(filters).count({ rows: "*" });
    return Number((row as { rows: number | string }).rows);
  }

  /** Rows have changed, here or by another node that says so: what is read from now on holds the change. */
  noteChange(): void {
    this.wroteAt = performance.now();
  }

  insert(entity: Entity): Promise<Entity> {
    return this.changing(async () => this.columns.toEntity(await this.insertRow(this.rows(), entity)));
  }

  /** All or none. */
  insertMany(entities: readonly Entity[]): Promise<Entity[]> {
    if (entities.length > limits.rowsMax) throw invalid("entities", `must be at most ${limits.rowsMax}`);
    const insert = async (trx: Knex.Transaction): Promise<Entity[]> => {
      const inserted: Row[] = [];
      for (const entity of entities) inserted.push(await this.insertRow(trx<Row>(this.table), entity));
      return this.entities(inserted);
    };
    return this.changing(() => this.service.database.transaction(insert));
  }

  /** `guard` looks at the entity as it is, which nobody can change meanwhile; nothing happens when it throws. */
  async updateById(id: unknown, update: { $set: Entity }, guard?: (entity: Entity) => void): Promise<Entity | null> {
    const changes = this.changes(update);
    if (guard)
      return this.changing(() =>
        this.service.database.transaction(async trx => {
          const row = await this.locked(trx, id, guard);
          if (!row || Object.keys(changes).length === 0) return row && this.columns.toEntity(row);
          const [changed] = await this.byId(trx<Row>(this.table), id).update(changes).returning("*");
          return this.columns.toEntity(changed!);
        }),
      );
    if (Object.keys(changes).length === 0) return this.findById(id);
    const [row] = await this.changing(async () => this.byId(this.rows(), id).update(changes).returning("*"));
    return row ? this.columns.toEntity(row) : null;
  }

  /** Answers how many rows it changed. */
  async updateMany(query: unknown, update: { $set: Entity }): Promise<number> {
    const changes = this.changes(update);
    if (Object.keys(changes).length === 0) return 0;
    return this.changing(async () => this.filtered({ query }, this.rows()).update(changes));
  }

  /** `guard`: as of `updateById`. */
  removeById(id: unknown, guard?: (entity: Entity) => void): Promise<Entity | null> {
    const remove = async (trx: Knex.Transaction): Promise<Entity | null> => {
      // Locked: of two who remove it at once, only one may have done it.
      const row = await this.locked(trx, id, guard);
      if (row) await this.byId(trx<Row>(this.table), id).del();
      return row ? this.columns.toEntity(row) : null;
    };
    return this.changing(() => this.service.database.transaction(remove));
  }

  removeMany(query: unknown): Promise<number> {
    return this.changing(async () => this.filtered({ query }, this.rows()).del());
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

  /** Also a change that fails may have been made. */
  private async changing<T>(change: () => Promise<T>): Promise<T> {
    try {
      return await change();
    } finally {
      this.noteChange();
    }
  }

  private readRows(): Knex.QueryBuilder<Row, Row[]> {
    const { database } = this.service;
    return (this.staleReads ? database.reads(this.wroteAt) : database.knex)<Row>(this.table);
  }

  private filtered(filters: Filters, rows = this.readRows()): Knex.QueryBuilder<Row, Row[]> {
    applyQuery(rows, this.columns, filters.query);
    applySearch(rows, this.columns, this.searchable, filters);
    return rows;
  }

  private byId(rows: Knex.QueryBuilder<Row, Row[]>, id: unknown): Knex.QueryBuilder<Row, Row[]> {
    return rows.where(this.columns.find(this.idField, "query").column, this.id(id) as Knex.Value);
  }

  private async locked(trx: Knex.Transaction, id: unknown, guard?: (entity: Entity) => void): Promise<Row | null> {
    const row: Row | undefined = await this.byId(trx<Row>(this.table), id).forUpdate().first();
    if (row) guard?.(this.columns.toEntity(row));
    return row ?? null;
  }

  private id(id: unknown): unknown {
    return this.columns.value(this.columns.find(this.idField, "query"), id, this.idField);
  }

  private async insertRow(rows: Knex.QueryBuilder<Row, Row[]>, entity: Entity): Promise<Row> {
    const [row] = await rows.insert(this.columns.toRow({ [this.idField]: newId(), ...object(entity) })).returning("*");
    return row!;
  }

  private changes({ $set }: { $set: Entity }): Row {
    if (Object.hasOwn(object($set), this.idField)) throw invalid(this.idField, "cannot be changed");
    return this.columns.toChanges($set);
  }

  private entities(rows: readonly Row[]): Entity[] {
    return rows.map(row => this.columns.toEntity(row));
  }
}

export interface Page {
  readonly rows: Entity[];
  readonly nextCursor?: string;
}

const valueIn = (entity: Entity, { path }: SortKey): unknown =>
  path.reduce<unknown>((value, key) => (value as Entity)[key], entity);

function object(entity: unknown): Entity {
  if (typeof entity !== "object" || entity === null || Array.isArray(entity))
    throw invalid("entity", "must be an object");
  return entity as Entity;
}
