// A plain table as a service: moleculer-db's DbService on our adapter.
import MoleculerDb from "moleculer-db";
import type { Context, Service, ServiceSchema } from "moleculer";
import { Sql } from "../database/mixin.ts";
import type { Migration, Database } from "../database/index.ts";
import type { Mixin } from "../contract/index.ts";
import { invalid } from "./columns.ts";
import { limits, list } from "./filters.ts";
import { KnexAdapter, type AdapterOptions } from "./knex-adapter.ts";

export { KnexAdapter, type Change } from "./knex-adapter.ts";
export { searchMigration, type Searched } from "./search/search.ts";
export type { Entity, FieldKind, Fields, Row } from "./columns.ts";

/** The parts that moleculer-db's types leave out. */
const DbService = MoleculerDb as unknown as ServiceSchema & { methods: Record<string, (...args: any[]) => any> };

const ACTIONS = ["find", "count", "list", "create", "insert", "get", "update", "remove"] as const;
export type CrudAction = (typeof ACTIONS)[number];

export interface CrudOptions<E extends object = any> extends AdapterOptions<E> {
  readonly migrations: readonly Migration[];
  /**
   * moleculer-db's own actions to offer as they are. Default none: a service with a contract writes its own on
   * `this.adapter`, since moleculer-db's params would merge with the contract's into something that is neither.
   */
  readonly actions?: readonly CrudAction[];
}

/** The additions of the mixin to `this`. */
export interface Crudding<E extends object> {
  readonly adapter: KnexAdapter<E>;
  readonly database: Database;
  /** Cleans the service's cached actions, here and on every other node. */
  clearCache(): Promise<void>;
}

/**
 * `this.adapter` (KnexAdapter), `this.database`, and moleculer-db's methods. A change cleans the service's cached
 * actions here and, by the event `cache.clean.<service>`, on every other node.
 */
export function Crud<E extends object = any>({
  migrations,
  actions = [],
  ...table
}: CrudOptions<E>): Mixin<Crudding<E>> {
  const withheld = ACTIONS.filter(action => !actions.includes(action)).map(action => [action, false]);
  const schema = {
    mixins: [Sql({ migrations }), DbService],
    settings: {
      idField: table.idField ?? "id",
      fields: Object.keys(table.fields),
      maxPageSize: limits.rowsMax,
      maxLimit: limits.rowsMax,
    } as ServiceSchema["settings"] & object,
    actions: Object.fromEntries(withheld),
    events: {
      "cache.clean.*"(this: Service & { adapter: KnexAdapter }, ctx: Context) {
        if (ctx.eventName !== `cache.clean.${this.fullName}`) return;
        this.adapter.noteChange();
        return this.broker.cacher?.clean(`${this.fullName}.**`);
      },
    },
    methods: {
      sanitizeParams(this: Service & Record<string, any>, ctx: Context, params: Record<string, unknown>) {
        const { populates } = this.settings as { populates?: object };
        refuseUnknownNames(params, this["adapter"], Object.keys(populates ?? {}));
        return DbService.methods["sanitizeParams"]!.call(this, ctx, { ...params, query: parsed(params["query"]) });
      },
    },
    // One adapter a service instance: a schema can be used twice.
    merged(merged: { adapter?: KnexAdapter }) {
      merged.adapter = new KnexAdapter<E>(table);
    },
  };
  return schema as Partial<ServiceSchema> as Mixin<Crudding<E>>;
}

/** Refuses unknown names: moleculer-db drops them, and would answer another query than the client's. */
function refuseUnknownNames(params: Record<string, unknown>, adapter: KnexAdapter, populates: readonly string[]): void {
  for (const param of ["fields", "excludeFields"])
    for (const name of list(params[param], param) ?? [])
      if (!adapter.columns.has(name)) throw invalid(`${param}.${name}`, "is not a field");
  for (const name of list(params["populate"], "populate") ?? [])
    if (!populates.some(known => name === known || name.startsWith(`${known}.`)))
      throw invalid(`populate.${name}`, "cannot be populated");
}

function parsed(query: unknown): unknown {
  if (typeof query !== "string") return query;
  try {
    return JSON.parse(query);
  } catch {
    throw invalid("query", "must be JSON");
  }
}
