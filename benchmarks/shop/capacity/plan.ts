// From the costs of an order to what a number of orders a day needs. Work that can be divided needs more pods; work that one writer has to
// do ends at a rate, and past it the shop is divided into cells: shops of their own, each with a part of the customers.
import { CALLS_OF_ORDER } from "./systems.ts";
import type { Costs } from "./costs.ts";

export interface Wanted {
  readonly ordersPerDay: number;
  /** Orders a second at the busiest time of the day, of those in the mean. */
  readonly peakFactor: number;
  /** Products looked at, for each order. */
  readonly viewsPerOrder: number;
  readonly carrier: "jetstream" | "kafka";
  /** Days that events and records lie in Postgres. */
  readonly keepDays: number;
}

export const ROLES = ["gateway", "core", "projections", "sagas"] as const;
export type Role = (typeof ROLES)[number];

/** Something that ends at a rate. */
export interface Limit {
  readonly what: string;
  /** Orders a second, of one cell. */
  readonly ordersPerSecond: number;
  readonly moves: string;
}

export interface Plan {
  readonly meanPerSecond: number;
  readonly peakPerSecond: number;
  readonly cells: number;
  /** Each cell has these. */
  readonly pods: Readonly<Record<Role, number>>;
  readonly partitions: number;
  readonly postgres: {
    readonly shards: number;
    readonly coresEach: number;
    /** Connections to each shard, when no pooler is between. */
    readonly connections: number;
    readonly isPoolerNeeded: boolean;
    readonly tablesTb: number;
    readonly logGbPerDay: number;
  };
  readonly carrier: {
    readonly name: Wanted["carrier"];
    readonly servers: number;
    readonly coresEach: number;
    readonly eventsPerSecond: number;
    readonly mbPerSecond: number;
    /** Minutes of the busiest time that the stream of the busiest service keeps; older events are read from the log. */
    readonly keptMinutes: number;
  };
  readonly limits: readonly Limit[];
  /** The sum of all cells, at the busiest time. */
  readonly nodeCores: number;
  readonly postgresCores: number;
  /** The cost of a million orders. */
  readonly perMillion: {
    readonly nodeCpuHours: number;
    readonly postgresCpuHours: number;
    readonly tablesGb: number;
    readonly auditGb: number;
    readonly logGb: number;
    readonly carrierGb: number;
  };
}

export const DEFAULTS: Omit<Wanted, "ordersPerDay"> = {
  peakFactor: 3,
  viewsPerOrder: 50,
  carrier: "jetstream",
  keepDays: 90,
};

/** Part of a core that is busy at the busiest time: autoscalers add pods at 70 %, and a pod more takes a minute. */
export const BUSY = 0.6;
/** Two, so that one may end. */
const PODS_MIN = 2;
/**
 * Parts of a whole order's CPU, by the profile in docs/performance.md: what it names of each role, and the rest (garbage, Moleculer, what
 * it does not name) in the same parts.
 */
const SHARES: Readonly<Record<Role, number>> = { gateway: 0.16, core: 0.38, projections: 0.33, sagas: 0.13 };
/** Commands of an order; each is a place where it waits. */
export const STEPS = 15;
const PARTITIONS_MIN = 16;
/** As `PARTITIONS` allows. */
const PARTITIONS_MAX = 128;
/** Cores that one primary is given: a choice, not a measurement. */
const PRIMARY_CORES_MAX = 16;
const PRIMARY_CORES_MIN = 2;
/** As `max_connections` of k8s/components/postgres-cnpg, and what a pod of each role holds. */
const CONNECTIONS_MAX = 700;
const CONNECTIONS: Readonly<Record<Role, number>> = { gateway: 0, core: 60, projections: 14, sagas: 10 };
/** A primary, the standby that confirms, and a spare one. */
const COPIES = 3;
const CARRIER_SERVERS = 3;
/** The events that the stream of an owner keeps. */
const STREAM_BYTES = 256 * 2 ** 20;
/** Events of an order by the service that has most of them, orders. */
const EVENTS_OF_BUSIEST = 5;
const DAY_S = 86_400;
const [GB, TB] = [1e9, 1e12];

/** CPU milliseconds of an order, by role. Each call leaves its pod where roles are apart. */
export function cpuMs(costs: Costs, wanted: Pick<Wanted, "viewsPerOrder">): Record<Role, number> {
  const whole = costs.orderCpuMs + (CALLS_OF_ORDER * 1_000) / costs.remoteCalls;
  const views = (wanted.viewsPerOrder * 1_000) / costs.gatewayViews;
  return {
    gateway: whole * SHARES.gateway + views,
    core: whole * SHARES.core,
    projections: whole * SHARES.projections,
    sagas: whole * SHARES.sagas,
  };
}

/** @param busy part of a core that may be busy at the busiest time */
export function planOf(costs: Costs, wanted: Wanted, busy = BUSY): Plan {
  const meanPerSecond = wanted.ordersPerDay / DAY_S;
  const peakPerSecond = meanPerSecond * wanted.peakFactor;
  const cpu = cpuMs(costs, wanted);
  const limits = limitsOf(costs, wanted, cpu);
  const cells = Math.ceil(peakPerSecond / (limits[0]!.ordersPerSecond * busy));
  const peak = peakPerSecond / cells;
  const podsOf = (role: Role): number => Math.max(PODS_MIN, Math.ceil((peak * cpu[role]) / 1_000 / busy));
  const pods = {
    gateway: podsOf("gateway"),
    core: podsOf("core"),
    projections: podsOf("projections"),
    sagas: podsOf("sagas"),
  };
  const readers = Math.max(pods.projections, pods.sagas);
  const postgresCores = (peak * costs.postgresCpuMs) / 1_000;
  const shards = Math.max(1, Math.ceil(postgresCores / busy / PRIMARY_CORES_MAX));
  const connections = ROLES.reduce((sum, role) => sum + CONNECTIONS[role] * (pods[role] + 1), 0);
  const bytes = costs.auditBytes + costs.serviceBytes;
  const carrierUs = wanted.carrier === "kafka" ? costs.kafkaServerUs : costs.jetstreamServerUs;
  const eventBytes = costs.carrierBytes / costs.carrierEvents;
  return {
    meanPerSecond,
    peakPerSecond,
    cells,
    pods,
    partitions: Math.min(PARTITIONS_MAX, Math.max(PARTITIONS_MIN, 2 ** Math.ceil(Math.log2(readers)))),
    postgres: {
      shards,
      coresEach: Math.max(PRIMARY_CORES_MIN, Math.ceil(postgresCores / busy / shards)),
      connections,
      isPoolerNeeded: connections > CONNECTIONS_MAX,
      tablesTb: ((wanted.ordersPerDay / cells) * wanted.keepDays * bytes * COPIES) / TB,
      logGbPerDay: ((wanted.ordersPerDay / cells) * costs.logBytes) / GB,
    },
    carrier: {
      name: wanted.carrier,
      servers: CARRIER_SERVERS,
      // Each server writes every event: three copies.
      coresEach: Math.max(1, Math.ceil((peak * costs.carrierEvents * carrierUs) / 1e6 / busy)),
      eventsPerSecond: peak * costs.carrierEvents,
      mbPerSecond: (peak * costs.carrierBytes) / 1e6,
      keptMinutes: STREAM_BYTES / (peak * EVENTS_OF_BUSIEST * eventBytes) / 60,
    },
    limits,
    nodeCores: (peakPerSecond * ROLES.reduce((sum, role) => sum + cpu[role], 0)) / 1_000,
    postgresCores: postgresCores * cells,
    perMillion: {
      nodeCpuHours: (1e6 * ROLES.reduce((sum, role) => sum + cpu[role], 0)) / 3_600_000,
      postgresCpuHours: (1e6 * costs.postgresCpuMs) / 3_600_000,
      tablesGb: (1e6 * bytes) / GB,
      auditGb: (1e6 * costs.auditBytes) / GB,
      logGb: (1e6 * costs.logBytes) / GB,
      carrierGb: (1e6 * costs.carrierBytes) / GB,
    },
  };
}

/** Limits of one cell, the lowest first. */
function limitsOf(costs: Costs, wanted: Wanted, cpu: Readonly<Record<Role, number>>): Limit[] {
  const taken = wanted.carrier === "kafka" ? costs.kafkaTaken : costs.jetstreamTaken;
  return [
    {
      what: "the audit: a batch locks the heads of its four chains, so one writer at a time",
      ordersPerSecond: costs.auditRecords / costs.auditedEvents,
      moves: "fewer records of an order (20 of 35 are entries of the saga's journal), or chains that nodes share",
    },
    {
      what: "read models: the rows of one are written by one node after the other",
      ordersPerSecond: costs.projectionEvents / costs.carrierEvents,
      moves: "a read model whose rows are divided like its events",
    },
    {
      what: `pods that read events: one for each of at most ${PARTITIONS_MAX} partitions`,
      ordersPerSecond: (PARTITIONS_MAX * 1_000) / Math.max(cpu.projections, cpu.sagas),
      moves: "CPU of an event in a read model; a larger bound of PARTITIONS",
    },
    {
      what: "one log on the bus, as measured with one node that publishes",
      ordersPerSecond: taken / EVENTS_OF_BUSIEST,
      moves: "nodes share the publishing by partition: how much more that gives was not measured",
    },
  ].sort((one, other) => one.ordersPerSecond - other.ordersPerSecond);
}

/** How the answer changes with what it stands on. */
export interface Changed {
  readonly what: string;
  readonly plan: Plan;
}

export function sensitivity(costs: Costs, wanted: Wanted): Changed[] {
  const changed = (what: string, otherCosts: Partial<Costs>, other: Partial<Wanted> = {}): Changed => ({
    what,
    plan: planOf({ ...costs, ...otherCosts }, { ...wanted, ...other }),
  });
  // Two cores did it all: one for the node and one for Postgres and the load, which is the model's guess.
  const warmMs = 1_000 / costs.orderWarm;
  return [
    changed("as it is", {}),
    changed("SQL takes twice the CPU", { postgresCpuMs: costs.postgresCpuMs * 2 }),
    changed("the nodes take twice the CPU", { orderCpuMs: costs.orderCpuMs * 2 }),
    changed("warm code and large batches, as after 60 s of load on one process", {
      orderCpuMs: warmMs,
      postgresCpuMs: warmMs,
    }),
    changed("a remote call costs ten times as much", { remoteCalls: costs.remoteCalls / 10 }),
    changed("no journals of sagas in the audit", {
      auditedEvents: costs.carrierEvents,
      auditBytes: (costs.auditBytes * costs.carrierEvents) / costs.auditedEvents,
    }),
    changed("the busiest time is twice as busy", {}, { peakFactor: wanted.peakFactor * 2 }),
    changed("twice as many products are looked at", {}, { viewsPerOrder: wanted.viewsPerOrder * 2 }),
  ];
}
