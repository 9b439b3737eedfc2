// The tables of one service in one database of Postgres.
import { BUCKETS } from "../../../../event-store/siblings.ts";
import { limits } from "../../limits.ts";
import { eventTables, type Tables, type Unread } from "../../tables.ts";
import type { Connection } from "./connection.ts";

const PLACE = "case when $1::xid8 < pg_snapshot_xmax(pg_current_snapshot()) then $1::xid8 else '0' end, $2::bigint";

/** The row in which a database of a store describes itself. */
export interface ShardRow {
  readonly store: string;
  readonly number: number;
  readonly shards: number;
  readonly is_late: boolean;
}

export class Schema implements Tables {
  readonly name: string;
  readonly connection: Connection;
  readonly names: ReadonlySet<string>;
  readonly row: ShardRow | undefined;
  readonly ownStreams = "(streams s join buckets b on b.bucket = s.bucket and b.state <> 'moved')";

  private constructor(name: string, connection: Connection, names: ReadonlySet<string>, row: ShardRow | undefined) {
    this.name = name;
    this.connection = connection;
    this.names = names;
    this.row = row;
  }

  static async open(connection: Connection, name: string): Promise<Schema> {
    const tables = await connection.read(ask => ask("select tablename from pg_tables where schemaname = $1", [name]));
    const names = new Set(tables.map(({ tablename }) => tablename as string));
    const [row] = names.has("shard") ? await connection.read(ask => ask<ShardRow>("select * from shard"), name) : [];
    return new Schema(name, connection, names, row);
  }

  get place(): string {
    return this.connection.place;
  }
  get shard(): number {
    return this.row?.number ?? 0;
  }

  rows<R>(sql: string, values: readonly unknown[] = []): Promise<R[]> {
    return this.connection.read(ask => ask<R>(sql, values), this.name);
  }

  /**
   * In the order of transactions. A checkpoint with a transaction that this server has not had comes from another
   * server: readers begin at the start. The newest event does not show which transactions this server has had: it may
   * have moved to another shard.
   */
  async after(place: string): Promise<Unread> {
    const [xid = "0", position = "0"] = place === "" ? [] : place.split(":");
    const pages = eventTables(this).map(
      table => `(select recorded_at from ${table} where (xid, position) > (${PLACE})
        order by xid, position limit ${limits.lagEvents + 1})`,
    );
    const [unread] = await this.rows<any>(
      `select count(*) as events, coalesce(greatest(extract(epoch from clock_timestamp()) * 1000 - min(recorded_at), 0), 0) as oldest_ms,
         coalesce(pg_sequence_last_value(pg_get_serial_sequence('events', 'position')::regclass), 0) < $2::bigint as is_ahead
       from (${pages.join(" union all ")}) unread`,
      [xid, position],
    );
    return { events: unread.events, oldestMs: unread.oldest_ms, isAhead: unread.is_ahead };
  }

  async now(): Promise<number> {
    const [row] = await this.rows<any>("select (extract(epoch from clock_timestamp()) * 1000)::bigint as now");
    return row.now;
  }

  /** The state of every bucket. */
  async buckets(): Promise<readonly { bucket: number; state: string; moving_to: number | null }[]> {
    const rows = await this.rows<any>("select bucket, state, moving_to from buckets");
    if (rows.length !== BUCKETS) throw new Error(`${this.place} knows ${rows.length} of ${BUCKETS} buckets`);
    return rows;
  }
}
