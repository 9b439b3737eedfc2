// The administrator of a first start, made once and by the process itself. No action makes one: whatever is an action can be
// called by any node of the bus, a protected one too. As soon as its password has been shown, or somebody else is an
// administrator, nothing here changes an account any more.
//
//   1. `make` writes the account and notes that nobody has seen its password
//   2. the start shows the password to the person who started the process
//   3. `shown` notes that; a start that is killed before makes up another password next time
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

/** `made`: it has this password. `kept`: there is one already. `taken`: the address belongs to an account without the role. */
export type Made = "made" | "kept" | "taken";

/** A password for a person to copy: 96 random bits. */
export const madeUpPassword = (): string => randomBytes(12).toString("base64url");

/** What a start tells of it. Only a password that was made up is shown: one that the environment gave is known. */
export const administratorText = (email: string, madeUp: string | undefined): string =>
  `${email}, ${madeUp === undefined ? "the password in ADMIN_PASSWORD" : `password ${madeUp} (shown only now)`}`;

export class FirstAdministrator {
  readonly #database: Database;
  readonly #clock: Clock;
  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Whether `make` would do something: asked first, since hashing a password costs a start its time. */
  async isWanted(): Promise<boolean> {
    const first = await this.#first();
    return first ? first.shown_at === null : !(await new Users(this.#database, this.#clock).hasAdministrator());
  }

  /** May be repeated until its password has been shown. `roles`: those that it gets besides `admin`. */
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
      // Somebody registered with the address meanwhile, or another release's start was quicker.
      const owner = await new Users(this.#database, this.#clock).byEmail(email);
      return owner?.person.roles.includes(ADMIN) ? "kept" : "taken";
    }
  }

  /** A person knows the password, and from now on nobody else gets to know one. */
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
