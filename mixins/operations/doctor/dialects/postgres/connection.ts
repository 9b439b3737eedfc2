// One connection to one database, for one check after another. Whatever is asked is asked in a transaction that cannot
// write.
import pg from "pg";
import { readPostgresUrl } from "../../../../database/index.ts";
import { connectionOf } from "../../../../database/siblings.ts";

const limits = {
  /** Milliseconds that one statement may take: with --deep it counts many events. */
  statementMs: 60_000,
  /** Milliseconds that it may wait for a table that somebody has locked. */
  lockMs: 2_000,
};

export type Ask = <R = any>(sql: string, values?: readonly unknown[]) => Promise<R[]>;

export class Connection {
  readonly url: string;
  /** Host, port and database, for people. */
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
    // As whoever logs in: a role that is not there yet must not keep us out.
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

  /** `schema`: as the service of that schema, else as whoever logs in. */
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
      await this.#client.query("rollback").catch(() => {}); // whoever lost the connection has been told
    }
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => {});
  }
}
