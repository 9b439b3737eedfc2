// A connection that checks its session: as soon as it is made it asks the server for its role, its schema, and the settings
// that the runtime rests upon. A URL and the defaults of a role, a database or a pooler are not believed: they can put all
// services into one schema, lift the time-outs, or make a commit not wait for the disk.
import pg, { type ClientConfig } from "pg";
import { Misconfigured } from "../../../kernel/index.ts";

const limits = {
  /** Milliseconds until the server has described the session; as long as it may take to connect. */
  answerMs: 3_000,
};

/** The session that is needed. */
export interface SessionConfig {
  readonly session: {
    /** Host, port and database, for people. */
    readonly place: string;
    /** The schema, and the role that acts in it. */
    readonly schema: string;
    /** A standby's may only read. */
    readonly isStandby: boolean;
    /** Settings that were sent and must have been taken. */
    readonly settings: Readonly<Record<string, string>>;
  };
}

interface Answer {
  readonly user: string;
  readonly schema: string | null;
  readonly encoding: string;
  readonly isolation: string;
  readonly readOnly: string;
  readonly commit: string;
  readonly settings: Readonly<Record<string, string>>;
}

/** Time-outs as plain milliseconds: `current_setting` would say `15s`. */
const QUESTION = `select current_user as "user", current_schema() as schema,
  current_setting('server_encoding') as encoding, current_setting('transaction_isolation') as isolation,
  current_setting('transaction_read_only') as "readOnly", current_setting('synchronous_commit') as commit,
  (select json_object_agg(name, setting) from pg_settings where name = any($1)) as settings`;

/** Connecting rejects with Misconfigured when the session is not the one that is needed. */
export class Session extends pg.Client {
  readonly #expected: SessionConfig["session"];

  constructor(config: ClientConfig & SessionConfig) {
    super(config);
    this.#expected = config.session;
    // A connection that is lost rejects the queries that wait for it, and is told of as well. Without a listener that would end the
    // process; pg's pool has none until the session was checked, which on a busy machine takes longer than a connection may.
    this.on("error", () => {});
  }

  override connect(): Promise<any>;
  override connect(callback: (error: Error) => void): void;
  override connect(callback?: (error: Error) => void): any {
    const connected = this.#connect();
    if (!callback) return connected;
    // pg's pool tells success by undefined.
    connected.then(() => callback(undefined as unknown as Error), callback);
  }

  async #connect(): Promise<this> {
    await super.connect();
    try {
      const names = Object.keys(this.#expected.settings);
      const question = { text: QUESTION, values: [names], query_timeout: limits.answerMs };
      const { rows } = await this.query<Answer>(question);
      const wrong = mismatch(rows[0]!, this.#expected);
      if (wrong !== undefined) throw new Misconfigured(`${this.#expected.schema} on ${this.#expected.place}: ${wrong}`);
      return this;
    } catch (error) {
      this.connection.stream.destroy();
      throw error;
    }
  }
}

/** The difference from the session that is needed, and how to remove it. */
function mismatch(
  { user, schema, encoding, isolation, readOnly, commit, settings }: Answer,
  expected: SessionConfig["session"],
): string | undefined {
  const role = expected.schema;
  const reset = (name: string): string => `reset it: alter role … reset ${name}, or alter database … reset ${name}`;
  if (user !== role) return `the session acts as ${user}, not as ${role}: a pooler or a role's defaults changed it`;
  // A schema that the role may not use counts as none.
  if (schema === null)
    return `the role ${role} may not use the schema ${role}, as after a dump that was restored without its owners: restore it with them (pg_restore or psql without --no-owner), or alter schema "${role}" owner to "${role}", and its tables alike; else ${reset("search_path")}`;
  if (schema !== role) return `the session's schema is ${schema}, not ${role}: ${reset("search_path")}`;
  if (encoding !== "UTF8") return `the database's encoding is ${encoding}: make one with encoding 'UTF8'`;
  if (isolation !== "read committed")
    return `transactions are ${isolation}, not read committed: ${reset("default_transaction_isolation")}`;
  if (readOnly === "on" && !expected.isStandby)
    return "transactions can only read: name the primary, or reset default_transaction_read_only";
  if (commit === "off")
    return `synchronous_commit is off, so acknowledged events can be lost: ${reset("synchronous_commit")}`;
  const name = Object.keys(expected.settings).find(name => settings[name] !== expected.settings[name]);
  return name === undefined
    ? undefined
    : `${name} is ${settings[name] ?? "not there"}, not ${expected.settings[name]}: a pooler did not pass it on`;
}
