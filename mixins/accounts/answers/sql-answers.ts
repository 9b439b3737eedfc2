// First answers to Idempotency-Keys in SQL, a row a key, by the database's clock. A claim reads and writes in one
// transaction that locks the key's row; of several that insert it at once, one does.
import type { Database, Migration } from "../../database/index.ts";
import { limits as gatewayLimits, type AnswerStore, type Claim, type Claimed } from "../../gateway/index.ts";
import { limits } from "../limits.ts";

export const answerTable: Migration = {
  name: "030-idempotency-keys",
  up: knex =>
    knex.schema.createTable("idempotency_keys", table => {
      table.string("scope").primary();
      table.string("fingerprint").notNullable();
      table.string("owner").notNullable();
      table.bigInteger("lease_ends_at").notNullable();
      /** Null while the request runs. */
      table.bigInteger("done_at");
      /** Null also for an answer that is not kept. */
      table.text("answer");
      table.bigInteger("expires_at").notNullable().index();
    }),
};

interface Row {
  readonly fingerprint: string;
  readonly lease_ends_at: number | string;
  readonly done_at: number | string | null;
  readonly answer: string | null;
  readonly expires_at: number | string;
}

export class SqlAnswers implements AnswerStore {
  readonly #database: Database;
  #sweptAt = -Infinity;
  constructor(database: Database) {
    this.#database = database;
  }

  async claim({ scope, fingerprint, owner }: Claim, leaseMs: number): Promise<Claimed> {
    await this.#sweep();
    return this.#database.transaction(async trx => {
      const now = await this.#database.now(trx);
      const own = { fingerprint, owner, lease_ends_at: now + leaseMs, done_at: null, answer: null };
      const row = { ...own, expires_at: now + gatewayLimits.answerKeptMs };
      const inserted = await trx("idempotency_keys")
        .insert({ scope, ...row })
        .onConflict("scope")
        .ignore()
        .returning("scope");
      if (inserted.length > 0) return { state: "owned" };
      const known = (await trx("idempotency_keys").where({ scope }).forUpdate().first()) as Row | undefined;
      // Given back since we tried to insert it: the client comes again in a moment.
      if (!known) return { state: "running", endsInMs: 0 };
      const isExpired = Number(known.expires_at) <= now;
      if (!isExpired && known.fingerprint !== fingerprint) return { state: "other" };
      if (!isExpired && known.done_at !== null)
        return { state: "done", ...(known.answer !== null && { answer: known.answer }) };
      const endsInMs = Number(known.lease_ends_at) - now;
      if (!isExpired && endsInMs > 0) return { state: "running", endsInMs };
      await trx("idempotency_keys").where({ scope }).update(row);
      return { state: "owned" };
    });
  }

  async finish({ scope, owner }: Pick<Claim, "scope" | "owner">, answer?: string): Promise<boolean> {
    return this.#database.transaction(async trx => {
      const now = await this.#database.now(trx);
      const done = { done_at: now, answer: answer ?? null, expires_at: now + gatewayLimits.answerKeptMs };
      return (await trx("idempotency_keys").where({ scope, owner }).update(done)) > 0;
    });
  }

  async release({ scope, owner }: Pick<Claim, "scope" | "owner">): Promise<void> {
    await this.#database.transaction(trx =>
      trx("idempotency_keys").where({ scope, owner }).whereNull("done_at").delete(),
    );
  }

  /** Removes some expired rows, once a minute. Processes take turns: two at once may each wait for a row of the other. */
  async #sweep(): Promise<void> {
    if (performance.now() - this.#sweptAt < limits.answersSweptMs) return;
    this.#sweptAt = performance.now();
    await this.#database.transaction(
      async trx => {
        const now = await this.#database.now(trx);
        const expired = trx("idempotency_keys").where("expires_at", "<=", now).limit(limits.answersSweptMax);
        await trx("idempotency_keys").whereIn("scope", expired.select("scope")).delete();
      },
      { lock: "idempotency-keys" },
    );
  }
}
