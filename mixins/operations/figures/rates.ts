// Rates from totals that nodes have counted: what happened between two looks, over all nodes. Pure.
import type { NodeCounts } from "../../metrics/index.ts";

type Counts = NonNullable<NodeCounts["counts"]>;

/** What the nodes had counted at one moment. */
export interface Look {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly nodes: ReadonlyMap<string, Counts>;
  /** The reader of a log that is furthest behind; absent where nobody told. */
  readonly lagEvents?: number;
  readonly lagSeconds?: number;
}

export interface Point {
  readonly at: string;
  /** Seconds since the look before. */
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly failuresPerSecond: number;
  /** Milliseconds that half, 95 % and 99 % of the requests took at most; absent where there were none. */
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  readonly p99Ms?: number;
  readonly commandsPerSecond: number;
  readonly eventsPerSecond: number;
  readonly lagEvents?: number;
  readonly lagSeconds?: number;
}

export function pointOf(before: Look, after: Look): Point {
  const seconds = Math.max(0.001, (after.at - before.at) / 1_000);
  const changes = [...after.nodes].flatMap(([node, counts]) => {
    const then = before.nodes.get(node);
    // What a node that has joined has counted, it has counted at some time: it has no rate yet.
    return then ? [changeOf(then, counts)] : [];
  });
  const perSecond = (of: (change: Counts) => number): number =>
    rounded(changes.reduce((sum, change) => sum + of(change), 0) / seconds);
  const durations = summed(changes.map(change => change.durations));
  const { lagEvents, lagSeconds } = after;
  return {
    at: new Date(after.at).toISOString(),
    seconds: rounded(seconds),
    requestsPerSecond: perSecond(({ requests }) => requests),
    failuresPerSecond: perSecond(({ failures }) => failures),
    ...quantiles(durations),
    commandsPerSecond: perSecond(({ commands }) => commands),
    eventsPerSecond: perSecond(({ events }) => events),
    ...(lagEvents !== undefined && { lagEvents }),
    ...(lagSeconds !== undefined && { lagSeconds }),
  };
}

/** A process that has begun anew counts from 0. */
function changeOf(before: Counts, after: Counts): Counts {
  if (after.requests < before.requests || after.commands < before.commands || after.events < before.events)
    return after;
  const then = new Map(before.durations);
  return {
    requests: after.requests - before.requests,
    failures: after.failures - before.failures,
    durations: after.durations.map(([bound, count]) => [bound, count - (then.get(bound) ?? 0)]),
    commands: after.commands - before.commands,
    events: after.events - before.events,
  };
}

type Durations = Counts["durations"];

function summed(all: readonly Durations[]): Durations {
  const sums = new Map<number | null, number>();
  for (const [bound, count] of all.flat()) sums.set(bound, (sums.get(bound) ?? 0) + count);
  return [...sums].sort(([a], [b]) => (a ?? Infinity) - (b ?? Infinity));
}

function quantiles(durations: Durations): Pick<Point, "p50Ms" | "p95Ms" | "p99Ms"> {
  const total = durations.at(-1)?.[1] ?? 0;
  if (total === 0) return {};
  const at = (share: number): number => Math.round(quantile(durations, share * total) * 10_000) / 10;
  return { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
}

/** Seconds, as evenly spread within a bucket as Prometheus takes it; beyond the last bound nobody knows. */
function quantile(durations: Durations, rank: number): number {
  let below: readonly [bound: number, count: number] = [0, 0];
  for (const [bound, count] of durations) {
    if (bound === null) break;
    if (count >= rank) {
      const inBucket = count - below[1];
      return inBucket === 0 ? bound : below[0] + ((bound - below[0]) * (rank - below[1])) / inBucket;
    }
    below = [bound, count];
  }
  return below[0];
}

const rounded = (n: number): number => Math.round(n * 100) / 100;
