// The leases that a process holds in one database, many of them under one name, so that one statement renews them all. Each
// is a row of its own, taken by a condition of its own (lease.ts), and protects as little as any lease.
//
// The holder's name tells the node: when the broker says that a node is gone, its leases are free at once. A node that is
// not gone after all renews them, and is believed from then on.
import type { Database } from "../../database/index.ts";
import { isGone, isHeld, newHolder } from "./lease.ts";

/** A lease as it was found. */
export interface SeenLease {
  readonly name: string;
  readonly holder: string;
  /** Whether its holder may be at work. */
  readonly isHeld: boolean;
  readonly epoch: number;
  readonly expiresAt: number;
}

export class Leases {
  readonly #database: Database;
  readonly #nodeId: string;
  readonly holder: string;
  /** Nodes that the broker has lost, with the latest end of their leases when it did, once that was read. */
  readonly #lost = new Map<string, number | undefined>();

  constructor(database: Database, nodeId: string) {
    this.#database = database;
    this.#nodeId = nodeId;
    this.holder = `${newHolder()}/${nodeId}`;
  }

  lost(nodeId: string): void {
    if (nodeId !== this.#nodeId) this.#lost.set(nodeId, undefined);
  }
  found(nodeId: string): void {
    this.#lost.delete(nodeId);
  }

  /** All leases of the database. */
  async all(): Promise<SeenLease[]> {
    const rows: LeaseRow[] = await this.#database.knex("leases");
    const now = await this.#database.now();
    this.#believe(rows);
    return rows.map(({ name, holder, epoch, expires_at }) => ({
      name,
      holder,
      isHeld: isHeld(Number(expires_at) - now, 0) && !isGone(holder) && !this.#lost.has(nodeOf(holder)),
      epoch: Number(epoch),
      expiresAt: Number(expires_at),
    }));
  }

  /** Makes leases that there are none of, or takes those that are free as they were seen. Another may be faster. */
  async take(
    names: readonly string[],
    seen: ReadonlyMap<string, SeenLease>,
    lengthMs: number,
    holder: string = this.holder,
  ): Promise<void> {
    if (names.length === 0) return;
    const { knex } = this.#database;
    const expires_at = (await this.#database.now()) + lengthMs;
    // In one order, so that two nodes do not wait for each other.
    const made = names
      .filter(name => !seen.has(name))
      .sort()
      .map(name => ({ name, holder, epoch: 1, expires_at }));
    if (made.length > 0) await knex("leases").insert(made).onConflict("name").ignore();
    const free = names.flatMap(name => seen.get(name) ?? []);
    if (free.length > 0)
      await knex("leases")
        .where(any => {
          for (const { name, epoch, expiresAt } of free) void any.orWhere({ name, epoch, expires_at: expiresAt });
        })
        .update({ holder, epoch: knex.raw("epoch + 1"), expires_at });
  }

  /** Renews all that we hold, and those of `shared`, which all nodes of a layout hold together under its name. */
  async renew(lengthMs: number, shared: { readonly holder: string; readonly names: readonly string[] }): Promise<void> {
    const now = await this.#database.now();
    await this.#database
      .knex("leases")
      .where("holder", this.holder)
      .orWhere(
        gate =>
          void gate
            .where("holder", shared.holder)
            .whereIn("name", shared.names)
            // The first one of all nodes does it.
            .where("expires_at", "<", now + lengthMs / 2),
      )
      .update({ expires_at: now + lengthMs });
  }

  /** Frees leases that we hold. */
  async release(names: readonly string[]): Promise<void> {
    if (names.length > 0)
      await this.#database.knex("leases").whereIn("name", names).where("holder", this.holder).delete();
  }

  /** Deletes leases, unless they were taken or renewed since they were seen. */
  async remove(leases: readonly SeenLease[]): Promise<void> {
    for (const { name, holder, expiresAt } of leases)
      await this.#database.knex("leases").where({ name, holder, expires_at: expiresAt }).delete();
  }

  /** A node whose leases were renewed since the broker lost it is there. */
  #believe(rows: readonly LeaseRow[]): void {
    for (const [nodeId, before] of this.#lost) {
      const ends = rows.filter(row => nodeOf(row.holder) === nodeId).map(row => Number(row.expires_at));
      const end = Math.max(...ends);
      if (ends.length === 0) this.#lost.delete(nodeId);
      else if (before === undefined) this.#lost.set(nodeId, end);
      else if (end > before) this.#lost.delete(nodeId);
    }
  }
}

/** The node of a holder, `<host>/<pid>/<process>/<n>/<node>`; "" of one that does not tell. */
export const nodeOf = (holder: string): string => holder.split("/").slice(4).join("/");

interface LeaseRow {
  readonly name: string;
  readonly holder: string;
  readonly epoch: number | string;
  readonly expires_at: number | string;
}
