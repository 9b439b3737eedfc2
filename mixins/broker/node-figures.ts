// What a process has counted so far and how it stands, in a few numbers, for operators who look: the internal service `$figures` of
// every node, which `ops.metrics` and `ops.nodes` ask. It costs nothing until it is asked.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { ActionSchema, Middleware, ServiceBroker } from "moleculer";
import { version } from "../kernel/index.ts";
import { metersOf, type NodeCounts, type NodeFigures, type Sample } from "../metrics/index.ts";

/** Milliseconds over which the delay of the event loop and the CPU are measured. */
const MEASURED_MS = 100;

const METRICS = {
  requests: "valence_http_requests_total",
  durations: "valence_http_request_duration_seconds",
  commands: "valence_actor_commands_total",
  events: "valence_actor_events_total",
  resident: "valence_actor_resident",
  connections: "valence_database_pool_connections",
  connectionsMax: "valence_database_pool_connections_max",
  waiting: "valence_database_pool_waiting",
} as const;
export const FIGURED: ReadonlySet<string> = new Set(Object.values(METRICS));

/** Sources of the meters that read memory alone. */
const SOURCES = ["actors", "pool"];

export const nodeFigures: Middleware = {
  name: "NodeFigures",
  async starting(broker: ServiceBroker) {
    const asked = { visibility: "public", permission: "operations:read", callers: ["ops"] } as const;
    broker.createService({
      name: "$figures",
      actions: {
        counts: { ...asked, handler: () => countsOf(broker) } as ActionSchema,
        node: { ...asked, handler: () => figuresOf(broker) } as ActionSchema,
      },
    });
  },
};

type Samples = ReadonlyMap<string, readonly Sample[]>;

async function countsOf(broker: ServiceBroker): Promise<NodeCounts> {
  const samples = await metersOf(broker)?.some(FIGURED, SOURCES);
  return samples ? { counts: counted(samples) } : {};
}

/** Operators' own requests, and their records, are no load of the system: whoever looks would see themselves. */
const isOfOperators = ({ labels: { route, service } }: Sample): boolean =>
  /^\/api\/v\d+\/ops(\/|$)/.test(route ?? "") || service === "ops" || service === "audit";

export function counted(samples: Samples): NonNullable<NodeCounts["counts"]> {
  const of = (name: string): readonly Sample[] => (samples.get(name) ?? []).filter(sample => !isOfOperators(sample));
  const requests = of(METRICS.requests);
  const buckets = of(METRICS.durations).filter(({ metricName }) => metricName?.endsWith("_bucket"));
  const durations = [...Map.groupBy(buckets, ({ labels }) => labels["le"])].map(
    ([le, group]) => [le === "+Inf" ? null : Number(le), total(group)] as const,
  );
  return {
    requests: total(requests),
    failures: total(requests.filter(({ labels }) => Number(labels["status"]) >= 500)),
    durations: durations.sort(([a], [b]) => (a ?? Infinity) - (b ?? Infinity)),
    commands: total(of(METRICS.commands)),
    events: total(of(METRICS.events)),
  };
}

const total = (samples: readonly Sample[]): number => samples.reduce((sum, { value }) => sum + value, 0);

async function figuresOf(broker: ServiceBroker): Promise<NodeFigures> {
  const [loop, samples] = await Promise.all([measured(), metersOf(broker)?.some(FIGURED, SOURCES)]);
  const { rss: rssBytes, heapUsed: heapBytes } = process.memoryUsage();
  return {
    runtime: version(),
    nodejs: process.versions.node,
    startedAt: new Date(Date.now() - process.uptime() * 1_000).toISOString(),
    ...loop,
    rssBytes,
    heapBytes,
    actors: byService(samples?.get(METRICS.resident) ?? []),
    pools: poolsIn(samples ?? new Map()),
  };
}

async function measured(): Promise<Pick<NodeFigures, "loopDelayMs" | "loopBusyPercent" | "cpuPercent">> {
  const histogram = monitorEventLoopDelay({ resolution: 10 });
  const before = performance.eventLoopUtilization();
  const cpu = process.cpuUsage();
  const beganAt = performance.now();
  histogram.enable();
  await sleep(MEASURED_MS);
  histogram.disable();
  const { user, system } = process.cpuUsage(cpu);
  const worst = histogram.max / 1e6;
  return {
    // As in `health-report.ts`: the pause between two looks is in it, and without a look it is empty.
    loopDelayMs: Number.isFinite(worst) ? Math.max(0, Math.round(worst) - 10) : 0,
    loopBusyPercent: Math.round(performance.eventLoopUtilization(before).utilization * 100),
    cpuPercent: Math.round((user + system) / 10 / (performance.now() - beganAt)),
  };
}

const byService = (samples: readonly Sample[]): Record<string, number> =>
  Object.fromEntries(samples.map(({ labels, value }) => [labels["service"] ?? "", value]));

export function poolsIn(samples: Samples): NodeFigures["pools"] {
  const used = (samples.get(METRICS.connections) ?? []).filter(({ labels }) => labels["state"] === "used");
  const max = byService(samples.get(METRICS.connectionsMax) ?? []);
  const waiting = byService(samples.get(METRICS.waiting) ?? []);
  return used.map(({ labels: { service = "" }, value }) => ({
    service,
    used: value,
    max: max[service] ?? 0,
    waiting: waiting[service] ?? 0,
  }));
}
