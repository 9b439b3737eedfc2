// The table of API keys. It holds no key, only the SHA-256 of each: a reader of the database cannot use one. An attempt costs
// no more than one read by the primary key, since a text with a wrong check is refused before it.
import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Knex } from "knex";
import { badCursor, cursorOf, readCursor } from "../../contract/index.ts";
import type { Database, Migration } from "../../database/index.ts";
import { apiKey, apiKeyId } from "../../gateway/index.ts";
import { newId, rfc3339, type Clock } from "../../kernel/index.ts";
import { accountErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import { pageOf, type Page, type Paged } from "../pages.ts";
import type { ApiKey } from "./contract.ts";

export const apiKeyTable: Migration = {
  name: "020-api-keys",
  up: knex =>
    knex.schema.createTable("api_keys", table => {
      table.string("id").primary();
      table.string("user").notNullable().index();
      table.string("name").notNullable();
      table.text("scopes").notNullable();
      table.string("hash").notNullable();
      table.bigInteger("created_at").notNullable();
      table.bigInteger("expires_at").notNullable();
      table.bigInteger("used_at");
    }),
};

export interface NewKey {
  readonly name: string;
  readonly scopes: readonly string[];
  /** RFC 3339. Default: 90 days from now. */
  readonly expiresAt?: string | undefined;
}

/** A key that was found to be right. */
export interface FoundKey {
  /** Id of the key. */
  readonly key: string;
  readonly user: string;
  readonly scopes: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** The newest first. */
const ORDER = "keys by -id";

export class ApiKeys {
  readonly #database: Database;
  readonly #clock: Clock;
  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /**
   * Makes a key; it is in this answer and nowhere else. Refuses an end that is past or more than a year away
   * (`BAD_KEY_EXPIRY`), and one key too many of a user (`TOO_MANY_KEYS`); keys that have expired do not count, and only the
   * last of them are kept.
   * `allowed` throws in the transaction when the user may not make one.
   */
  create(
    user: string,
    { name, scopes, expiresAt }: NewKey,
    allowed: (trx: Knex.Transaction) => Promise<void> = async () => {},
  ): Promise<ApiKey & { key: string }> {
    const now = this.#clock.now();
    const ends = expiresAt === undefined ? now + limits.apiKeyLifeMs : Date.parse(expiresAt);
    if (!(ends > now && ends <= now + limits.apiKeyLifeMsMax))
      throw accountErrors.BAD_KEY_EXPIRY({ field: "expiresAt" });
    const id = newId();
    const key = apiKey(id, randomBytes(32).toString("base64url"));
    const row = {
      id,
      user,
      name,
      scopes: JSON.stringify(scopes),
      hash: hashOf(key),
      created_at: now,
      expires_at: ends,
    };
    return this.#database.transaction(
      async trx => {
        await allowed(trx);
        const own = () => trx("api_keys").where({ user });
        const expired = own()
          .where("expires_at", "<=", now)
          .where("expires_at", ">=", now - limits.apiKeyKeptMs);
        const kept: string[] = await expired.orderBy("expires_at", "desc").limit(limits.apiKeysExpiredMax).pluck("id");
        await own().where("expires_at", "<=", now).whereNotIn("id", kept).delete();
        const [counted] = await own().where("expires_at", ">", now).count({ n: "*" });
        if (Number(counted!["n"]) >= limits.apiKeysPerUserMax)
          throw accountErrors.TOO_MANY_KEYS({ keys: limits.apiKeysPerUserMax });
        await trx("api_keys").insert(row);
        return { ...shown({ ...row, used_at: null }), key };
      },
      { lock: "api-keys" },
    );
  }

  /**
   * A page of a user's keys, the newest first, with the last of those that expired in the last month. Refuses (422) a cursor
   * of another list.
   */
  async list(user: string, { pageSize = limits.pageSize, cursor }: Paged = {}): Promise<Page<ApiKey>> {
    const kept = this.#clock.now() - limits.apiKeyKeptMs;
    const own = this.#database.knex("api_keys").where({ user }).where("expires_at", ">=", kept);
    if (cursor !== undefined) {
      const [last] = readCursor(cursor, ORDER, 1);
      if (typeof last !== "string") throw badCursor();
      void own.where("id", "<", last);
    }
    // An id begins with the time at which it was made.
    const rows: Row[] = await own.orderBy("id", "desc").limit(pageSize + 1);
    return pageOf(rows.map(shown), pageSize, ({ id }) => cursorOf(ORDER, [id]));
  }

  /** Ends a key; false when the user has none of this id. */
  async revoke(user: string, id: string): Promise<boolean> {
    return (await this.#database.knex("api_keys").where({ id, user }).delete()) > 0;
  }
  /** Ends all keys of a user, or those made before a moment (milliseconds since the epoch); answers how many. */
  async revokeAll(user: string, trx: Knex.Transaction, before?: number): Promise<number> {
    const own = trx("api_keys").where({ user });
    if (before !== undefined) void own.where("created_at", "<", before);
    return own.delete();
  }

  /** The key, when it is one of ours and has not expired; notes its use. */
  async find(text: string): Promise<FoundKey | undefined> {
    const id = apiKeyId(text);
    const row: Row | undefined = id && (await this.#database.knex("api_keys").where({ id }).first());
    if (!row || !isSame(row.hash, hashOf(text))) return undefined;
    const now = this.#clock.now();
    const expiresAt = Number(row.expires_at);
    if (expiresAt <= now) return undefined;
    await this.#noteUse(row, now);
    return { key: row.id, user: row.user, scopes: JSON.parse(row.scopes), expiresAt };
  }

  /** At most once a minute, so that a busy machine does not write a row with each request. */
  async #noteUse({ id, used_at }: Row, now: number): Promise<void> {
    if (Number(used_at ?? 0) > now - limits.apiKeyUseNotedMs) return;
    await this.#database.knex("api_keys").where({ id }).update({ used_at: now });
  }
}

interface Row {
  readonly id: string;
  readonly user: string;
  readonly name: string;
  readonly scopes: string;
  readonly hash: string;
  readonly created_at: number | string;
  readonly expires_at: number | string;
  readonly used_at: number | string | null;
}

const hashOf = (key: string): string => hash("sha256", key, "base64url");

/** Compared in a time that does not tell how much of it is right. */
const isSame = (one: string, other: string): boolean => {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
};

const shown = ({ id, name, scopes, created_at, expires_at, used_at }: Row): ApiKey => ({
  id,
  name,
  scopes: JSON.parse(scopes),
  createdAt: rfc3339(Number(created_at)),
  expiresAt: rfc3339(Number(expires_at)),
  ...(used_at !== null && { lastUsedAt: rfc3339(Number(used_at)) }),
});
