// The state of everything that a process depends on, for operators: the internal service `$health` of every node, which
// `ops.health` asks. The bus and the process itself are asked here; databases, Redis, carrier and consumers are declared by
// their floors (`dependsOn`). It costs nothing until it is asked.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { getHeapStatistics } from "node:v8";
import { totalmem } from "node:os";
import type { ActionSchema, Middleware, ServiceBroker } from "moleculer";
import {
  certificateFilesIn,
  certificateState,
  dependencyReports,
  dependsOn,
  type DependencyReport,
  type DependencyState,
  type Environment,
} from "../kernel/index.ts";

const limits = {
  /** Milliseconds that one dependency may take. The caller of the report waits half a second more. */
  askMs: 1_500,
  /** Milliseconds over which the delay of the event loop is measured. */
  loopMs: 200,
  /** Milliseconds by which a timer is late: calls and heartbeats wait as long. */
  loopDelayMs: { warn: 100, fail: 1_000 },
  /** Shares of the memory that the process may use. */
  memory: { warn: 0.85, fail: 0.95 },
} as const;

interface NodeHealth {
  /** This node's clock when it was asked and when it answered, milliseconds since the epoch: the asker compares. */
  readonly askedAt: number;
  readonly answeredAt: number;
  readonly dependencies: readonly DependencyReport[];
}

export const healthReport: Middleware = {
  name: "HealthReport",
  async starting(broker: ServiceBroker) {
    declare(broker);
    let asking: Promise<readonly DependencyReport[]> | undefined;
    // A question that comes meanwhile gets the same answer.
    const ask = () => (asking ??= dependencyReports(broker, limits.askMs).finally(() => (asking = undefined)));
    broker.createService({
      name: "$health",
      actions: {
        report: {
          visibility: "public",
          permission: "operations:read",
          handler: async (): Promise<NodeHealth> => {
            const askedAt = Date.now();
            const dependencies = await ask();
            return { askedAt, dependencies, answeredAt: Date.now() };
          },
        } as ActionSchema,
        clock: {
          visibility: "public",
          permission: "operations:read",
          // For the doctor's examination in the background, which is on nobody's behalf.
          callers: ["ops"],
          handler: () => ({ askedAt: Date.now(), answeredAt: Date.now() }),
        } as ActionSchema,
      },
    });
  },
};

function declare(broker: ServiceBroker): void {
  const tx = (broker.transit as { tx?: Bus } | null)?.tx;
  if (tx) dependsOn(broker, { kind: "bus", name: tx.client === undefined ? "TCP" : "NATS", ask: () => busState(tx) });
  dependsOn(broker, { kind: "process", name: "event loop", ask: loopState });
  dependsOn(broker, { kind: "process", name: "memory", ask: async () => memoryState() });
  const { valence } = broker.options as { valence?: Environment };
  for (const file of valence ? certificateFilesIn(valence) : [])
    dependsOn(broker, {
      kind: "certificate",
      name: file.variable,
      ask: async () => certificateState(file, Date.now()),
    });
}

/** The parts of a transporter that we use: NATS has a client that measures. */
interface Bus {
  readonly connected: boolean;
  readonly client?: { rtt?(): Promise<number> } | null;
}

async function busState(bus: Bus): Promise<DependencyState> {
  if (!bus.connected)
    return {
      status: "FAIL",
      message: "the connection to the other nodes is gone",
      advice: "is the server of NATS_URL running, and can this machine reach it?",
    };
  const rttMs = (await bus.client?.rtt?.()) ?? null;
  const took = rttMs === null ? "" : `, ${rttMs} ms there and back`;
  return { status: "ok", message: `connected${took}`, figures: { rttMs } };
}

/** Measured for a moment, now: a histogram that always runs would cost a timer all day. */
async function loopState(): Promise<DependencyState> {
  const histogram = monitorEventLoopDelay({ resolution: 10 });
  const before = performance.eventLoopUtilization();
  histogram.enable();
  await sleep(limits.loopMs);
  histogram.disable();
  const { utilization } = performance.eventLoopUtilization(before);
  // The histogram counts the pause between two looks, its own resolution included; without a look it is empty.
  const delayMs = Number.isFinite(histogram.max / 1e6) ? Math.max(0, Math.round(histogram.max / 1e6) - 10) : 0;
  const busyPercent = Math.round(utilization * 100);
  const message = `${delayMs} ms late at most, ${busyPercent} % busy, over ${limits.loopMs} ms`;
  const status = statusOf(delayMs, limits.loopDelayMs);
  const advice =
    "a long synchronous piece of work holds up all calls of this process: take a CPU profile, or add workers";
  return { status, message, ...(status !== "ok" && { advice }), figures: { delayMs, busyPercent } };
}

export function memoryState({ rss, heapUsed }: Used = process.memoryUsage(), allowed = memoryLimit()): DependencyState {
  const heapBytesMax = getHeapStatistics().heap_size_limit;
  const share = Math.max(rss / allowed, heapUsed / heapBytesMax);
  const status = statusOf(share, limits.memory);
  const mb = (bytes: number): string => `${Math.round(bytes / 1_048_576).toLocaleString("en")} MB`;
  const message = `${mb(rss)} of ${mb(allowed)}, heap ${mb(heapUsed)} of ${mb(heapBytesMax)}`;
  const advice =
    "it is killed at its limit: give it more memory or a smaller CACHE_MB; a heap that grows for hours is a leak";
  return {
    status,
    message,
    ...(status !== "ok" && { advice }),
    figures: { rssBytes: rss, rssBytesMax: allowed, heapBytes: heapUsed, heapBytesMax },
  };
}

type Used = Pick<NodeJS.MemoryUsage, "rss" | "heapUsed">;

/** The limit of the container; the machine's memory where there is none. */
function memoryLimit(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}

const statusOf = (value: number, { warn, fail }: { warn: number; fail: number }) =>
  value >= fail ? "FAIL" : value >= warn ? "warn" : "ok";
