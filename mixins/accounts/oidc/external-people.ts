// People of the external issuer. A person is known by issuer and subject, which never change; a first visit makes an account,
// or finds one. Whose account that may be is the question that decides:
//
//   1. a subject that has an account has that one, whatever its e-mail address says today
//   2. an address that the issuer has verified, and an account has: the account is theirs if no subject is linked to it yet.
//      Unless the account's owner has shown us that they read this mailbox, nobody knows who opened it: all ways into it end,
//      its password, its sessions, its keys. Otherwise a stranger could open an account in somebody's name and wait for its
//      owner to fill it (pre-hijacking, https://www.usenix.org/conference/usenixsecurity22/presentation/sudhodanan)
//   3. any other subject gets an account of its own; with the address if the issuer has verified it, else with one that no
//      mail can reach (`.invalid`, RFC 2606): an address that nobody verified may be somebody else's
import { hash } from "node:crypto";
import type { Knex } from "knex";
import { isUniqueViolation, type Database, type Migration } from "../../database/index.ts";
import { normalText, type Clock } from "../../kernel/index.ts";
import type { Person } from "../contract.ts";
import { limits } from "../limits.ts";
import { Users } from "../users.ts";
import type { ExternalClaims } from "./issuer.ts";

export const externalPeopleTable: Migration = {
  name: "022-external-people",
  up: knex =>
    knex.schema.createTable("external_people", table => {
      table.string("issuer").notNullable();
      table.string("subject").notNullable();
      table.string("user").notNullable().index();
      table.bigInteger("linked_at").notNullable();
      table.primary(["issuer", "subject"]);
    }),
};

export interface ExternalPeopleOptions {
  readonly database: Database;
  readonly clock: Clock;
  /** Roles of each new account. */
  readonly registered: readonly string[];
  /** The hash of a password that nobody knows. */
  readonly unknownPassword: () => Promise<string>;
  /** Ends the sessions and keys of a user, in the transaction that gives the account another owner. */
  readonly endEverything: (user: string, trx: Knex.Transaction) => Promise<void>;
  /** Called when they have ended. */
  readonly credentialsChanged: (user: string) => void;
  /** Called with a line of the log about each account that was made or linked. */
  readonly say: (line: string) => void;
}

export class ExternalPeople {
  readonly #options: ExternalPeopleOptions;
  constructor(options: ExternalPeopleOptions) {
    this.#options = options;
  }

  /** Id of the account of a verified token's subject; makes or links one at the first visit. */
  async personOf(claims: ExternalClaims): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      const known = await this.#known(claims);
      if (known !== undefined) return known;
      try {
        return await this.#welcome(claims);
      } catch (error) {
        // Another node was quicker, or somebody registered with the address meanwhile.
        if (attempt === ATTEMPTS || !isRace(error)) throw error;
      }
    }
  }

  async #known({ issuer, subject }: ExternalClaims): Promise<string | undefined> {
    const { knex } = this.#options.database;
    const row = await knex("external_people").where({ issuer, subject }).first<{ user: string } | undefined>("user");
    return row?.user;
  }

  async #welcome(claims: ExternalClaims): Promise<string> {
    const { database, clock, endEverything, credentialsChanged, say } = this.#options;
    const { issuer, subject, email } = claims;
    const passwordHash = await this.#options.unknownPassword();
    const { user, how } = await database.transaction(
      async trx => {
        const users = new Users({ knex: trx }, clock);
        const found = email === undefined ? undefined : await this.#unlinked(email, trx);
        const isTakenOver = found && !found.emailVerified;
        if (isTakenOver) {
          await users.setPassword(found.id, passwordHash);
          // After it has taken the row: a log-in by the old password is ended here, or sees the new one.
          await endEverything(found.id, trx);
        }
        const isTaken = !found && email !== undefined && (await users.byEmail(email)) !== undefined;
        const address = isTaken ? undefined : email;
        const user = found ?? (await users.add(this.#newPerson({ ...claims, email: address }, passwordHash)));
        if (address !== undefined) await users.setEmailVerified(user.id);
        await trx("external_people").insert({ issuer, subject, user: user.id, linked_at: clock.now() });
        return { user: user.id, how: !found ? "made" : isTakenOver ? "taken over" : "linked" };
      },
      { lock: "external-people" },
    );
    if (how === "taken over") credentialsChanged(user);
    say(`user ${user} ${how} at the first visit of a subject of ${issuer}`);
    return user;
  }

  /** The account of an address, if no subject is linked to it. */
  async #unlinked(email: string, knex: Knex = this.#options.database.knex): Promise<Person | undefined> {
    const owned = (await new Users({ knex }, this.#options.clock).byEmail(email))?.person;
    const linked = owned && (await knex("external_people").where({ user: owned.id }).first("user"));
    return linked ? undefined : owned;
  }

  #newPerson({ issuer, subject, email, name }: ExternalClaims, passwordHash: string) {
    const unreachable = `${hash("sha256", `${issuer} ${subject}`).slice(0, UNREACHABLE_DIGITS)}@external.invalid`;
    const shown = name === undefined || name.length > limits.nameCharsMax ? undefined : normalText(name);
    return {
      email: email ?? unreachable,
      name: shown || "Unnamed",
      roles: [...this.#options.registered],
      passwordHash,
    };
  }
}

const ATTEMPTS = 3;
const UNREACHABLE_DIGITS = 32;

const isRace = (error: unknown): boolean =>
  isUniqueViolation(error) || (error as { type?: unknown } | null)?.type === "EMAIL_TAKEN";
