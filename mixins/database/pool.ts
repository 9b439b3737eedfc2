// Measures the waits for a connection of knex's pool: the first sign that a service asks more of its database than the
// pool gives.
import type { Knex } from "knex";

/** Called when a caller begins to wait, without `waitMs`, and when the wait is over, also in vain. */
export type PoolObserver = (use: { readonly waiting: number; readonly waitMs?: number }) => void;

/** The events that knex's types leave out. */
interface Pool {
  on(event: "acquireRequest" | "acquireSuccess" | "acquireFail", listener: (id: number) => void): void;
}

export function observePool(knex: Knex, observe: PoolObserver | undefined): void {
  if (!observe) return;
  const pool = knex.client.pool as Pool;
  const begun = new Map<number, number>();
  const end = (id: number): void => {
    const waitMs = performance.now() - begun.get(id)!;
    begun.delete(id);
    observe({ waiting: begun.size, waitMs });
  };
  pool.on("acquireRequest", id => {
    begun.set(id, performance.now());
    observe({ waiting: begun.size });
  });
  pool.on("acquireSuccess", end);
  pool.on("acquireFail", end);
}
