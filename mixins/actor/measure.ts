// The metrics of a service's actors. What every command counts in is held here; the host's own counts, and rows of the store, are
// read at a scrape.
import type { ServiceBroker } from "moleculer";
import type { AnyContract } from "../contract/index.ts";
import { storeMetrics, type EventStore, type NewEvent } from "../event-store/index.ts";
import { metersOf, reading, type Distribution, type Meters, type Reading, type Series } from "../metrics/index.ts";
import type { ActorHost } from "./host.ts";
import { actorMetrics } from "./metrics.ts";
import type { TimerRunner } from "./timers.ts";

const limits = {
  /** Rows that are counted: an alarm goes off long before. */
  rows: 1_000,
  /** Milliseconds after which an unanswered timer is late: it is looked for every half second. */
  lateMs: 10_000,
  /** Milliseconds for which counts of rows are kept. */
  keptMs: 5_000,
} as const;

/** The series in which commands count. */
export class ActorMeters {
  readonly duplicates: Series;
  readonly queueWait: Distribution;
  readonly loads: Distribution;
  readonly #meters: Meters;
  readonly #service: string;
  readonly #events = new Map<string, Series>();

  /** Begins the events and the refusals of the service's contract at 0. */
  constructor(meters: Meters, service: string, { events, refusals }: Pick<AnyContract, "events" | "refusals">) {
    this.#meters = meters;
    this.#service = service;
    for (const type of Object.keys(events)) meters.begin(actorMetrics.events, { service, type });
    for (const code of Object.keys(refusals)) meters.begin(actorMetrics.refusals, { service, code });
    this.duplicates = meters.counter(actorMetrics.duplicates, { service });
    this.queueWait = meters.histogram(actorMetrics.queueWait, { service });
    this.loads = meters.histogram(actorMetrics.loadSeconds, { service });
  }

  committed(events: readonly NewEvent[]): void {
    for (const { type } of events) {
      let series = this.#events.get(type);
      if (!series) {
        series = this.#meters.counter(actorMetrics.events, { service: this.#service, type });
        this.#events.set(type, series);
      }
      series.value++;
    }
  }

  refused(code: string): void {
    this.#meters.counter(actorMetrics.refusals, { service: this.#service, code }).add();
  }
}

/** The series of a service; undefined with METRICS=off. */
export function actorMetersOf(broker: ServiceBroker, service: string, contract: AnyContract): ActorMeters | undefined {
  const meters = metersOf(broker);
  return meters && new ActorMeters(meters, service, contract);
}

/** Reads the host, its timers and its store at each scrape, until the function that it returns is called. */
export function measureActors(
  broker: ServiceBroker,
  service: string,
  host: ActorHost,
  timers: TimerRunner,
): () => void {
  const meters = metersOf(broker);
  if (!meters) return () => {};
  const endHost = meters.read("actors", () => [
    ...readingsOf(service, host),
    reading(actorMetrics.timerPartitions, timers.partitions, { service }),
  ]);
  const endStore = meters.read("store", () => rowsOf(service, host.store), { keptMs: limits.keptMs });
  return () => {
    endHost();
    endStore();
  };
}

function readingsOf(service: string, host: ActorHost): Reading[] {
  const { commands, conflicts, activations, passivations, quarantined } = host.counts;
  const { waiting, waitingMax } = host.mailboxes();
  const labels = { service };
  return [
    reading(actorMetrics.commands, commands, labels),
    reading(actorMetrics.conflicts, conflicts, labels),
    reading(actorMetrics.activations, activations, labels),
    reading(actorMetrics.passivations, passivations, labels),
    reading(actorMetrics.quarantined, quarantined, labels),
    reading(actorMetrics.resident, host.resident, labels),
    reading(actorMetrics.mailboxDepth, waiting, labels),
    reading(actorMetrics.mailboxDepthMax, waitingMax, labels),
  ];
}

async function rowsOf(service: string, store: EventStore): Promise<Reading[]> {
  const [quarantined, { due }, now] = await Promise.all([
    store.quarantined(limits.rows),
    store.dueTimers(limits.rows),
    store.now(),
  ]);
  const ages = due.map(({ dueAt }) => now - Date.parse(dueAt));
  const labels = { service };
  return [
    reading(storeMetrics.quarantine, quarantined.length, labels),
    reading(storeMetrics.timersLate, ages.filter(age => age > limits.lateMs).length, labels),
    reading(storeMetrics.timersLateSeconds, Math.max(0, ...ages) / 1_000, labels),
  ];
}
