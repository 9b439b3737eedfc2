// The webhooks that there are: who gets which public events, and how it goes. Times are those of the database.
import type { Knex } from "knex";
import type { Database } from "../../database/index.ts";
import { newId, rfc3339 } from "../../kernel/index.ts";
import { streamErrors } from "../errors.ts";
import { limits } from "./limits.ts";
import { newSecret } from "./signature.ts";

/** `disabled`: it has failed for long, or has said that it is gone. Nothing is noted for it until it is resumed. */
export type WebhookState = "active" | "paused" | "disabled";

/** A webhook as it is shown. Its secret is shown once, when it is made. */
export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly state: WebhookState;
  readonly reason?: string;
  readonly createdAt: string;
  readonly lastSuccessAt?: string;
  /** Failures since the last success. */
  readonly failures: number;
  /** Until then nothing is sent. */
  readonly heldUntil?: string;
}

/** The target of a delivery. */
export interface Target {
  readonly id: string;
  readonly url: string;
  /** The newest first. */
  readonly secrets: readonly string[];
  readonly failures: number;
  readonly heldUntil: number;
}

/** A failure, as far as it speaks of the webhook itself. */
export interface Failing {
  readonly reason: string;
  /** It cannot be reached, or asks for time: others would fail as well. */
  readonly holdMs?: number;
  /** It says that it is gone. */
  readonly isGone: boolean;
}

export class Webhooks {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  /** The answer alone has the secret. Throws Refusal `TOO_MANY_WEBHOOKS`. */
  async add(url: string, events: readonly string[]): Promise<Webhook & { secret: string }> {
    const id = newId();
    const secret = newSecret();
    const row = await this.#database.transaction(
      async trx => {
        const [counted] = await trx("webhooks").count({ n: "*" });
        if (Number(counted!["n"]) >= limits.webhooksMax)
          throw streamErrors.TOO_MANY_WEBHOOKS({ webhooks: limits.webhooksMax });
        const created_at = await this.#database.now(trx);
        await trx("webhooks").insert({ id, url, events: JSON.stringify(events), state: "active", secret, created_at });
        return trx("webhooks").where({ id }).first();
      },
      { lock: "webhooks" },
    );
    return { ...shown(row), secret };
  }

  async list(): Promise<Webhook[]> {
    const rows: Row[] = await this.#database.knex("webhooks").orderBy("id");
    return rows.map(shown);
  }

  /** Throws Refusal `WEBHOOK_NOT_FOUND`. */
  async pause(id: string): Promise<Webhook> {
    return this.#change(id, { state: "paused" });
  }

  /** Begins anew, with nothing held against it. Throws Refusal `WEBHOOK_NOT_FOUND`. */
  async resume(id: string): Promise<Webhook> {
    return this.#change(id, { state: "active", reason: null, ...NO_FAILURES });
  }

  /** With its deliveries. Throws Refusal `WEBHOOK_NOT_FOUND`. */
  async remove(id: string): Promise<void> {
    await this.#database.transaction(async trx => {
      if ((await trx("webhooks").where({ id }).delete()) === 0) throw notFound(id);
      await trx("webhook_deliveries").where({ webhook: id }).delete();
    });
  }

  /** A new secret; the one before signs beside it for a day. Throws Refusal `WEBHOOK_NOT_FOUND`. */
  async rotate(id: string): Promise<{ secret: string; oldSecretUntil: string }> {
    const secret = newSecret();
    const until = await this.#database.transaction(async trx => {
      const row: Row | undefined = await trx("webhooks").where({ id }).forUpdate().first();
      if (!row) throw notFound(id);
      const old_secret_until = (await this.#database.now(trx)) + limits.oldSecretMs;
      await trx("webhooks").where({ id }).update({ secret, old_secret: row.secret, old_secret_until });
      return old_secret_until;
    });
    return { secret, oldSecretUntil: rfc3339(until) };
  }

  /** Throws Refusal `WEBHOOK_NOT_FOUND`. */
  async target(id: string): Promise<Target> {
    const row: Row | undefined = await this.#database.knex("webhooks").where({ id }).first();
    if (!row) throw notFound(id);
    return targetOf(row, await this.#database.now());
  }

  /** Active ones, also those that are held. */
  async targets(now: number): Promise<Target[]> {
    const rows: Row[] = await this.#database.knex("webhooks").where({ state: "active" });
    return rows.map(row => targetOf(row, now));
  }

  /** Whether there is a webhook for the event, be it disabled: it may get the event again one day. */
  async isWanted(event: string): Promise<boolean> {
    const rows: Row[] = await this.#database.knex("webhooks").select("events");
    return rows.some(row => eventsOf(row).includes(event));
  }

  /**
   * Ids of those that want the event, paused ones as well; not those that were made long after it. None of them can be removed
   * before the transaction ends: a delivery that is written meanwhile would stay.
   */
  async wanting(event: string, atMs: number, trx: Knex.Transaction): Promise<string[]> {
    const rows: Row[] = await trx("webhooks").whereNot({ state: "disabled" }).orderBy("id").forKeyShare();
    return rows
      .filter(row => Number(row.created_at) - limits.beforeMadeMs <= atMs && eventsOf(row).includes(event))
      .map(({ id }) => id);
  }

  /** The webhook is not removed before the transaction ends. Throws Refusal `WEBHOOK_NOT_FOUND`. */
  async keep(id: string, trx: Knex.Transaction): Promise<void> {
    if (!(await trx("webhooks").where({ id }).forKeyShare().first("id"))) throw notFound(id);
  }

  async succeeded({ id, failures }: Target, now: number): Promise<void> {
    const own = this.#database.knex("webhooks").where({ id });
    if (failures === 0)
      void own.where(rows => void rows.whereNull("succeeded_at").orWhere("succeeded_at", "<", now - limits.notedMs));
    await own.update({ succeeded_at: now, ...NO_FAILURES });
  }

  /** Answers whether it is disabled from now on. */
  failed({ id }: Target, now: number, { reason, holdMs, isGone }: Failing): Promise<boolean> {
    return this.#database.transaction(async trx => {
      const row: Row | undefined = await trx("webhooks").where({ id, state: "active" }).forUpdate().first();
      if (!row) return false;
      const pauseMs = row.failed_at === null ? 0 : Math.max(0, now - Number(row.failed_at));
      const failing_ms = Number(row.failing_ms) + Math.min(pauseMs, limits.failingPauseMsMax);
      const isDisabled = isGone || failing_ms >= limits.disableMs;
      await trx("webhooks")
        .where({ id })
        .update({
          failures: row.failures + 1,
          failed_at: now,
          failing_ms,
          ...(holdMs !== undefined && { held_until: Math.max(now + holdMs, Number(row.held_until ?? 0)) }),
          ...(isDisabled && { state: "disabled", reason }),
        });
      return isDisabled;
    });
  }

  async disabled(): Promise<Webhook[]> {
    const rows: Row[] = await this.#database.knex("webhooks").where({ state: "disabled" });
    return rows.map(shown);
  }

  async #change(id: string, change: object): Promise<Webhook> {
    const { knex } = this.#database;
    if ((await knex("webhooks").where({ id }).update(change)) === 0) throw notFound(id);
    return shown(await knex("webhooks").where({ id }).first());
  }
}

const NO_FAILURES = { failures: 0, failed_at: null, failing_ms: 0, held_until: null };

const notFound = (id: string): Error => streamErrors.WEBHOOK_NOT_FOUND({ field: "id", id });

interface Row {
  readonly id: string;
  readonly url: string;
  readonly events: string;
  readonly state: WebhookState;
  readonly reason: string | null;
  readonly secret: string;
  readonly old_secret: string | null;
  readonly old_secret_until: number | string | null;
  readonly created_at: number | string;
  readonly succeeded_at: number | string | null;
  readonly failures: number;
  readonly failed_at: number | string | null;
  readonly failing_ms: number | string;
  readonly held_until: number | string | null;
}

const eventsOf = ({ events }: Row): string[] => JSON.parse(events) as string[];

const shown = (row: Row): Webhook => ({
  id: row.id,
  url: row.url,
  events: eventsOf(row),
  state: row.state,
  createdAt: rfc3339(Number(row.created_at)),
  failures: row.failures,
  ...(row.reason !== null && { reason: row.reason }),
  ...(row.succeeded_at !== null && { lastSuccessAt: rfc3339(Number(row.succeeded_at)) }),
  ...(row.held_until !== null && { heldUntil: rfc3339(Number(row.held_until)) }),
});

const targetOf = (row: Row, now: number): Target => ({
  id: row.id,
  url: row.url,
  secrets: [row.secret, ...(row.old_secret !== null && Number(row.old_secret_until) > now ? [row.old_secret] : [])],
  failures: row.failures,
  heldUntil: Number(row.held_until ?? 0),
});
