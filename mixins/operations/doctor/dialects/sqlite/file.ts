// A SQLite file, opened to read. SQLite puts an empty -wal and a -shm beside a file that no process has open; the next
// start takes them over. The file itself does not change.
import { statSync } from "node:fs";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { eventTables, type Tables, type Unread } from "../../tables.ts";
import { limits } from "../../limits.ts";

export class SqliteFile implements Tables {
  readonly place: string;
  readonly shard = 0;
  readonly names: ReadonlySet<string>;
  readonly ownStreams = "streams s";
  readonly #database: DatabaseSync;

  constructor(filename: string) {
    this.place = filename;
    this.#database = new DatabaseSync(filename, { readOnly: true, timeout: 5_000 });
    try {
      const rows = this.#database.prepare("select name from sqlite_schema where type = 'table'").all();
      this.names = new Set(rows.map(row => String(row["name"])));
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  async rows<R>(sql: string, values: readonly SQLInputValue[] = []): Promise<R[]> {
    return this.#database.prepare(sql.replaceAll(/\$(\d)/g, "?$1")).all(...values) as R[];
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

  close(): void {
    this.#database.close();
  }
}
