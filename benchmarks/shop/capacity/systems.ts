// The systems of the benchmarks, as the model sees them: from the costs of the parts to what the whole does. The model may be believed
// about loads that nobody has tried as far as it finds the measurements of those that were.
import type { Costs } from "./costs.ts";
import { Lane, Simulation, Station } from "./simulation.ts";

/** Results of a system, in simulated time. */
export interface Outcome {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** As in the limits of the event store. */
export const BATCH_APPENDS = 512;
const LANES_OF_POSTGRES = 2;
const WARM_UP_MS = 500;
const MEASURED_MS = 2_000;

/** The work for each request; `then` is its answer. */
type Serve = (then: () => void) => void;

export function quantile(sorted: ArrayLike<number>, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** Callers who send their next request when they have the answer to the one before. */
export function closedLoop(simulation: Simulation, callers: number, serve: Serve): Outcome {
  const { latencies, note } = measuring(simulation);
  const call = (): void => {
    const sent = simulation.now;
    serve(() => {
      note(sent);
      call();
    });
  };
  for (let n = 0; n < callers; n++) call();
  return outcome(simulation, latencies);
}

/** Milliseconds that a timer of 1 ms takes. */
const TIMER_MS = 1.1;

/**
 * Requests that come at random, answered or not. The generator sends those that are due when its timer tells it to; where it is in
 * the process that it loads, the timer is set when the loop has done its work.
 */
export function openLoop(simulation: Simulation, perSecond: number, serve: Serve, loop?: Station): Outcome {
  const { latencies, note } = measuring(simulation);
  let due = 0;
  const send = (): void => {
    for (; due <= simulation.now; due += simulation.exponential(1_000 / perSecond)) {
      const at = due;
      serve(() => note(at));
    }
    const sleep = (): void => simulation.after(TIMER_MS, send);
    if (loop && !loop.isIdle) loop.whenIdle(sleep);
    else sleep();
  };
  send();
  return outcome(simulation, latencies);
}

function measuring(simulation: Simulation): { latencies: number[]; note: (since: number) => void } {
  const latencies: number[] = [];
  const note = (since: number): void => {
    if (simulation.now > WARM_UP_MS) latencies.push(simulation.now - since);
  };
  return { latencies, note };
}

function outcome(simulation: Simulation, latencies: number[]): Outcome {
  simulation.runUntil(WARM_UP_MS + MEASURED_MS);
  const sorted = Float64Array.from(latencies).sort();
  return {
    perSecond: (latencies.length / MEASURED_MS) * 1_000,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
  };
}

/** Milliseconds of a transaction on SQLite: the sync, and each row by the bare loop of inserts. */
export function sqliteBatchMs({ sqliteSyncMs, sqliteBareOf64 }: Costs): (appends: number) => number {
  const each = (64_000 / sqliteBareOf64 - sqliteSyncMs) / 64;
  return appends => sqliteSyncMs + appends * each;
}
/** Likewise on Postgres: the line through the bare inserts in batches of 64 and of 256. */
export function postgresBatchMs({ postgresBareOf64, postgresBareOf256 }: Costs): (appends: number) => number {
  const [of64, of256] = [64_000 / postgresBareOf64, 256_000 / postgresBareOf256];
  const each = (of256 - of64) / (256 - 64);
  return appends => of64 + (appends - 64) * each;
}

/** A command: the loop decides it, a lane commits it. */
function commands(loop: Station, loopMs: number, batchMs: (n: number) => number, lanes: number): Serve {
  const { simulation } = loop;
  const all = Array.from({ length: lanes }, () => new Lane(simulation, { batchMs, batchAppends: BATCH_APPENDS, loop }));
  let next = 0;
  return then => loop.serve(loopMs, () => all[next++ % lanes]!.append(then));
}

export const onSqlite = (costs: Costs, callers: number): Outcome => {
  const simulation = new Simulation(1);
  return closedLoop(
    simulation,
    callers,
    commands(new Station(simulation), costs.sqliteLoopUs / 1_000, sqliteBatchMs(costs), 1),
  );
};

/** One actor is in one lane. */
export const hotOnPostgres = (costs: Costs, callers: number): Outcome => {
  const simulation = new Simulation(1);
  const loopMs = 1_000 / costs.postgresCommands;
  return closedLoop(simulation, callers, commands(new Station(simulation), loopMs, postgresBatchMs(costs), 1));
};

/** Half of the highest rate, at random, from a generator in the same process. */
export const pacedOnPostgres = (costs: Costs): Outcome => {
  const simulation = new Simulation(1);
  const loop = new Station(simulation);
  const serve = commands(loop, 1_000 / costs.postgresCommands, postgresBatchMs(costs), LANES_OF_POSTGRES);
  return openLoop(simulation, costs.postgresCommands / 2, serve, loop);
};

/** Orders over HTTP, accepted and durable: 64 connections, one process. */
export const acceptedOrders = (costs: Costs): Outcome => {
  const simulation = new Simulation(1);
  const serve = commands(
    new Station(simulation),
    costs.acceptedLoopUs / 1_000,
    postgresBatchMs(costs),
    LANES_OF_POSTGRES,
  );
  return closedLoop(simulation, 64, serve);
};

/** An action of 1 ms of CPU and 5 ms of waiting behind the gateway, in an open loop. Timers of 5 ms take one more. */
export const overloaded = (costs: Costs, perSecond: number): Outcome => {
  const simulation = new Simulation(1);
  const loop = new Station(simulation);
  const gatewayMs = 1_000 / costs.gatewayTrivial;
  const serve: Serve = then =>
    loop.serve(gatewayMs / 2, () => loop.serve(1, () => simulation.after(6, () => loop.serve(gatewayMs / 2, then))));
  return openLoop(simulation, perSecond, serve);
};

/** Events of one page of a log, and pages that are read ahead. */
const PAGE = 500;
const PAGES_AHEAD = 2;

/**
 * A consumer that is far behind: one thread reads pages, another handles them. Which part of the CPU the slower one has is seen
 * where both are in one process; the other carriers have the same two at other costs.
 */
export const catchUp = (costs: Costs, cpuUs: number): number => {
  const simulation = new Simulation(1);
  const [reading, handling] = [new Station(simulation), new Station(simulation)];
  const slowerShare = 1_000_000 / costs.localCatchUp / costs.localCatchUpCpuUs;
  const pageMs = (PAGE * cpuUs) / 1_000;
  let handled = 0;
  const read = (): void =>
    reading.serve(pageMs * (1 - slowerShare), () =>
      handling.serve(pageMs * slowerShare, () => {
        handled += PAGE;
        read();
      }),
    );
  for (let n = 0; n < PAGES_AHEAD; n++) read();
  simulation.runUntil(MEASURED_MS);
  return (handled / MEASURED_MS) * 1_000;
};

/** Calls to other services in a whole order: its 15 commands, prices, and what the gateway asks. An estimate. */
export const CALLS_OF_ORDER = 20;
/** Slices of its CPU that an order waits for, one after the other: its commands. */
const SLICES = 15;
const OPEN_EACH = 60;

/** Whole orders a second of nodes that are held to a share of a core each; calls go to any of them. */
export const wholeOrders = (costs: Costs, nodes: number, share = 0.33): number => {
  const simulation = new Simulation(1);
  const loops = Array.from({ length: nodes }, () => new Station(simulation, { speed: share }));
  const remoteMs = (CALLS_OF_ORDER * (1 - 1 / nodes) * 1_000) / costs.remoteCalls;
  const sliceMs = (costs.orderCpuMs + remoteMs) / SLICES;
  const batchMs = postgresBatchMs(costs);
  let completed = 0;
  const order = (slice = 0): void => {
    if (slice === SLICES) {
      completed++;
      return order();
    }
    const loop = loops[Math.floor(simulation.random() * nodes)]!;
    loop.serve(sliceMs, () => simulation.after(batchMs(1), () => order(slice + 1)));
  };
  for (let n = 0; n < OPEN_EACH * nodes; n++) order();
  const [warmUpMs, measuredMs] = [20_000, 60_000];
  simulation.runUntil(warmUpMs);
  const before = completed;
  simulation.runUntil(warmUpMs + measuredMs);
  return ((completed - before) / measuredMs) * 1_000;
};
