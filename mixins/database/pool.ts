// The waits for a connection of knex's pool: they end with the call that waits, and are measured, as the first sign that a
// service asks more of its database than the pool gives.
import type { Knex } from "knex";
import { refuseLate, waitWithinCall } from "./waiting.ts";

/** Called when a caller has waited, also in vain, with the milliseconds. */
export type PoolObserver = (waitMs: number) => void;

/** The parts of knex's pool (tarn) that its types leave out. */
export interface Pool<C = unknown> {
  acquire(): { readonly promise: Promise<C>; abort(): void };
  release(connection: C): boolean;
  numFree(): number;
  on(event: "acquireRequest" | "acquireSuccess" | "acquireFail", listener: (id: number) => void): void;
}

/**
 * A connection of the pool. Throws the pool's errors, and `DEADLINE_PASSED` when it would have to wait, or has waited, for
 * a call that nobody waits for any more. `waitMsMax` is the pool's own time-out.
 */
export async function acquire<C>(pool: Pool<C>, waitMsMax: number): Promise<C> {
  if (pool.numFree() > 0) return pool.acquire().promise;
  refuseLate();
  const pending = pool.acquire();
  const connection = await waitWithinCall(pending.promise, waitMsMax, () => pending.abort());
  try {
    // The client may have left meanwhile.
    refuseLate();
    return connection;
  } catch (error) {
    pool.release(connection);
    throw error;
  }
}

/** Whether the pool had no connection within its time-out. Tarn gives its error no name but the class's. */
export const isPoolTimeout = (error: unknown): boolean => (error as Error).constructor.name === "TimeoutError";

export function observePool(knex: Knex, observe: PoolObserver | undefined): void {
  if (!observe) return;
  const pool = knex.client.pool as Pool;
  const begun = new Map<number, number>();
  const end = (id: number): void => {
    const waitMs = performance.now() - begun.get(id)!;
    begun.delete(id);
    observe(waitMs);
  };
  pool.on("acquireRequest", id => void begun.set(id, performance.now()));
  pool.on("acquireSuccess", end);
  pool.on("acquireFail", end);
}
