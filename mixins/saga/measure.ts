// The metrics of a service's sagas: how they end, and at a scrape how many are open.
import type { ServiceBroker } from "moleculer";
import type { EventStore } from "../event-store/index.ts";
import { metersOf, reading, type Reading } from "../metrics/index.ts";
import type { SagaLimits } from "./limits.ts";
import { sagaMetrics } from "./metrics.ts";

const STATES = ["running", "compensating", "stuck"] as const;
const OUTCOMES: Readonly<Record<string, "completed" | "compensated" | "stuck">> = {
  "saga.completed": "completed",
  "saga.compensated": "compensated",
  "saga.stuck": "stuck",
};

/** Counts the journal entries that end a saga or park it. */
export function countEnds(broker: ServiceBroker, service: string): ((entries: readonly string[]) => void) | undefined {
  const meters = metersOf(broker);
  if (!meters) return undefined;
  const series = Object.entries(OUTCOMES).map(
    ([entry, outcome]) => [entry, meters.counter(sagaMetrics.ended, { service, outcome })] as const,
  );
  const byEntry = new Map(series);
  return entries => {
    for (const entry of entries) byEntry.get(entry)?.add();
  };
}

/** Reads the rows of open sagas at a scrape, until the function that it returns is called. */
export function measureSagas(
  broker: ServiceBroker,
  service: string,
  store: EventStore,
  { rows, metricsKeptMs: keptMs }: SagaLimits,
): () => void {
  const read = async (): Promise<Reading[]> => {
    const now = await store.now();
    return (await Promise.all(STATES.map(state => rowsOf(store, service, state, rows, now)))).flat();
  };
  return metersOf(broker)?.read("sagas", read, { keptMs }) ?? (() => {});
}

/** Counts up to the rows of one page: an alarm goes off long before that. */
async function rowsOf(
  store: EventStore,
  service: string,
  state: (typeof STATES)[number],
  limit: number,
  now: number,
): Promise<Reading[]> {
  const found = await store.sagas({ state, limit });
  const labels = { service, state };
  // In order of their start.
  const age = found.length === 0 ? 0 : Math.max(0, now - Date.parse(found[0]!.startedAt));
  return [reading(sagaMetrics.open, found.length, labels), reading(sagaMetrics.oldest, age / 1_000, labels)];
}
