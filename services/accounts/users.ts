import { isUniqueViolation, type Database, type Migration } from "../../mixins/database/index.ts";
import { newId, Refusal, rfc3339, type Clock } from "../../mixins/kernel/index.ts";

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

/** Addresses are compared without case: to most servers, and to all customers, they are the same mailbox. */
export const normalEmail = (email: string): string => email.toLowerCase();

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
      email: normalEmail(user.email),
      name: user.name,
      roles: JSON.stringify(user.roles),
      password_hash: user.passwordHash,
      created_at: rfc3339(this.#clock.now()),
    };
    try {
      await this.#database.knex("users").insert(row);
    } catch (error) {
      if (isUniqueViolation(error)) throw new Refusal("EMAIL_TAKEN", { field: "email" });
      throw error;
    }
    return toUser(row).person;
  }

  byEmail(email: string): Promise<User | undefined> {
    return this.#find({ email: normalEmail(email) });
  }
  byId(id: string): Promise<User | undefined> {
    return this.#find({ id });
  }
  async setPassword(id: string, passwordHash: string): Promise<void> {
    await this.#database.knex("users").where({ id }).update({ password_hash: passwordHash });
  }

  async #find(where: { id: string } | { email: string }): Promise<User | undefined> {
    const row: Row | undefined = await this.#database.knex("users").where(where).first();
    return row && toUser(row);
  }
}

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
