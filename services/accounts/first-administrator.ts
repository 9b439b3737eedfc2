// The administrator of a first start, made once and by the process itself: there is no action for it, since whatever is
// one can be called by any node of the bus, a protected one too. From when its password has been shown, or somebody else
// is an administrator, nothing here changes an account any more, whatever becomes of the seeding's own mark.
import type { Database, Migration } from "@valence/runtime/database";
import { isRefusal, rfc3339, type Clock } from "@valence/runtime/kernel";
import { Users } from "./users.ts";

export const firstAdministratorTable: Migration = {
  name: "003-first-administrator",
  up: knex =>
    knex.schema.createTable("first_administrator", table => {
      table.string("user").primary();
      table.string("shown_at");
    }),
};

/** `made`: it has this password. `kept`: there is one already. `taken`: the address belongs to a customer. */
export type Made = "made" | "kept" | "taken";

export class FirstAdministrator {
  readonly #database: Database;
  readonly #clock: Clock;
  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** May be repeated until it has been shown: a start that was killed before makes up another password next time. */
  async make(email: string, passwordHash: string): Promise<Made> {
    try {
      return await this.#database.transaction(
        async trx => {
          const users = new Users({ knex: trx }, this.#clock);
          const first = (await trx("first_administrator").first()) as { user: string; shown_at: unknown } | undefined;
          if (first && first.shown_at === null) {
            const own = await users.byEmail(email);
            if (own?.person.id !== first.user) return "kept";
            await users.setPassword(first.user, passwordHash);
            return "made";
          }
          if (first || (await trx("users").whereLike("roles", '%"admin"%').first())) return "kept";
          if (await users.byEmail(email)) return "taken";
          const roles = ["admin", "customer"];
          const { id } = await users.add({ email, name: "Administrator", roles, passwordHash });
          await trx("first_administrator").insert({ user: id });
          return "made";
        },
        { lock: "first-administrator" },
      );
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // Somebody registered with the address meanwhile, or another release's start was quicker.
      const owner = await new Users(this.#database, this.#clock).byEmail(email);
      return owner?.person.roles.includes("admin") ? "kept" : "taken";
    }
  }

  /** Its password is known to a person, from now on to nobody else. */
  async shown(): Promise<void> {
    await this.#database
      .knex("first_administrator")
      .whereNull("shown_at")
      .update({ shown_at: rfc3339(this.#clock.now()) });
  }
}
