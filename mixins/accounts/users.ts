// The table of users. A password's hash never leaves the service; the rest of an account is its `Person`.
import type { Knex } from "knex";
import { badCursor, cursorOf, readCursor } from "../contract/index.ts";
import { isUniqueViolation, type Database, type Migration } from "../database/index.ts";
import { newId, rfc3339, type Clock } from "../kernel/index.ts";
import { ADMIN, type Person } from "./contract.ts";
import { normalEmail, writtenEmail } from "./email-keys.ts";
import { accountErrors } from "./errors.ts";

export const userTable: Migration = {
  name: "001-users",
  async up(knex) {
    await knex.schema.createTable("users", table => {
      table.string("id").primary();
      table.string("email").notNullable().unique();
      table.string("name").notNullable();
      table.string("roles").notNullable();
      table.string("password_hash").notNullable();
      table.string("created_at").notNullable();
    });
    await knex.schema.createTable("signing_keys", table => {
      table.string("kid").primary();
      table.text("public_jwk").notNullable();
      table.text("private_jwk").notNullable();
      table.string("created_at").notNullable();
    });
  },
};

/** When the owner of an account has shown that they read its mailbox; null until then. */
export const emailVerification: Migration = {
  name: "008-email-verification",
  up: knex => knex.schema.alterTable("users", table => void table.string("email_verified_at")),
};

export interface User {
  readonly person: Person;
  readonly passwordHash: string;
}

/** Accounts with this address, in any form of writing. */
const isAddress = (users: Knex.QueryBuilder, email: string): Knex.QueryBuilder =>
  users.whereIn("email", [email.toLowerCase(), writtenEmail(email)]).orWhere("email_key", normalEmail(email));

/** Names of roles have no characters with a meaning in `LIKE`. */
const hasRole = (role: string): string => `%"${role}"%`;

/** Newest first. */
const ORDER = "-id";
export interface Asked {
  readonly email?: string | undefined;
  readonly role?: string | undefined;
  readonly offset: number;
  readonly limit: number;
  /** Last row of the page before. */
  readonly cursor?: string | undefined;
}
export interface Page {
  readonly rows: Person[];
  readonly total: number;
  /** Absent on the last page. */
  readonly nextCursor?: string;
}

export class Users {
  readonly #database: Pick<Database, "knex">;
  readonly #clock: Clock;
  constructor(database: Pick<Database, "knex">, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** The same table within a transaction. */
  within(trx: Knex.Transaction): Users {
    return new Users({ knex: trx }, this.#clock);
  }

  /** Refuses `EMAIL_TAKEN`. */
  async add(user: { email: string; name: string; roles: string[]; passwordHash: string }): Promise<Person> {
    const row = {
      id: newId(),
      email: writtenEmail(user.email),
      email_key: normalEmail(user.email),
      name: user.name,
      roles: JSON.stringify(user.roles),
      password_hash: user.passwordHash,
      created_at: rfc3339(this.#clock.now()),
      email_verified_at: null,
    };
    try {
      await this.#database.knex("users").insert(row);
    } catch (error) {
      if (isUniqueViolation(error)) throw accountErrors.EMAIL_TAKEN({ field: "email" });
      throw error;
    }
    return toUser(row).person;
  }

  /** The account of an address in any form of writing. An exact match comes before a match of the normal form. */
  async byEmail(email: string): Promise<User | undefined> {
    const written = email.toLowerCase();
    const rows: Row[] = await this.#database.knex("users").where(users => void isAddress(users, email));
    const row = rows.find(row => row.email === written) ?? rows[0];
    return row && toUser(row);
  }
  async byId(id: string): Promise<User | undefined> {
    const row: Row | undefined = await this.#database.knex("users").where({ id }).first();
    return row && toUser(row);
  }
  /** A page of the accounts, newest first, and their total number. Refuses (422) a cursor of another list. */
  async page({ email, role, offset, limit, cursor }: Asked): Promise<Page> {
    const matching = (): Knex.QueryBuilder => {
      const users = this.#database.knex("users");
      if (email !== undefined) void users.where(written => void isAddress(written, email));
      if (role !== undefined) void users.whereLike("roles", hasRole(role));
      return users;
    };
    const rest = matching();
    if (cursor !== undefined) {
      const [last] = readCursor(cursor, ORDER, 1);
      if (typeof last !== "string") throw badCursor();
      void rest.where("id", "<", last);
    }
    const [counted, found] = await Promise.all([
      matching().count({ n: "*" }),
      // An id begins with the time at which it was made.
      rest
        .orderBy("id", "desc")
        .offset(offset)
        .limit(limit + 1),
    ]);
    const rows: Person[] = found.slice(0, limit).map((row: Row) => toUser(row).person);
    const last = found.length > limit ? rows.at(-1) : undefined;
    return { rows, total: Number(counted[0].n), ...(last && { nextCursor: cursorOf(ORDER, [last.id]) }) };
  }
  async hasAdministrator(): Promise<boolean> {
    return (await this.#administrators().first("id")) !== undefined;
  }
  async hasAdministratorBesides(id: string): Promise<boolean> {
    return (await this.#administrators().whereNot({ id }).first("id")) !== undefined;
  }
  #administrators(): Knex.QueryBuilder {
    return this.#database.knex("users").whereLike("roles", hasRole(ADMIN));
  }
  async setRoles(id: string, roles: readonly string[]): Promise<void> {
    await this.#database
      .knex("users")
      .where({ id })
      .update({ roles: JSON.stringify(roles) });
  }
  async setName(id: string, name: string): Promise<void> {
    await this.#database.knex("users").where({ id }).update({ name });
  }
  async setPassword(id: string, passwordHash: string): Promise<void> {
    await this.#database.knex("users").where({ id }).update({ password_hash: passwordHash });
  }
  async setEmailVerified(id: string): Promise<void> {
    await this.#database
      .knex("users")
      .where({ id })
      .whereNull("email_verified_at")
      .update({ email_verified_at: rfc3339(this.#clock.now()) });
  }
  /** When its owner has shown that they read the account's mailbox, in milliseconds since the epoch; undefined until then. */
  async emailVerifiedAt(id: string): Promise<number | undefined> {
    const row: Pick<Row, "email_verified_at"> | undefined = await this.#database
      .knex("users")
      .where({ id })
      .first("email_verified_at");
    return row?.email_verified_at ? Date.parse(row.email_verified_at) : undefined;
  }
  /**
   * Whether the user's password is still the one that was read. In a transaction: a change of it that is under way comes
   * first, and one that comes later waits.
   */
  async hasStill({ person, passwordHash }: User): Promise<boolean> {
    const own = this.#database.knex("users").where({ id: person.id, password_hash: passwordHash });
    return (await own.forShare().first("id")) !== undefined;
  }
  /** Holds the account until the end of the transaction: a change of its password comes before, or waits. */
  async hold(id: string): Promise<void> {
    await this.#database.knex("users").where({ id }).forShare().first("id");
  }
  /** Replaces a hash; answers false, and does nothing, when the password has changed meanwhile. */
  async replaceHash({ person, passwordHash }: User, fresh: string): Promise<boolean> {
    const replaced = await this.#database
      .knex("users")
      .where({ id: person.id, password_hash: passwordHash })
      .update({ password_hash: fresh });
    return replaced > 0;
  }
}

interface Row {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly roles: string;
  readonly password_hash: string;
  readonly created_at: string;
  readonly email_verified_at: string | null;
}

const toUser = ({ id, email, name, roles, password_hash, created_at, email_verified_at }: Row): User => ({
  person: {
    id,
    email,
    name,
    roles: JSON.parse(roles),
    emailVerified: email_verified_at !== null,
    createdAt: created_at,
  },
  passwordHash: password_hash,
});
