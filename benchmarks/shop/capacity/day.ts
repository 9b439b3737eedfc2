// A day of one cell, as it was planned: orders come at random, most of them around noon; each goes through the gateway, is committed and
// answered, and its saga then sends one command after the other, whose events read models take. Twenty-four hours pass in minutes, and a large
// cell is made smaller: a part of its pods for the same part of its orders. Fewer pods wait for each other more, so times are
// rather too long.
import { Lane, Simulation, Station } from "./simulation.ts";
import { BATCH_APPENDS, postgresBatchMs, quantile } from "./systems.ts";
import type { Costs } from "./costs.ts";
import { cpuMs, planOf, ROLES, STEPS, type Plan, type Role, type Wanted } from "./plan.ts";

export interface Day {
  readonly orders: number;
  readonly acceptedMs: { readonly p50: number; readonly p99: number };
  readonly completedMs: { readonly p50: number; readonly p99: number };
  /** Part of the pods' cores that is busy in the busiest hour. */
  readonly busy: Readonly<Record<Role, number>>;
  /** Transactions of the commands of an order. */
  readonly commits: number;
}

const HOURS = 24;
/** Simulated seconds of an hour; a test takes fewer. */
const HOUR_S = 10;
/** Orders a second at the busiest time, in the simulation. */
const SIMULATED_PEAK = 30;
const LANES_EACH = 2;
/** Slices in which a gateway does the reads of an order. */
const VIEW_SLICES = 5;

/** Milliseconds in which 99 of 100 orders are to be answered. */
export const ACCEPTED_WITHIN_MS = 250;

/** Plans, tries the plan on a day, and adds pods until orders are answered in time. */
export function tried(costs: Costs, wanted: Wanted, seed: number): { readonly plan: Plan; readonly day: Day } {
  for (let busy = 0.6; ; busy -= 0.1) {
    const plan = planOf(costs, wanted, busy);
    const day = simulate(costs, wanted, plan, seed);
    if (day.acceptedMs.p99 <= ACCEPTED_WITHIN_MS || busy <= 0.3) return { plan, day };
  }
}

export function simulate(costs: Costs, wanted: Wanted, plan: Plan, seed: number, hourS = HOUR_S): Day {
  const simulation = new Simulation(seed);
  const peak = plan.peakPerSecond / plan.cells;
  const part = Math.min(1, SIMULATED_PEAK / peak);
  const pods = podsOf(simulation, plan, part);
  const batchMs = postgresBatchMs(costs);
  const lanes = new Map(
    pods.core.map(loop => [
      loop,
      Array.from({ length: LANES_EACH }, () => new Lane(simulation, { batchMs, batchAppends: BATCH_APPENDS, loop })),
    ]),
  );
  const cpu = cpuMs(costs, wanted);
  const viewsMs = (wanted.viewsPerOrder * 1_000) / costs.gatewayViews;
  const postMs = cpu.gateway - viewsMs;
  const pick = <Item>(list: readonly Item[]): Item => list[Math.floor(simulation.random() * list.length)]!;
  const [accepted, completed]: [number[], number[]] = [[], []];

  const command = (then: () => void): void => {
    const loop = pick(pods.core);
    loop.serve(cpu.core / STEPS, () =>
      pick(lanes.get(loop)!).append(() => {
        pick(pods.projections).serve(cpu.projections / STEPS, () => {});
        then();
      }),
    );
  };
  const drive = (left: number, since: number): void => {
    if (left === 0) return void completed.push(simulation.now - since);
    pick(pods.sagas).serve(cpu.sagas / (STEPS - 1), () => command(() => drive(left - 1, since)));
  };
  const order = (): void => {
    const since = simulation.now;
    for (let n = 0; n < VIEW_SLICES; n++) pick(pods.gateway).serve(viewsMs / VIEW_SLICES, () => {});
    pick(pods.gateway).serve(postMs, () =>
      command(() => {
        accepted.push(simulation.now - since);
        drive(STEPS - 1, since);
      }),
    );
  };

  const dayMs = HOURS * hourS * 1_000;
  const arrive = (): void => {
    // Thinned: candidates come at the highest rate, and as many are orders as the time of the day has.
    if (simulation.random() < shapeOf(simulation.now / dayMs, wanted.peakFactor)) order();
    if (simulation.now < dayMs) simulation.after(simulation.exponential(1_000 / (peak * part)), arrive);
  };
  simulation.after(0, arrive);
  const busiest = Math.floor(HOURS / 2) * hourS * 1_000;
  simulation.runUntil(busiest);
  const before = workedOf(pods);
  simulation.runUntil(busiest + hourS * 1_000);
  const after = workedOf(pods);
  simulation.runUntil(dayMs + 60_000);

  const cores = (role: Role): number => plan.pods[role] * part;
  const busyOf = (role: Role): number => (after[role] - before[role]) / (hourS * 1_000) / cores(role);
  const times = (list: readonly number[]) => {
    const sorted = Float64Array.from(list).sort();
    return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
  };
  const commits = [...lanes.values()].flat().reduce((sum, lane) => sum + lane.commits, 0);
  return {
    orders: accepted.length,
    acceptedMs: times(accepted),
    completedMs: times(completed),
    busy: {
      gateway: busyOf("gateway"),
      core: busyOf("core"),
      projections: busyOf("projections"),
      sagas: busyOf("sagas"),
    },
    commits: commits / accepted.length,
  };
}

type Pods = Readonly<Record<Role, readonly Station[]>>;

/** As many pods as the part has, each as fast as makes up for what was rounded. */
function podsOf(simulation: Simulation, plan: Plan, part: number): Pods {
  const of = (role: Role): Station[] => {
    const share = plan.pods[role] * part;
    const count = Math.max(1, Math.round(share));
    return Array.from({ length: count }, () => new Station(simulation, { speed: share / count }));
  };
  return { gateway: of("gateway"), core: of("core"), projections: of("projections"), sagas: of("sagas") };
}

function workedOf(pods: Pods): Record<Role, number> {
  const worked = { gateway: 0, core: 0, projections: 0, sagas: 0 };
  for (const role of ROLES) for (const { workedMs } of pods[role]) worked[role] += workedMs;
  return worked;
}

/**
 * Orders of a time of the day as a part of the highest rate: a bell around noon upon an even rest, such that the highest is
 * `peakFactor` times the mean.
 *
 * @param at part of the day that has passed
 */
export function shapeOf(at: number, peakFactor: number): number {
  const width = 1 / (4 * peakFactor);
  const bell = Math.exp(-(((at - 0.5 - 1 / 48) / width) ** 2) / 2);
  const mean = width * Math.sqrt(2 * Math.PI);
  // rest + (1 - rest) * mean = 1 / peakFactor
  const rest = Math.max(0, (1 / peakFactor - mean) / (1 - mean));
  return rest + (1 - rest) * bell;
}
