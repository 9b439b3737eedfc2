// Sessions in SQL: a row a family, a row a token. Time is the database's: a token may be used at one node and again at
// another.
import type { Knex } from "knex";
import type { Database, Migration } from "../database/index.ts";
import { newId } from "../kernel/index.ts";
import { limits } from "./limits.ts";
import { hashOf, randomText, successorOf } from "./refresh-token.ts";
import type { Client, Opened, OpenSession, SessionStore, Use } from "./session-store.ts";

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

/** Where a session was opened, for its owner to recognise it. Sessions of the release before have none of it. */
export const sessionClients: Migration = {
  name: "007-session-clients",
  up: knex =>
    knex.schema.alterTable("session_families", table => {
      table.bigInteger("created_at");
      table.string("device");
      table.string("address");
    }),
};

interface Row {
  readonly hash: string;
  readonly family: string;
  readonly used_at: number | string | null;
  readonly expires_at: number | string;
}
interface Family {
  readonly id: string;
  readonly user: string;
  readonly secret: string;
  readonly created_at: number | string | null;
  readonly device: string | null;
  readonly address: string | null;
}

export class SqlSessions implements SessionStore {
  readonly #database: Database;
  readonly #now: (within: Knex) => Promise<number>;
  /** `now`: milliseconds since the epoch, for tests. Default: on the database's clock. */
  constructor(database: Database, now = (within: Knex): Promise<number> => database.now(within)) {
    this.#database = database;
    this.#now = now;
  }

  open(user: string, { device, address }: Client = {}): Promise<Opened> {
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
        const client = { device: device ?? null, address: address ?? null };
        await trx("session_families").insert({ id: family, user, secret: randomText(32), created_at: now, ...client });
        await trx("refresh_tokens").insert(rowOf(token, family, now));
        return { session: family, token };
      },
      // Locks in one order over all users: two clean-ups of the same expired families would otherwise deadlock.
      { lock: "sessions" },
    );
  }

  async rotate(token: string, { address, onReuse }: Use = {}): Promise<(Opened & { user: string }) | undefined> {
    let reused: { user: string; session: string } | undefined;
    const next = await this.#database.transaction(async trx => {
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
      const { id: session, user, secret } = family!;
      const next = { user, session, token: successorOf(token, secret).toString("base64url") };
      if (row.used_at === null) {
        if (address !== undefined && address !== family!.address)
          await trx("session_families").where({ id: session }).update({ address });
        await trx("refresh_tokens").where({ family: row.family }).where("expires_at", "<=", now).delete();
        await trx("refresh_tokens").where({ hash: row.hash }).update({ used_at: now });
        await trx("refresh_tokens").insert(rowOf(next.token, row.family, now));
        return next;
      }
      if (now - Number(row.used_at) < limits.refreshReuseMs) return next;
      await trx("session_families").where({ id: row.family }).delete();
      reused = { user, session };
      return undefined;
    });
    if (reused) onReuse?.(reused);
    return next;
  }

  async has(user: string, session: string, within: Knex = this.#database.knex): Promise<boolean> {
    const family = within("session_families").where({ id: session, user });
    return (await (within.isTransaction ? family.forShare() : family).first("id")) !== undefined;
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

  async list(user: string): Promise<OpenSession[]> {
    const { knex } = this.#database;
    const now = await this.#now(knex);
    // A family has one unused token, which was made when the one before it was used.
    const families: (Family & Pick<Row, "expires_at">)[] = await knex("session_families")
      .join("refresh_tokens", "refresh_tokens.family", "session_families.id")
      .where({ user })
      .whereNull("used_at")
      .where("expires_at", ">", now)
      .orderBy("expires_at", "desc")
      .select("session_families.*", "expires_at");
    return families.map(({ id, created_at, device, address, expires_at }) => {
      const lastUsedAt = Number(expires_at) - limits.refreshTokenMs;
      const createdAt = Number(created_at ?? lastUsedAt);
      return { id, device: device ?? undefined, address: address ?? undefined, createdAt, lastUsedAt };
    });
  }

  async end(user: string, session: string): Promise<boolean> {
    return (await this.#database.knex("session_families").where({ id: session, user }).delete()) > 0;
  }

  async endAll(user: string, except = "", within: Knex = this.#database.knex): Promise<void> {
    await within("session_families").where({ user }).whereNot({ id: except }).delete();
  }
}

const rowOf = (token: string, family: string, now: number) => ({
  hash: hashOf(token),
  family,
  used_at: null,
  expires_at: now + limits.refreshTokenMs,
});
