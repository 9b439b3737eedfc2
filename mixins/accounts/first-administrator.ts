// The administrator of a first start, made once and by the process itself. There is no action for it: any node of the
// bus can call an action, even a protected one. As soon as the password has been shown, or another person is an
// administrator, this code changes no account any more.
//
//   1. `make` writes the account and records that its password has not been shown
//   2. the start shows the password to the person who started the process
//   3. `shown` records that; a start that is killed before makes up another password next time
import { randomBytes } from "node:crypto";
import type { Database, Migration } from "../database/index.ts";
import { isRefusal, rfc3339, type Clock } from "../kernel/index.ts";
import { ADMIN } from "./contract.ts";
import { Users } from "./users.ts";

export const firstAdministratorTable: Migration = {
  name: "003-first-administrator",
  up: knex =>
    knex.schema.createTable("first_administrator", table => {
      table.string("user").primary();
      table.string("shown_at");
    }),
};

/**
 * `made`: the account has this password. `kept`: there is an administrator already. `taken`: the address belongs to an
 * account without the role.
 */
export type Made = "made" | "kept" | "taken";

/** A password for people to copy: 96 random bits. */
export const madeUpPassword = (): string => randomBytes(12).toString("base64url");

/** The text that a start prints. It shows the password only if it was made up: one from the environment is known. */
export const administratorText = (email: string, madeUp: string | undefined): string =>
  `${email}, ${madeUp === undefined ? "the password in ADMIN_PASSWORD" : `password ${madeUp} (shown only now)`}`;

export class FirstAdministrator {
  readonly #database: Database;
  readonly #clock: Clock;
  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Whether `make` would change anything: asked first, since hashing a password takes time of the start. */
  async isWanted(): Promise<boolean> {
    const first = await this.#first();
    return first ? first.shown_at === null : !(await new Users(this.#database, this.#clock).hasAdministrator());
  }

  /** May be repeated until the password has been shown. `roles`: roles of the account besides `admin`. */
  async make(email: string, passwordHash: string, roles: readonly string[]): Promise<Made> {
    try {
      return await this.#database.transaction(
        async trx => {
          const users = new Users({ knex: trx }, this.#clock);
          const first = await this.#first(trx);
          if (first && first.shown_at === null) {
            const own = await users.byEmail(email);
            if (own?.person.id !== first.user) return "kept";
            await users.setPassword(first.user, passwordHash);
            return "made";
          }
          if (first || (await users.hasAdministrator())) return "kept";
          if (await users.byEmail(email)) return "taken";
          const { id } = await users.add({ email, name: "Administrator", roles: [ADMIN, ...roles], passwordHash });
          await trx("first_administrator").insert({ user: id });
          return "made";
        },
        { lock: "first-administrator" },
      );
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // A person has registered with the address meanwhile, or the start of another release was quicker.
      const owner = await new Users(this.#database, this.#clock).byEmail(email);
      return owner?.person.roles.includes(ADMIN) ? "kept" : "taken";
    }
  }

  /** Records that the password has been shown: from now on `make` gives it to no other start. */
  async shown(): Promise<void> {
    await this.#database
      .knex("first_administrator")
      .whereNull("shown_at")
      .update({ shown_at: rfc3339(this.#clock.now()) });
  }

  async #first(knex = this.#database.knex): Promise<{ user: string; shown_at: unknown } | undefined> {
    return knex("first_administrator").first();
  }
}
