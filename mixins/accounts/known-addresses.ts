// The network addresses from which each account has been logged in to. Failed attempts from other addresses cannot lock
// the owner out at these. An address is kept as a hash together with the password's hash: the table shows no addresses,
// and a new password forgets them.
import { hash } from "node:crypto";
import type { Database, Migration } from "../database/index.ts";
import type { Clock } from "../kernel/index.ts";
import { limits } from "./limits.ts";
import type { User } from "./users.ts";

export const knownAddressTable: Migration = {
  name: "004-known-addresses",
  up: knex =>
    knex.schema.createTable("known_addresses", table => {
      table.string("user").notNullable();
      table.string("address").notNullable();
      table.bigInteger("seen_at").notNullable();
      table.primary(["user", "address"]);
    }),
};

export class KnownAddresses {
  readonly #database: Database;
  readonly #clock: Clock;
  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  async has(user: User, address: string): Promise<boolean> {
    return (await this.#seenAt(user, address)) > this.#clock.now() - limits.knownAddressMs;
  }

  /** Writes at most once a day, so that frequent log-ins do not keep the database busy. */
  async remember(user: User, address: string): Promise<void> {
    const now = this.#clock.now();
    if ((await this.#seenAt(user, address)) > now - limits.knownAddressRenewMs) return;
    const row = { user: user.person.id, address: hashOf(user, address), seen_at: now };
    const { knex } = this.#database;
    await knex("known_addresses").insert(row).onConflict(["user", "address"]).merge();
    const own = knex("known_addresses").where({ user: row.user });
    const newest: string[] = await own
      .clone()
      .orderBy("seen_at", "desc")
      .limit(limits.knownAddressesMax)
      .pluck("address");
    await own
      .clone()
      .where(rest => void rest.whereNotIn("address", newest).orWhere("seen_at", "<", now - limits.knownAddressMs))
      .delete();
  }

  async #seenAt(user: User, address: string): Promise<number> {
    const key = { user: user.person.id, address: hashOf(user, address) };
    const row = (await this.#database.knex("known_addresses").where(key).first()) as { seen_at: unknown } | undefined;
    return Number(row?.seen_at ?? 0);
  }
}

const hashOf = ({ passwordHash }: User, address: string): string =>
  hash("sha256", `${passwordHash} ${address}`, "base64url");
