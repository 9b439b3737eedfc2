// Mails to send, as rows: written in the transaction that gives the reason for a mail, so that a mail is sent exactly for
// what was committed. A row holds neither text nor token, only the fields from which its service writes the letter.
//
//   1. `add`: the row is due at once
//   2. `claim`: it belongs to one node for half a minute, which sends it
//   3. `handing`: the server gets the text now, which counts from here on as sent, perhaps
//   4. `sent`, or `failed` for good with a reason; otherwise `later`
//
// A node that dies between 3 and 4, and a server that then says nothing, leave a row whose mail may have been taken. The next
// node sends it once more under the same Message-ID, by which mailboxes drop the twin, and never a third time.
import type { Knex } from "knex";
import type { Database, Migration } from "../database/index.ts";
import { backoffMs, newId } from "../kernel/index.ts";
import { tracing } from "../tracing/index.ts";
import { limits } from "./limits.ts";

/** The step that makes the table `mails` in a service's database, with fields of its own. */
export const mailTable = (name: string, ownFields: (table: Knex.CreateTableBuilder) => void): Migration => ({
  name,
  up: knex =>
    knex.schema.createTable("mails", table => {
      table.string("id").primary();
      table.string("kind").notNullable();
      ownFields(table);
      table.bigInteger("created_at").notNullable();
      // Null once it is sent or given up.
      table.bigInteger("next_at").index();
      table.integer("attempts").notNullable().defaultTo(0);
      table.bigInteger("sent_at");
      table.bigInteger("failed_at");
      table.string("reason");
    }),
});

/** The step that lets a mail be sent in the trace of the work that asked for it. Needed where the process traces. */
export const mailTraces = (name: string): Migration => ({
  name,
  up: knex => knex.schema.alterTable("mails", table => void table.string("cause")),
});

/** The step that counts how often a server has had a mail's text. Needed to send. */
export const mailHandings = (name: string): Migration => ({
  name,
  up: knex => knex.schema.alterTable("mails", table => void table.integer("handed").notNullable().defaultTo(0)),
});

/** The fields by which a service knows what a mail is about: its kind, and those that it has added to the table. */
export interface MailOf {
  readonly kind: string;
}

/** A row that one node sends. */
export type DueMail<Own extends MailOf> = Own & {
  readonly id: string;
  /** Milliseconds since the epoch, on the database's clock. */
  readonly createdAt: number;
  /** Attempts, this one included. */
  readonly attempts: number;
  /** Times that a server has had its text and nobody knows whether it took it. */
  readonly handed: number;
  /** The `traceparent` of the work that asked for it. */
  readonly cause?: string;
};

export interface OutboxOptions {
  /** Time in milliseconds after which a mail is given up. */
  readonly lifeMs: number;
  /** Time in milliseconds for which the row of a mail that was sent or given up is kept. */
  readonly keptMs: number;
}

export class Outbox<Own extends MailOf> {
  readonly #database: Database;
  readonly #options: OutboxOptions;
  readonly #now: (within: Knex) => Promise<number>;
  /** `now`: milliseconds since the epoch, for tests. Default: on the database's clock. */
  constructor(
    database: Database,
    options: OutboxOptions,
    now = (within: Knex): Promise<number> => database.now(within),
  ) {
    this.#database = database;
    this.#options = options;
    this.#now = now;
  }

  /** `within`: the transaction that gives the reason. An `id`, a UUID, that is there already adds nothing. */
  async add(mail: Own & { readonly id?: string }, within: Knex = this.#database.knex): Promise<void> {
    const now = await this.#now(within);
    const cause = tracing()?.current()?.traceparent;
    const row = { id: newId(), ...mail, created_at: now, next_at: now, ...(cause !== undefined && { cause }) };
    await within("mails").insert(row).onConflict("id").ignore();
  }

  /** Takes mails that are due; no other node gets them before their half minute ends. */
  async claim(max: number): Promise<DueMail<Own>[]> {
    const { knex } = this.#database;
    const now = await this.#now(knex);
    const due: Row[] = await knex("mails").where("next_at", "<=", now).orderBy("next_at").limit(max);
    const claimed: DueMail<Own>[] = [];
    for (const row of due) {
      const { id, next_at } = row;
      const attempts = row.attempts + 1;
      const mine = await knex("mails")
        .where({ id, next_at })
        .update({ next_at: now + limits.leaseMs, attempts });
      if (mine === 0) continue;
      const cause = row.cause ?? undefined;
      const known = {
        id,
        createdAt: Number(row.created_at),
        attempts,
        handed: row.handed,
        ...(cause !== undefined && { cause }),
      };
      claimed.push({ ...(ownFieldsOf(row) as Own), ...known });
    }
    return claimed;
  }

  /** A server gets the text of a mail now. */
  async handing({ id, handed }: DueMail<MailOf>): Promise<void> {
    await this.#own(id).update({ handed: handed + 1 });
  }

  /** A server takes its time: the mail belongs to this node for longer. */
  async keep(id: string): Promise<void> {
    await this.#own(id).update({ next_at: (await this.#now(this.#database.knex)) + limits.leaseMs });
  }

  async sent(id: string): Promise<void> {
    await this.#end(id, { sent_at: await this.#now(this.#database.knex), reason: null });
  }

  async failed(id: string, reason: string): Promise<void> {
    await this.#end(id, { failed_at: await this.#now(this.#database.knex), reason: shortened(reason) });
  }

  /**
   * Tries again after a while, or gives the mail up when it is too old. Answers whether it will be tried again. `isHeld`:
   * with the longer pauses of a mail that waits for a person, or for a server that may have taken it. `handed`: times that
   * a server has had it without an answer, this attempt included.
   */
  async later(
    { id, createdAt, attempts, handed: before }: DueMail<MailOf>,
    reason: string,
    { isHeld = false, handed = before }: { readonly isHeld?: boolean; readonly handed?: number } = {},
  ): Promise<boolean> {
    const now = await this.#now(this.#database.knex);
    if (now - createdAt >= this.#options.lifeMs || handed >= limits.handedMax) {
      await this.failed(id, reason);
      return false;
    }
    const [baseMs, capMs] = isHeld ? [limits.heldMs, limits.heldMsMax] : [limits.retryMs, limits.retryMsMax];
    const next_at = now + backoffMs(attempts, { baseMs, capMs });
    await this.#own(id).update({ next_at, handed, reason: shortened(reason) });
    return true;
  }

  /** Milliseconds until the next mail is due; undefined without one. */
  async nextInMs(): Promise<number | undefined> {
    const { knex } = this.#database;
    const first = (await knex("mails").whereNotNull("next_at").min({ at: "next_at" }).first()) as { at: unknown };
    return first.at === null ? undefined : Math.max(0, Number(first.at) - (await this.#now(knex)));
  }

  /** How many mails are due and not yet sent. */
  async waiting(): Promise<number> {
    const { knex } = this.#database;
    const now = await this.#now(knex);
    const [row] = await knex("mails").where("next_at", "<=", now).count({ waiting: "*" });
    return Number(row!["waiting"]);
  }

  /** Forgets mails that were sent or given up long ago. */
  async forgetOld(): Promise<void> {
    const { knex } = this.#database;
    const before = (await this.#now(knex)) - this.#options.keptMs;
    await knex("mails").whereNull("next_at").where("created_at", "<", before).delete();
  }

  async #end(id: string, outcome: object): Promise<void> {
    await this.#own(id).update({ next_at: null, ...outcome });
  }
  #own(id: string): Knex.QueryBuilder {
    return this.#database.knex("mails").where({ id });
  }
}

interface Row extends Record<string, unknown> {
  readonly id: string;
  readonly created_at: number | string;
  readonly next_at: number | string;
  readonly attempts: number;
  readonly handed: number;
  readonly cause?: string | null;
}

const COMMON = new Set([
  "id",
  "created_at",
  "next_at",
  "attempts",
  "sent_at",
  "failed_at",
  "reason",
  "cause",
  "handed",
]);

/** The kind, and the fields of the service; absent where the row has none. */
const ownFieldsOf = (row: Row): object =>
  Object.fromEntries(Object.entries(row).filter(([name, value]) => !COMMON.has(name) && value !== null));

const shortened = (reason: string): string => reason.slice(0, limits.reasonCharsMax);
