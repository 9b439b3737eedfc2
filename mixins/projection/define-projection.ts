// Read models: rows by logical table name. The runtime binds name and version to physical tables, to the transaction
// and to the checkpoint, so a handler cannot write beside them.
import type { TProperties } from "typebox";
import type { Data, EventName, Recorded } from "../contract/index.ts";

/**
 * A table of a projection. The first declared column is the primary key. Writes are kept in memory and written once a
 * batch; `find` sees them at once, and gives a copy that the handler may change. A row or key that the table cannot hold
 * (`ROW_NOT_STORABLE`: NaN, a BigInt, a NUL character, 2 600 bytes of text in an index) fails its event.
 */
export interface Table<Row> {
  find(key: string): Promise<Row | undefined>;
  upsert(row: Row): Promise<void>;
  remove(key: string): Promise<void>;
}
type Tables<T extends Record<string, TProperties>> = { readonly [K in keyof T]: Table<Data<T[K]>> };

/**
 * Handlers only read and write their tables: the runtime may run them several times over a batch to find out which rows
 * they need, and keeps the result of the last time. A handler that throws parks the event's stream; other streams go on. So
 * does a handler that waits 0.5 s for anything but its tables (`HANDLER_HANGS`), changes the event, or goes on after its
 * promise is resolved. Batches of several sources come in any order: rows that several of them change must not depend on it.
 */
export interface Projection<T extends Record<string, TProperties> = any, N extends string = string> {
  readonly name: N;
  /**
   * Raise it when handlers or tables change: the new version is built beside the old one, then switched to. Until then
   * queries of the new release are `NOT_CAUGHT_UP` and go to nodes of the old one, which keep their rows as long as they run.
   */
  readonly version: number;
  /** Columns: string, integer, number, boolean; anything else is kept as JSON text. Optional = nullable. */
  readonly tables: T;
  /** Secondary indexes by table: lists of columns. */
  readonly indexes?: { readonly [K in keyof T]?: readonly (readonly (keyof T[K] & string)[])[] };
  readonly on: { readonly [E in EventName]?: (event: Recorded<E>, tables: Tables<T>) => Promise<void> };
}

export const defineProjection = <T extends Record<string, TProperties>, const N extends string>(
  projection: Projection<T, N>,
): Projection<T, N> => projection;
