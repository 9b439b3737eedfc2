// Finds sagas in the list that is written with their journals: by state, name, reason and age. The store knows the state; the
// rest is looked at row by row, in pages. A search in the store would hold up the commits of SQLite for as long as the list is
// long; this one stops after `searched` rows, and says where it goes on.
import type { EventStore, OpenSaga, SagaRow } from "../event-store/index.ts";

export interface SagaFilter {
  /** Default: open, which is running, compensating or stuck. */
  readonly state?: SagaRow["state"] | "open" | undefined;
  /** The saga's name, as its definition has it. */
  readonly name?: string | undefined;
  /** As `SagaSummary.code` has it. */
  readonly reason?: string | undefined;
  /** Milliseconds since it began, at least. */
  readonly olderThanMs?: number | undefined;
  /** Default: oldest first. */
  readonly newestFirst?: boolean | undefined;
}

/** A saga as operators list it. `id` is `<saga>.<id of the event's stream>`. */
export interface SagaSummary extends SagaRow {
  readonly saga: string;
  /** The step of a running saga; of another one the type of the error for which it goes back or is stuck, or `OTHER`. */
  readonly code: string;
  readonly startedAt: string;
  readonly updatedAt: string;
}

export interface Search {
  /** Sagas to find at most. */
  readonly limit: number;
  /** Id of a saga after which the search goes on. */
  readonly after?: string | undefined;
  /** Rows that are read at once. */
  readonly rows: number;
  /** Rows that are looked at, at most. */
  readonly searched: number;
  /** Milliseconds after which it stops with what it has found: who asked does not wait much longer. Default: no bound. */
  readonly forMs?: number;
}

export interface Found {
  /** By their starts. */
  readonly sagas: SagaSummary[];
  /** Id of the last row that was looked at; absent where there are no more. */
  readonly searchedTo?: string;
}

/** Sagas of one kind, counted. */
export interface SagaCount {
  readonly state: SagaRow["state"];
  readonly saga: string;
  readonly reason: string;
  readonly sagas: number;
  /** When the oldest of them began. */
  readonly oldestStartedAt: string;
  /** The one that came into this state last, and when. */
  readonly newestId: string;
  readonly newestAt: string;
}

export async function findSagas(store: EventStore, filter: SagaFilter, search: Search): Promise<Found> {
  const { state = "open", olderThanMs, newestFirst = false } = filter;
  const { limit, rows, searched, forMs = Infinity } = search;
  const beganAt = performance.now();
  const startedBefore = olderThanMs === undefined ? Infinity : (await store.now()) - olderThanMs;
  const isNarrowed =
    filter.name !== undefined || filter.reason !== undefined || (newestFirst && olderThanMs !== undefined);
  const sagas: SagaSummary[] = [];
  let { after } = search;
  for (let seen = 0; seen < searched && performance.now() - beganAt < forMs;) {
    const wanted = isNarrowed ? rows : Math.min(rows, limit - sagas.length);
    const page = await store.sagas({ state, limit: wanted, newestFirst, ...(after !== undefined && { after }) });
    for (const row of page) {
      const isTooYoung = Date.parse(row.startedAt) > startedBefore;
      // The list is in the order of starts.
      if (isTooYoung && !newestFirst) return { sagas };
      const summary = summaryOf(row);
      after = row.id;
      if (isTooYoung || !isMeant(summary, filter)) continue;
      sagas.push(summary);
      if (sagas.length === limit) return { sagas, searchedTo: after };
    }
    if (page.length < wanted) return { sagas };
    seen += page.length;
  }
  return { sagas, ...(after !== undefined && { searchedTo: after }) };
}

/** Counts the sagas that are meant, by state, name and reason, the most first. `isPartial`: there are more than were looked at. */
export async function countSagas(
  store: EventStore,
  filter: SagaFilter,
  search: Pick<Search, "rows" | "searched" | "forMs">,
): Promise<{ counts: SagaCount[]; isPartial: boolean }> {
  const { sagas, searchedTo } = await findSagas(store, filter, { ...search, limit: search.searched });
  return { counts: countsOf(sagas), isPartial: searchedTo !== undefined };
}

export function countsOf(sagas: readonly SagaSummary[]): SagaCount[] {
  const groups = Map.groupBy(sagas, ({ state, saga, code }) => `${state} ${saga} ${code}`);
  const counts = [...groups.values()].map(group => {
    const { state, saga, code, startedAt } = group[0]!;
    const newest = group.reduce((last, one) => (one.updatedAt > last.updatedAt ? one : last));
    return {
      state,
      saga,
      reason: code,
      sagas: group.length,
      oldestStartedAt: startedAt,
      newestId: newest.id,
      newestAt: newest.updatedAt,
    };
  });
  return counts.sort((a, b) => b.sagas - a.sagas);
}

export function summaryOf(row: OpenSaga): SagaSummary {
  return { ...row, saga: row.id.slice(0, row.id.indexOf(".")), code: codeOf(row) };
}

const isMeant = ({ saga, code }: SagaSummary, { name, reason }: SagaFilter): boolean =>
  (name === undefined || saga === name) && (reason === undefined || code === reason);

/** Types of errors stand before a colon: `send: NO_SUCH_ADDRESS: no such address`. */
const ERROR_TYPE = /(?:^|[\s:])([A-Z][A-Z0-9_]{2,}):/;
const codeOf = ({ state, reason }: SagaRow): string =>
  (state === "running" ? reason : ERROR_TYPE.exec(reason ?? "")?.[1]) ?? "OTHER";
