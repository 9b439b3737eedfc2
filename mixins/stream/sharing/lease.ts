// A lease names the one node that works, so that others do not do the same work in vain. It is a row moved by short
// conditional updates on the database's clock. It protects nothing by itself: a holder that was paused past the end goes on
// as if it held the lease, so every effect is guarded again by a conditional write (the checkpoint's revision), and the
// paused holder rolls back.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Database } from "../../database/index.ts";

const PROCESS = randomUUID();
/** A new name for a holder: `<host>/<pid>/<process>/<n>`. */
let holders = 0;
export const newHolder = (): string => `${hostname()}/${process.pid}/${PROCESS}/${++holders}`;

export class Lease {
  readonly #database: Database;
  readonly #name: string;
  readonly #lengthMs: number;
  readonly #holder: string;
  #epoch: number | undefined;
  #renewedAt = 0;

  /** `lengthMs`: milliseconds after its last renewal until a holder counts as dead. */
  constructor(database: Database, name: string, lengthMs: number, holder: string = newHolder()) {
    this.#database = database;
    this.#name = name;
    this.#lengthMs = lengthMs;
    this.#holder = holder;
  }

  /** Whether we hold it. Takes it when it is free, renews it from half its length on, notices when another has taken it. */
  async hold(): Promise<boolean> {
    if (this.#epoch === undefined) return this.#take();
    if (performance.now() - this.#renewedAt < this.#lengthMs / 2) return true;
    return this.#renew();
  }

  /** Frees it for the next holder at once. Does nothing if another has taken it. */
  async release(): Promise<void> {
    if (this.#epoch === undefined) return;
    await this.#mine(this.#epoch).update({ expires_at: 0 });
    this.#epoch = undefined;
  }

  async #take(): Promise<boolean> {
    const { knex } = this.#database;
    const now = await this.#database.now();
    const began = performance.now();
    const row = await knex("leases").where({ name: this.#name }).first();
    if (!row) {
      const first = { name: this.#name, holder: this.#holder, epoch: 1, expires_at: now + this.#lengthMs };
      const made = await knex("leases").insert(first).onConflict("name").ignore().returning("name");
      if (made.length === 0) return false;
      this.#epoch = 1;
    } else {
      if (isHeld(Number(row.expires_at) - now, this.#lengthMs) && !isGone(row.holder)) return false;
      const epoch = Number(row.epoch) + 1;
      const taken = await knex("leases")
        .where({ name: this.#name, epoch: row.epoch, expires_at: row.expires_at })
        .update({ holder: this.#holder, epoch, expires_at: now + this.#lengthMs });
      if (taken === 0) return false;
      this.#epoch = epoch;
    }
    this.#renewedAt = began;
    return true;
  }

  async #renew(): Promise<boolean> {
    const now = await this.#database.now();
    const began = performance.now();
    const renewed = await this.#mine(this.#epoch!).update({ expires_at: now + this.#lengthMs });
    if (renewed === 0) this.#epoch = undefined;
    this.#renewedAt = began;
    return renewed > 0;
  }

  #mine(epoch: number) {
    return this.#database.knex("leases").where({ name: this.#name, holder: this.#holder, epoch });
  }
}

/**
 * Whether a holder with so many milliseconds left still holds. With more than it can have been given it does not: the clock
 * was put back meanwhile, and a holder that is alive renews. The length may differ between two releases.
 */
export const isHeld = (leftMs: number, lengthMs: number): boolean =>
  leftMs > 0 && leftMs <= Math.max(lengthMs, LENGTH_MS_MAX);
const LENGTH_MS_MAX = 15 * 60_000;

/**
 * Whether the holder is a process of this machine that has ended: then the next holder need not wait, and a killed process
 * goes on at once after its restart. A wrong yes costs a lost race, since a lease protects nothing.
 */
export function isGone(holder: string): boolean {
  const [host, pid, token] = holder.split("/");
  if (host !== hostname()) return false;
  if (Number(pid) === process.pid) return token !== PROCESS;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
