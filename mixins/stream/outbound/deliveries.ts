// Deliveries of public events to webhooks, as rows: one each, written in the transaction that notes the event.
//
//   1. `note`: the event is kept, and a delivery for each webhook that wants it is due at once
//   2. `claim`: it belongs to one node for half a minute, which sends it
//   3. `delivered`, or `later`, which gives it up when it is too old
//
// A node that dies between 2 and 3 leaves a row that another node sends again, under the same id: at least once.
import type { Knex } from "knex";
import { badCursor, cursorOf, readCursor } from "../../contract/index.ts";
import type { Database } from "../../database/index.ts";
import { backoffMs, newId, rfc3339 } from "../../kernel/index.ts";
import { streamErrors } from "../errors.ts";
import { limits } from "./limits.ts";
import type { Posted } from "./post.ts";
import { structured, type PublicEvent } from "./public-event.ts";
import type { Webhooks } from "./webhooks.ts";

/** A delivery that one node sends. */
export interface DueDelivery {
  readonly id: string;
  readonly webhook: string;
  /** Id of the public event. */
  readonly event: string;
  readonly body: string;
  /** Attempts, this one included. */
  readonly attempts: number;
  readonly queuedAt: number;
}

/** A delivery as it is shown. */
export interface Delivery {
  readonly id: string;
  readonly webhook: string;
  readonly event: string;
  readonly type: string;
  readonly state: "waiting" | "delivered" | "given_up";
  readonly queuedAt: string;
  readonly attempts: number;
  readonly lastAttemptAt?: string;
  readonly status?: number;
  readonly ms?: number;
  readonly reason?: string;
  readonly nextAt?: string;
}

export interface DeliveryFilter {
  readonly webhook?: string;
  readonly state?: Delivery["state"];
  readonly limit?: number;
  readonly cursor?: string;
}

/** Selects the deliveries of a webhook that are sent again: one, or those of events since a moment, of one name or of all. */
export interface Replay {
  readonly delivery?: string;
  /** Milliseconds since the epoch. */
  readonly since?: number;
  readonly event?: string;
}

/** The newest first. */
const ORDER = "deliveries by -id";

export class Deliveries {
  readonly #database: Database;
  readonly #webhooks: Webhooks;
  constructor(database: Database, webhooks: Webhooks) {
    this.#database = database;
    this.#webhooks = webhooks;
  }

  /** Keeps the event, and writes down its deliveries. One that is known already changes nothing. Answers how many it has. */
  async note(made: PublicEvent): Promise<number> {
    const { id, event, at } = made;
    const atMs = Date.parse(at);
    return this.#database.transaction(async trx => {
      const now = await this.#database.now(trx);
      if (atMs < now - limits.keptMs) return 0;
      if (await trx("public_events").where({ id }).first("id")) return 0;
      await trx("public_events").insert({ id, event, at_ms: atMs, body: structured(made) });
      const wanting = await this.#webhooks.wanting(event, atMs, trx);
      const rows = wanting.map(webhook => newRow(webhook, id, now));
      if (rows.length > 0) await trx("webhook_deliveries").insert(rows);
      return rows.length;
    });
  }

  /** Takes deliveries of a webhook that are due; no other node gets them before their half minute ends. */
  async claim(webhook: string, max: number, now: number): Promise<{ due: DueDelivery[]; nextAt: number | undefined }> {
    const { knex } = this.#database;
    const rows: (Row & { body: string })[] = await knex("webhook_deliveries as d")
      .join("public_events as e", "e.id", "d.event")
      .where("d.webhook", webhook)
      .whereNotNull("d.next_at")
      .orderBy(["d.next_at", "d.id"])
      .limit(max + 1)
      .select("d.*", "e.body");
    const due: DueDelivery[] = [];
    for (const { id, event, body, attempts: before, next_at, queued_at } of rows.slice(0, max)) {
      if (Number(next_at) > now) break;
      const attempts = before + 1;
      const mine = await knex("webhook_deliveries")
        .where({ id, next_at })
        .update({ next_at: now + limits.leaseMs, attempts });
      if (mine > 0) due.push({ id, webhook, event, body, attempts, queuedAt: Number(queued_at) });
    }
    const after = rows.find(row => Number(row.next_at) > now) ?? rows[max];
    return { due, nextAt: after && Number(after.next_at) };
  }

  async delivered({ id, attempts }: DueDelivery, { status, ms }: Posted, now: number): Promise<void> {
    const done = { next_at: null, state: "delivered", status, ms, reason: null, attempted_at: now };
    await this.#claimed(id, attempts).update(done);
  }

  /** Tries again after a while, or gives it up: when it is too old, or `isLast`. Answers whether it will be tried again. */
  async later(
    { id, attempts, queuedAt }: DueDelivery,
    { status, ms, reason, retryAfterMs = 0 }: Posted,
    now: number,
    isLast: boolean,
  ): Promise<boolean> {
    const isOver = isLast || now - queuedAt >= limits.lifeMs;
    const waitMs = Math.max(retryAfterMs, backoffMs(attempts, { baseMs: limits.retryMs, capMs: limits.retryMsMax }));
    await this.#claimed(id, attempts).update({
      ...(isOver ? { next_at: null, state: "given_up" } : { next_at: now + waitMs }),
      status: status ?? null,
      ms,
      reason: reason ?? null,
      attempted_at: now,
    });
    return !isOver;
  }

  /** A webhook answers again: what waits for its own next attempt is due. */
  async hasten(webhook: string, now: number): Promise<void> {
    // A delivery in the hands of a node is due when its lease ends at the latest, and stays as it is.
    await this.#database
      .knex("webhook_deliveries")
      .where({ webhook })
      .where("next_at", ">", now + limits.leaseMs)
      .update({ next_at: now });
  }

  /** A page, the newest first. Refuses (422) a cursor of another list. */
  async list({ webhook, state, limit = limits.page, cursor }: DeliveryFilter) {
    const query = this.#database.knex("webhook_deliveries as d").leftJoin("public_events as e", "e.id", "d.event");
    if (webhook !== undefined) void query.where("d.webhook", webhook);
    if (state !== undefined) void query.where("d.state", state);
    if (cursor !== undefined) {
      const [last] = readCursor(cursor, ORDER, 1);
      if (typeof last !== "string") throw badCursor();
      void query.where("d.id", "<", last);
    }
    const rows: (Row & { type: string | null })[] = await query
      .orderBy("d.id", "desc")
      .limit(limit + 1)
      .select("d.*", "e.event as type");
    const page = rows.slice(0, limit);
    return {
      deliveries: page.map(shown),
      ...(rows.length > limit && { nextCursor: cursorOf(ORDER, [page.at(-1)!.id]) }),
    };
  }

  /**
   * Makes deliveries due again, from their first attempt on, and those that a webhook has never had. At most 10 000: `isAll` says
   * whether there are no more. Throws Refusal `DELIVERY_NOT_FOUND`; `WEBHOOK_NOT_FOUND` when it is removed meanwhile.
   */
  async replay(webhook: string, { delivery, since = 0, event }: Replay): Promise<{ count: number; isAll: boolean }> {
    if (delivery !== undefined) return this.#replayOne(webhook, delivery);
    let count = 0;
    for (let after = ""; count < limits.replayedMax;) {
      const events = this.#database.knex("public_events").where("at_ms", ">=", since).where("id", ">", after);
      if (event !== undefined) void events.where({ event });
      const ids: string[] = await events.orderBy("id").limit(limits.replayPage).pluck("id");
      if (ids.length === 0) return { count, isAll: true };
      await this.#queue(webhook, ids);
      count += ids.length;
      after = ids.at(-1)!;
    }
    return { count, isAll: false };
  }

  async #replayOne(webhook: string, id: string): Promise<{ count: number; isAll: boolean }> {
    const row: Row | undefined = await this.#database.knex("webhook_deliveries").where({ id, webhook }).first();
    if (!row) throw streamErrors.DELIVERY_NOT_FOUND({ field: "delivery", id });
    await this.#queue(webhook, [row.event]);
    return { count: 1, isAll: true };
  }

  #queue(webhook: string, events: readonly string[]): Promise<void> {
    return this.#database.transaction(async trx => {
      await this.#webhooks.keep(webhook, trx);
      const now = await this.#database.now(trx);
      await trx("webhook_deliveries")
        .insert(events.map(event => newRow(webhook, event, now)))
        .onConflict(["webhook", "event"])
        .merge(["state", "queued_at", "next_at", "attempts"]);
    });
  }

  /** How many deliveries to active webhooks are due. */
  async waiting(): Promise<number> {
    const { knex } = this.#database;
    const now = await this.#database.now();
    const [row] = await knex("webhook_deliveries as d")
      .join("webhooks as w", "w.id", "d.webhook")
      .where("w.state", "active")
      .where("d.next_at", "<=", now)
      .count({ n: "*" });
    return Number(row!["n"]);
  }

  /** Forgets events and deliveries of long ago, whatever has become of them. */
  async forgetOld(now: number): Promise<void> {
    const { knex } = this.#database;
    const before = now - limits.keptMs;
    await knex("webhook_deliveries").where("queued_at", "<", before).delete();
    // An event that was sent again lately stays as long as its delivery.
    await knex("public_events")
      .where("at_ms", "<", before)
      .whereNotExists((open: Knex.QueryBuilder) => {
        void open.select(knex.raw("1")).from("webhook_deliveries as d").whereRaw("d.event = public_events.id");
      })
      .delete();
  }

  /** The row, unless it was made due again, or claimed anew, meanwhile. */
  #claimed(id: string, attempts: number): Knex.QueryBuilder {
    return this.#database.knex("webhook_deliveries").where({ id, attempts }).whereNotNull("next_at");
  }
}

const newRow = (webhook: string, event: string, now: number) => ({
  id: newId(),
  webhook,
  event,
  state: "waiting",
  queued_at: now,
  next_at: now,
  attempts: 0,
});

interface Row {
  readonly id: string;
  readonly webhook: string;
  readonly event: string;
  readonly state: Delivery["state"];
  readonly queued_at: number | string;
  readonly next_at: number | string | null;
  readonly attempts: number;
  readonly attempted_at: number | string | null;
  readonly status: number | null;
  readonly ms: number | null;
  readonly reason: string | null;
}

const shown = (row: Row & { readonly type: string | null }): Delivery => ({
  id: row.id,
  webhook: row.webhook,
  event: row.event,
  type: row.type ?? "",
  state: row.state,
  queuedAt: rfc3339(Number(row.queued_at)),
  attempts: row.attempts,
  ...(row.attempted_at !== null && { lastAttemptAt: rfc3339(Number(row.attempted_at)) }),
  ...(row.status !== null && { status: row.status }),
  ...(row.ms !== null && { ms: row.ms }),
  ...(row.reason !== null && { reason: row.reason }),
  ...(row.next_at !== null && { nextAt: rfc3339(Number(row.next_at)) }),
});
