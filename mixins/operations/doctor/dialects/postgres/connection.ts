// One connection to one database, for one check after another. Every statement runs in a read-only transaction.
import pg from "pg";
import { readPostgresUrl } from "../../../../database/index.ts";
import { connectionOf } from "../../../../database/siblings.ts";

const limits = {
  /** Milliseconds of one statement: with --deep it counts many events. */
  statementMs: 60_000,
  /** Milliseconds that a statement may wait for a locked table. */
  lockMs: 2_000,
};

export type Ask = <R = any>(sql: string, values?: readonly unknown[]) => Promise<R[]>;

export class Connection {
  readonly url: string;
  /** Host, port and database, as text for people. */
  readonly place: string;
  /** Host and port. */
  readonly server: string;
  readonly #user: string;
  readonly #client: pg.Client;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(url: string, client: pg.Client) {
    this.url = url;
    const { server, place, user } = readPostgresUrl(url);
    this.server = server;
    this.place = place;
    this.#user = user;
    this.#client = client;
  }

  static async open(url: string): Promise<Connection> {
    // As the user of the URL: a missing role must not keep us out.
    const { isPooled, user } = readPostgresUrl(url);
    const client = new pg.Client({
      ...connectionOf(url, { schema: user }),
      ...(!isPooled && { application_name: "valence doctor" }),
      query_timeout: limits.statementMs + 5_000,
    });
    client.on("error", () => {}); // a connection that is lost rejects what waits for it
    await client.connect();
    return new Connection(url, client);
  }

  /** `schema`: reads as the service of that schema; otherwise as the user of the URL. */
  read<T>(work: (ask: Ask) => Promise<T>, schema?: string): Promise<T> {
    const result = this.#last.then(() => this.#read(work, schema));
    this.#last = result.catch(() => {});
    return result;
  }

  async #read<T>(work: (ask: Ask) => Promise<T>, schema: string | undefined): Promise<T> {
    const { statementMs, lockMs } = limits;
    const settings = [`set local statement_timeout = ${statementMs}`, `set local lock_timeout = ${lockMs}`];
    if (schema !== undefined) settings.push(`set local search_path = "${schema}"`);
    if (schema !== undefined && schema !== this.#user) settings.push(`set local role "${schema}"`);
    try {
      await this.#client.query(["begin read only", ...settings].join("; "));
      return await work(async (sql, values = []) => (await this.#client.query(sql, [...values])).rows);
    } finally {
      await this.#client.query("rollback").catch(() => {}); // the lost connection has been reported already
    }
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => {});
  }
}
