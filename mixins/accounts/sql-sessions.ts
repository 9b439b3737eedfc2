// Sessions in SQL: a row a family, a row a token. Time is the database's: a token may be used at one node and again at
// another.
import type { Knex } from "knex";
import type { Database, Migration } from "../database/index.ts";
import { newId } from "../kernel/index.ts";
import { limits } from "./limits.ts";
import { hashOf, randomText, successorOf } from "./refresh-token.ts";
import type { SessionStore } from "./session-store.ts";

export const sessionTables: Migration = {
  name: "002-sessions",
  async up(knex) {
    await knex.schema.createTable("session_families", table => {
      table.string("id").primary();
      table.string("user").notNullable().index();
      table.string("secret").notNullable();
    });
    await knex.schema.createTable("refresh_tokens", table => {
      table.string("hash").primary();
      table.string("family").notNullable().references("session_families.id").onDelete("CASCADE");
      table.bigInteger("used_at");
      table.bigInteger("expires_at").notNullable();
      table.index(["family"]);
      table.index(["expires_at"]);
    });
  },
};

interface Row {
  readonly hash: string;
  readonly family: string;
  readonly used_at: number | string | null;
  readonly expires_at: number | string;
}
interface Family {
  readonly user: string;
  readonly secret: string;
}

export class SqlSessions implements SessionStore {
  readonly #database: Database;
  readonly #now: (within: Knex) => Promise<number>;
  /** `now`: milliseconds since the epoch, for tests. Default: on the database's clock. */
  constructor(database: Database, now = (within: Knex): Promise<number> => database.now(within)) {
    this.#database = database;
    this.#now = now;
  }

  open(user: string): Promise<string> {
    const token = randomText(32);
    return this.#database.transaction(
      async trx => {
        const now = await this.#now(trx);
        // The one unused token of a family is its newest: once that has expired, the family can never be refreshed.
        const expired = trx("refresh_tokens").whereNull("used_at").where("expires_at", "<=", now);
        await trx("session_families").whereIn("id", expired.select("family")).delete();
        // Sorted by the end of their unused tokens, one in each family, on the database's clock: ids carry the times of
        // their nodes.
        const families: string[] = await trx("session_families")
          .join("refresh_tokens", "refresh_tokens.family", "session_families.id")
          .where({ user })
          .whereNull("used_at")
          .orderBy([
            { column: "expires_at", order: "desc" },
            { column: "session_families.id", order: "desc" },
          ])
          .pluck("session_families.id");
        await trx("session_families")
          .whereIn("id", families.slice(limits.sessionsPerUserMax - 1))
          .delete();
        const family = newId();
        await trx("session_families").insert({ id: family, user, secret: randomText(32) });
        await trx("refresh_tokens").insert(rowOf(token, family, now));
        return token;
      },
      // Locks in one order over all users: two clean-ups of the same expired families would otherwise deadlock.
      { lock: "sessions" },
    );
  }

  rotate(token: string): Promise<{ user: string; token: string } | undefined> {
    return this.#database.transaction(async trx => {
      const here = { hash: hashOf(token) };
      // Locked before its tokens are read: two tabs take turns, and a log-out comes before or after them.
      const family: Family | undefined = await trx("session_families")
        .whereIn("id", trx("refresh_tokens").where(here).select("family"))
        .forUpdate()
        .first();
      const row: Row | undefined = family && (await trx("refresh_tokens").where(here).first());
      if (!row) return undefined;
      // Read after the lock: a tab that waited for the other must not have an earlier time.
      const now = await this.#now(trx);
      if (Number(row.expires_at) <= now) return undefined;
      const next = { user: family!.user, token: successorOf(token, family!.secret).toString("base64url") };
      if (row.used_at === null) {
        await trx("refresh_tokens").where({ family: row.family }).where("expires_at", "<=", now).delete();
        await trx("refresh_tokens").where({ hash: row.hash }).update({ used_at: now });
        await trx("refresh_tokens").insert(rowOf(next.token, row.family, now));
        return next;
      }
      if (now - Number(row.used_at) < limits.refreshReuseMs) return next;
      await trx("session_families").where({ id: row.family }).delete();
      return undefined;
    });
  }

  async revoke(token: string): Promise<void> {
    await this.#database.transaction(trx =>
      trx("session_families")
        .whereIn(
          "id",
          trx("refresh_tokens")
            .where({ hash: hashOf(token) })
            .select("family"),
        )
        .delete(),
    );
  }
}

const rowOf = (token: string, family: string, now: number) => ({
  hash: hashOf(token),
  family,
  used_at: null,
  expires_at: now + limits.refreshTokenMs,
});
