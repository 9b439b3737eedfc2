// Tokens that are mailed, for one purpose and one use. The table holds their SHA-256 only: a reader of it opens no
// account. A used or expired token is remembered for a week, so that a person who clicks an old link is told why it does
// nothing.
import type { Knex } from "knex";
import type { Database, Migration } from "../../database/index.ts";
import { accountErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import { hashOf, randomText } from "../refresh-token.ts";

export const mailedTokenTable: Migration = {
  name: "009-mailed-tokens",
  up: knex =>
    knex.schema.createTable("mailed_tokens", table => {
      table.string("hash").primary();
      table.string("user").notNullable();
      table.string("purpose").notNullable();
      table.bigInteger("expires_at").notNullable();
      table.bigInteger("used_at");
      table.index(["user", "purpose"]);
      table.index(["expires_at"]);
    }),
};

export type Purpose = "reset-password" | "verify-email";

const LIFE_MS: Readonly<Record<Purpose, number>> = {
  "reset-password": limits.resetTokenMs,
  "verify-email": limits.verificationTokenMs,
};

export class MailedTokens {
  readonly #database: Database;
  readonly #now: (within: Knex) => Promise<number>;
  /** `now`: milliseconds since the epoch, for tests. Default: on the database's clock. */
  constructor(database: Database, now = (within: Knex): Promise<number> => database.now(within)) {
    this.#database = database;
    this.#now = now;
  }

  /** A new token. Those before it stay valid: a mail that comes late, or twice, must still work. */
  issue(user: string, purpose: Purpose): Promise<string> {
    const token = randomText(32);
    return this.#database.transaction(async trx => {
      const now = await this.#now(trx);
      await trx("mailed_tokens")
        .where("expires_at", "<", now - limits.tokenKeptMs)
        .delete();
      await trx("mailed_tokens").insert({ hash: hashOf(token), user, purpose, expires_at: now + LIFE_MS[purpose] });
      return token;
    });
  }

  /**
   * The user of a token that can be used. Refuses `BAD_TOKEN` for one that is unknown or has another purpose,
   * `TOKEN_USED`, and `TOKEN_EXPIRED` (422 each).
   */
  async ownerOf(token: string, purpose: Purpose, within: Knex = this.#database.knex): Promise<string> {
    const row: Row | undefined = await within("mailed_tokens")
      .where({ hash: hashOf(token), purpose })
      .first();
    if (!row) throw accountErrors.BAD_TOKEN({ field: "token" });
    if (row.used_at !== null) throw accountErrors.TOKEN_USED({ field: "token" });
    if (Number(row.expires_at) <= (await this.#now(within))) throw accountErrors.TOKEN_EXPIRED({ field: "token" });
    return row.user;
  }

  /** As `ownerOf`, and uses up the token with all others of its user and purpose. Of two at once, one is refused. */
  async use(token: string, purpose: Purpose, trx: Knex.Transaction): Promise<string> {
    const user = await this.ownerOf(token, purpose, trx);
    const now = await this.#now(trx);
    const used = await trx("mailed_tokens")
      .where({ hash: hashOf(token) })
      .whereNull("used_at")
      .update({ used_at: now });
    if (used === 0) throw accountErrors.TOKEN_USED({ field: "token" });
    await this.withdraw(user, purpose, trx);
    return user;
  }

  /** Uses up all tokens of a user for a purpose. */
  async withdraw(user: string, purpose: Purpose, trx: Knex): Promise<void> {
    const now = await this.#now(trx);
    await trx("mailed_tokens").where({ user, purpose }).whereNull("used_at").update({ used_at: now });
  }
}

interface Row {
  readonly user: string;
  readonly expires_at: number | string;
  readonly used_at: number | string | null;
}
