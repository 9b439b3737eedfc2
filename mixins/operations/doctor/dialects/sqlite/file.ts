// A SQLite file, opened to read. SQLite puts an empty -wal and a -shm beside a file that no process has open; the next
// start takes them over. The file itself does not change.
import { statSync } from "node:fs";
import type { SQLInputValue } from "node:sqlite";
import { eventTables, type Tables, type Unread } from "../../tables.ts";
import { limits } from "../../limits.ts";
import type { Reading } from "./reading.ts";

export class SqliteFile implements Tables {
  readonly place: string;
  readonly shard = 0;
  readonly names: ReadonlySet<string>;
  readonly ownStreams = "streams s";
  readonly #reading: Reading;

  private constructor(filename: string, names: ReadonlySet<string>, reading: Reading) {
    this.place = filename;
    this.names = names;
    this.#reading = reading;
  }

  static async open(filename: string, reading: Reading): Promise<SqliteFile> {
    try {
      const sql = "select name from sqlite_schema where type = 'table'";
      const rows = await reading.rows<{ name: string }>(filename, sql);
      return new SqliteFile(filename, new Set(rows.map(({ name }) => name)), reading);
    } catch (error) {
      await reading.leave(filename);
      throw error;
    }
  }

  rows<R>(sql: string, values: readonly SQLInputValue[] = []): Promise<R[]> {
    return this.#reading.rows<R>(this.place, sql.replaceAll(/\$(\d)/g, "?$1"), values);
  }

  /** The order of positions is the order of commits. */
  async after(place: string): Promise<Unread> {
    const at = Number(place);
    const pages = eventTables(this).map(
      table => `select * from (select recorded_at from ${table} where position > $1 order by position limit $2)`,
    );
    const [unread] = await this.rows<{ events: number; oldest: number | null }>(
      `select count(*) as events, min(recorded_at) as oldest from (${pages.join(" union all ")})`,
      [at, limits.lagEvents + 1],
    );
    const [newest] = await this.rows<{ seq: number }>("select seq from sqlite_sequence where name = 'events'");
    const { events, oldest } = unread!;
    return {
      events,
      oldestMs: oldest === null ? 0 : Math.max(0, Date.now() - oldest),
      isAhead: at > (newest?.seq ?? 0),
    };
  }

  async now(): Promise<number> {
    return Date.now();
  }

  walBytes(): number {
    return statSync(`${this.place}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }
}
