// An operator's retry or compensation of many stuck sagas. Each saga gets its own journal entry, as if it had been asked for alone,
// so a repetition passes over those that are stuck no more, and one that ends half-way is simply asked for again.
import { setTimeout as pause } from "node:timers/promises";
import type { EventMetadata } from "../contract/index.ts";
import { isRefusal } from "../kernel/index.ts";
import type { SagaDriver, SagaRef } from "./driver.ts";
import { countsOf, findSagas, type SagaCount, type SagaFilter, type SagaSummary } from "./find.ts";
import type { Entry, SagaState } from "./journal.ts";

export const BULK_LIMITS = {
  /** Milliseconds between the beginnings of two sagas: 100 a second leave services that have just come back their room. */
  everyMs: 10,
  /** Milliseconds after which it ends with what it has done: less than a call may take. */
  forMs: 5_000,
  /** Journals that a dry run reads at once. */
  toldAtOnce: 50,
  /** Ids that the answer names of each refusal. */
  named: 20,
} as const;

export interface Bulk extends Pick<SagaFilter, "name" | "reason" | "olderThanMs"> {
  /** Sagas that are sent on at most. */
  readonly limit: number;
  /** Id of a saga after which it begins. */
  readonly after?: string | undefined;
  /** Milliseconds after which it ends with what it has done; `BULK_LIMITS.forMs` at most. */
  readonly forMs: number;
  /** Only tells what would be done. */
  readonly dryRun: boolean;
  /** The operator, for each journal. */
  readonly cause: EventMetadata;
}

export interface BulkAnswer {
  readonly dryRun: boolean;
  /** Sagas that were, or would be, sent on. */
  readonly sagas: number;
  readonly counts: readonly SagaCount[];
  /** All of them: the record of the operation says to which it was done. */
  readonly ids: readonly string[];
  /** Sagas that refuse, by the type of the refusal, with the first ids. */
  readonly refused: readonly { readonly type: string; readonly sagas: number; readonly ids: readonly string[] }[];
  /** Whether there are more stuck sagas of the kind: ask again. */
  readonly hasMore: boolean;
  /** Where there are more: id of the saga after which they come. */
  readonly searchedTo?: string;
}

/** `edit` makes the entry of one saga, or throws its refusal. */
export async function editStuck(
  sagas: SagaDriver,
  { limit, after: first, dryRun, forMs, cause, ...filter }: Bulk,
  search: { readonly rows: number; readonly searched: number; readonly forMs?: number },
  edit: (ref: SagaRef, state: SagaState, now: string) => Entry,
): Promise<BulkAnswer> {
  const stuck = { ...filter, state: "stuck" } as const;
  const done: SagaSummary[] = [];
  const refused = new Map<string, string[]>();
  const beganAt = performance.now();
  let looked = 0;
  const isTimeUp = (): boolean => performance.now() - beganAt > Math.min(forMs, BULK_LIMITS.forMs);
  let last = first;
  const refuse = (saga: SagaSummary, error: unknown): void => {
    if (!isRefusal(error)) throw error;
    refused.set(error.type, [...(refused.get(error.type) ?? []), saga.id]);
  };
  const take = async (saga: SagaSummary): Promise<void> => {
    last = saga.id;
    const earlyMs = beganAt + looked++ * BULK_LIMITS.everyMs - performance.now();
    if (earlyMs > 0) await pause(earlyMs);
    try {
      const ref = sagas.resolve(saga.id);
      await sagas.edit(ref, (state, now) => edit(ref, state, now), cause);
      done.push(saga);
    } catch (error) {
      refuse(saga, error);
    }
  };
  /** Journals are read side by side: nothing is changed, so nothing has to wait for its turn. */
  const tell = async (several: readonly SagaSummary[]): Promise<void> => {
    const tried = await Promise.allSettled(
      several.map(async ({ id }) => {
        const ref = sagas.resolve(id);
        edit(ref, await sagas.read(ref), "");
      }),
    );
    for (const [n, saga] of several.entries()) {
      const { [n]: one } = tried;
      last = saga.id;
      if (one!.status === "fulfilled") done.push(saga);
      else refuse(saga, one!.reason);
    }
  };
  // Those that refuse do not count: else they would be all that a repetition ever comes to.
  let after = first;
  let hasMore = true;
  while (hasMore && done.length < limit && !isTimeUp()) {
    const found = await findSagas(sagas.store, stuck, { ...search, limit: limit - done.length, after });
    if (dryRun) {
      for (let n = 0; n < found.sagas.length && !isTimeUp(); n += BULK_LIMITS.toldAtOnce)
        await tell(found.sagas.slice(n, n + BULK_LIMITS.toldAtOnce));
    } else for (const saga of found.sagas) if (!isTimeUp()) await take(saga);
    after = found.searchedTo;
    hasMore = after !== undefined || isTimeUp();
    // One that ends amid a page goes on behind the last saga that it came to.
    if (!isTimeUp()) last = after;
  }
  return {
    dryRun,
    sagas: done.length,
    counts: countsOf(done),
    ids: done.map(({ id }) => id),
    refused: [...refused].map(([type, ids]) => ({ type, sagas: ids.length, ids: ids.slice(0, BULK_LIMITS.named) })),
    hasMore,
    ...(hasMore && last !== undefined && { searchedTo: last }),
  };
}
