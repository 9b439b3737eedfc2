// Mails to send, as rows: written in the transaction that gives the reason for a mail, so that a mail is sent exactly for
// what was committed. A row holds neither text nor token, only whom the mail is for and why.
//
//   1. `add`: the row is due at once
//   2. `claim`: it belongs to one node for half a minute, which sends it
//   3. `sent`, or `failed` for good with a reason; otherwise `later`
//
// A node that dies between the server's "accepted" and `sent` leaves a row whose half minute ends; the next node sends it
// once more under the same Message-ID, by which mailboxes drop the twin.
import type { Knex } from "knex";
import type { Database, Migration } from "../../database/index.ts";
import { backoffMs, newId } from "../../kernel/index.ts";
import { limits } from "../limits.ts";

export const outboxTable: Migration = {
  name: "010-mails",
  up: knex =>
    knex.schema.createTable("mails", table => {
      table.string("id").primary();
      table.string("kind").notNullable();
      table.string("user");
      table.string("email");
      table.bigInteger("created_at").notNullable();
      // Null once it is sent or given up.
      table.bigInteger("next_at").index();
      table.integer("attempts").notNullable().defaultTo(0);
      table.bigInteger("sent_at");
      table.bigInteger("failed_at");
      table.string("reason");
    }),
};

export type MailKind = "verify-email" | "reset-password" | "password-changed";

/** Whom a mail is for: a user, or the owner of an address that somebody typed. */
export type NewMail =
  { readonly kind: MailKind; readonly user: string } | { readonly kind: "reset-password"; readonly email: string };

export interface DueMail {
  readonly id: string;
  readonly kind: MailKind;
  readonly user: string | undefined;
  readonly email: string | undefined;
  /** Milliseconds since the epoch, on the database's clock. */
  readonly createdAt: number;
  /** Attempts, this one included. */
  readonly attempts: number;
}

export class Outbox {
  readonly #database: Database;
  readonly #now: (within: Knex) => Promise<number>;
  /** `now`: milliseconds since the epoch, for tests. Default: on the database's clock. */
  constructor(database: Database, now = (within: Knex): Promise<number> => database.now(within)) {
    this.#database = database;
    this.#now = now;
  }

  /** `within`: the transaction that gives the reason. */
  async add(mail: NewMail, within: Knex = this.#database.knex): Promise<void> {
    const now = await this.#now(within);
    await within("mails").insert({ id: newId(), ...mail, created_at: now, next_at: now });
  }

  /** Takes mails that are due; no other node gets them before their half minute ends. */
  async claim(max: number): Promise<DueMail[]> {
    const { knex } = this.#database;
    const now = await this.#now(knex);
    const due: Row[] = await knex("mails").where("next_at", "<=", now).orderBy("next_at").limit(max);
    const claimed: DueMail[] = [];
    for (const { id, kind, user, email, created_at, next_at, attempts } of due) {
      const mine = await knex("mails")
        .where({ id, next_at })
        .update({ next_at: now + limits.mailLeaseMs, attempts: attempts + 1 });
      if (mine === 0) continue;
      const createdAt = Number(created_at);
      claimed.push({ id, kind, user: user ?? undefined, email: email ?? undefined, createdAt, attempts: attempts + 1 });
    }
    return claimed;
  }

  async sent(id: string): Promise<void> {
    const { knex } = this.#database;
    await knex("mails")
      .where({ id })
      .update({ next_at: null, sent_at: await this.#now(knex), reason: null });
  }

  async failed(id: string, reason: string): Promise<void> {
    const { knex } = this.#database;
    await knex("mails")
      .where({ id })
      .update({ next_at: null, failed_at: await this.#now(knex), reason: reason.slice(0, 200) });
  }

  /** Tries again after a while, or gives the mail up when it is a day old. Answers whether it will be tried again. */
  async later({ id, createdAt, attempts }: DueMail, reason: string): Promise<boolean> {
    const { knex } = this.#database;
    const now = await this.#now(knex);
    if (now - createdAt >= limits.mailLifeMs) {
      await this.failed(id, reason);
      return false;
    }
    const pause = backoffMs(attempts, { baseMs: limits.mailRetryMs, capMs: limits.mailRetryMsMax });
    await knex("mails")
      .where({ id })
      .update({ next_at: now + pause, reason: reason.slice(0, 200) });
    return true;
  }

  /** Milliseconds until the next mail is due; undefined without one. */
  async nextInMs(): Promise<number | undefined> {
    const { knex } = this.#database;
    const first = (await knex("mails").whereNotNull("next_at").min({ at: "next_at" }).first()) as { at: unknown };
    return first.at === null ? undefined : Math.max(0, Number(first.at) - (await this.#now(knex)));
  }

  /** Forgets mails that were sent or given up a week ago. */
  async forgetOld(): Promise<void> {
    const { knex } = this.#database;
    const before = (await this.#now(knex)) - limits.mailKeptMs;
    await knex("mails").whereNull("next_at").where("created_at", "<", before).delete();
  }
}

interface Row {
  readonly id: string;
  readonly kind: MailKind;
  readonly user: string | null;
  readonly email: string | null;
  readonly created_at: number | string;
  readonly next_at: number | string;
  readonly attempts: number;
}
