import { domainToASCII } from "node:url";
import type { Knex } from "knex";
import { isUniqueViolation, type Database, type Migration } from "@valence/runtime/database";
import { newId, rfc3339, type Clock } from "@valence/runtime/kernel";
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

/** Nodes of the release before add accounts without a key: they are found as they are written, and get theirs at a start. */
export const emailKeys: Migration = {
  name: "005-email-keys",
  async up(knex) {
    await knex.schema.alterTable("users", table => void table.string("email_key").unique());
    // Who wrote their address in its normal form has it; of two that differ in form only, the other one keeps his account.
    await knex("users").update({ email_key: knex.ref("email") });
    await eachPage(
      knex,
      users => users,
      async ({ id, email }) => {
        if (normalEmail(email) === email) return;
        await knex("users").where({ id }).update({ email_key: null });
        await setKey(knex, id, email);
      },
    );
  },
};

/** What others may see of a user: everything but the password's hash. */
export interface Person {
  id: string;
  email: string;
  name: string;
  roles: string[];
  createdAt: string;
}
export interface User {
  readonly person: Person;
  readonly passwordHash: string;
}

/**
 * What addresses are compared by: NFKC without case, a domain in letters as DNS has it. To most servers, and to all
 * customers, addresses that differ in nothing else are the same mailbox.
 */
export function normalEmail(email: string): string {
  const normal = email.normalize("NFKC").toLowerCase().normalize("NFKC");
  const at = normal.lastIndexOf("@");
  const domain = normal.slice(at + 1);
  // Of ASCII it would decode escapes, and read numbers as an address of the network.
  const isLetters = /[^ -~]/.test(domain) && !domain.includes("%");
  return isLetters ? `${normal.slice(0, at)}@${domainToASCII(domain) || domain}` : normal;
}

/** Rows of one page. */
const PAGE = 500;

/** Accounts in the order of their ids, page by page. */
async function eachPage(
  knex: Knex,
  of: (users: Knex.QueryBuilder) => Knex.QueryBuilder,
  work: (user: Pick<Row, "id" | "email">) => Promise<unknown>,
): Promise<void> {
  for (let after = ""; ;) {
    const rows: Pick<Row, "id" | "email">[] = await of(knex("users"))
      .where("id", ">", after)
      .orderBy("id")
      .limit(PAGE)
      .select("id", "email");
    for (const row of rows) await work(row);
    if (rows.length < PAGE) return;
    after = rows.at(-1)!.id;
  }
}

/** Gives an account its key, unless another one has it. */
const setKey = (knex: Knex, id: string, email: string): Knex.QueryBuilder => {
  const key = normalEmail(email);
  const taken = knex("users as others").where("others.email_key", key).select(knex.raw("1"));
  return knex("users").where({ id }).whereNotExists(taken).update({ email_key: key });
};

export class Users {
  readonly #database: Pick<Database, "knex">;
  readonly #clock: Clock;
  constructor(database: Pick<Database, "knex">, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
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
    };
    try {
      await this.#database.knex("users").insert(row);
    } catch (error) {
      if (isUniqueViolation(error)) throw accountErrors.EMAIL_TAKEN({ field: "email" });
      throw error;
    }
    return toUser(row).person;
  }

  /** In whichever form it is written. An account that is written just so goes before one that has its normal form. */
  async byEmail(email: string): Promise<User | undefined> {
    const written = email.toLowerCase();
    const rows: Row[] = await this.#database
      .knex("users")
      .whereIn("email", [written, writtenEmail(email)])
      .orWhere("email_key", normalEmail(email));
    const row = rows.find(row => row.email === written) ?? rows[0];
    return row && toUser(row);
  }
  async byId(id: string): Promise<User | undefined> {
    const row: Row | undefined = await this.#database.knex("users").where({ id }).first();
    return row && toUser(row);
  }
  /** Keys for the accounts that nodes of the release before have added. */
  async completeKeys(): Promise<void> {
    const { knex } = this.#database;
    await eachPage(
      knex,
      users => users.whereNull("email_key"),
      ({ id, email }) =>
        setKey(knex, id, email).catch((error: unknown) => {
          // Another start was quicker.
          if (!isUniqueViolation(error)) throw error;
        }),
    );
  }
  async setPassword(id: string, passwordHash: string): Promise<void> {
    await this.#database.knex("users").where({ id }).update({ password_hash: passwordHash });
  }
  /** A new hash of the same password; nothing happens when the password has changed meanwhile. */
  async replaceHash({ person, passwordHash }: User, fresh: string): Promise<void> {
    await this.#database
      .knex("users")
      .where({ id: person.id, password_hash: passwordHash })
      .update({ password_hash: fresh });
  }
}

/** As it is kept and shown: nodes of the release before look for it. */
const writtenEmail = (email: string): string => email.normalize("NFC").toLowerCase();

interface Row {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly roles: string;
  readonly password_hash: string;
  readonly created_at: string;
}

const toUser = ({ id, email, name, roles, password_hash, created_at }: Row): User => ({
  person: { id, email, name, roles: JSON.parse(roles), createdAt: created_at },
  passwordHash: password_hash,
});
