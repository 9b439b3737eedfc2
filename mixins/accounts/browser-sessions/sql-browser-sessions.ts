// Browser sessions in SQL, in the tables of the refresh tokens. A family has one token that is never used up; its end slides,
// and so tells when the session was last used. Time is the database's.
import type { Knex } from "knex";
import type { Database, Migration } from "../../database/index.ts";
import { limits } from "../limits.ts";
import { hashOf } from "../refresh-token.ts";
import type { Client, SessionStore } from "../session-store.ts";
import type { BrowserSessions, FoundSession, OpenedSession } from "./browser-sessions.ts";
import { isValue, sealed } from "./sealed.ts";

/** The absolute end of a family that is a browser's session. */
export const browserSessionEnds: Migration = {
  name: "021-browser-session-ends",
  up: knex => knex.schema.alterTable("session_families", table => void table.bigInteger("ends_at")),
};

interface Row {
  readonly user: string;
  readonly family: string;
  readonly expires_at: number | string;
  readonly ends_at: number | string;
}

export class SqlBrowserSessions implements BrowserSessions {
  readonly #database: Database;
  readonly #sessions: Pick<SessionStore, "open">;
  readonly #now: (within: Knex) => Promise<number>;
  /** `now`: milliseconds since the epoch, for tests. Default: on the database's clock. */
  constructor(
    database: Database,
    sessions: Pick<SessionStore, "open">,
    now = (within: Knex): Promise<number> => database.now(within),
  ) {
    this.#database = database;
    this.#sessions = sessions;
    this.#now = now;
  }

  async open(user: string, client?: Client): Promise<OpenedSession> {
    // A refresh token that no client ever gets. A process that dies here leaves a session without an owner.
    const { token: value } = await this.#sessions.open(user, client);
    return this.#database.transaction(async trx => {
      const token = trx("refresh_tokens").where({ hash: hashOf(value) });
      const { family } = await token.clone().first<Row>("family");
      const expiresAt = (await this.#now(trx)) + limits.browserSessionMs;
      await trx("session_families").where({ id: family }).update({ ends_at: expiresAt });
      await token.update({ hash: sealed(value) });
      return { value, expiresAt };
    });
  }

  async find(value: string): Promise<FoundSession | undefined> {
    if (!isValue(value)) return undefined;
    const { knex } = this.#database;
    const row: Row | undefined = await this.#with(knex, value).first("user", "family", "expires_at", "ends_at");
    if (!row) return undefined;
    const now = await this.#now(knex);
    const expiresAt = Number(row.ends_at);
    if (now >= Number(row.expires_at) || now >= expiresAt) return undefined;
    const slid = now + limits.refreshTokenMs;
    if (slid - Number(row.expires_at) >= limits.sessionUseNotedMs)
      await knex("refresh_tokens")
        .where({ hash: sealed(value) })
        .update({ expires_at: slid });
    return { user: row.user, session: row.family, expiresAt };
  }

  async close(value: string): Promise<string | undefined> {
    const { knex } = this.#database;
    const row: Row | undefined = await this.#with(knex, value).first("user", "family");
    if (row) await knex("session_families").where({ id: row.family }).delete();
    return row?.user;
  }

  #with(knex: Knex, value: string): Knex.QueryBuilder {
    return knex("refresh_tokens")
      .join("session_families", "session_families.id", "refresh_tokens.family")
      .where({ hash: sealed(value) })
      .whereNotNull("ends_at");
  }
}
