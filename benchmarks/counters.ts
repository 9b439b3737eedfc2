// The smallest possible actor, for measuring durable commands: one event a command.
import { ServiceBroker, type BrokerOptions } from "moleculer";
import Type from "typebox";
import { brokerOptions } from "@valence/runtime/broker";
import { defineActor } from "@valence/runtime/actor";
import { Actors, type HostOptions } from "@valence/runtime/actor/mixin";
import { defineContract, defineService } from "@valence/runtime/contract";
import { readEnvironment } from "@valence/runtime/kernel";
import { closedLoop, median, rounded, thousands } from "./harness.ts";

/** Actors that commands are spread over. */
export const ACTORS = 5_000;

export const contract = defineContract({
  service: "counters",
  actor: "counter",
  state: { count: Type.Integer() },
  commands: { add: { by: Type.Integer({ minimum: 1, maximum: 100 }) } },
  events: { "counter.added": { by: Type.Integer() } },
});
declare global {
  interface Contracts {
    counters: typeof contract;
  }
}
const Counter = defineActor(contract)({
  initial: () => ({ count: 0 }),
  decide: { add: (_state, { by }) => [contract.event("counter.added", { by })] },
  evolve: { "counter.added": (state, { by }) => ({ count: state.count + by }) },
});

/** A broker with the counters on it, not yet started; `env` as in the process's environment. */
export function countersBroker(
  env: Readonly<Record<string, string>>,
  options: Partial<BrokerOptions> = {},
  host: Partial<HostOptions> = {},
): ServiceBroker {
  const runtime = brokerOptions(readEnvironment(env));
  const broker = new ServiceBroker({ ...runtime, logger: false, ...options });
  broker.createService(defineService(contract, { mixins: [Actors(Counter, host)] }));
  return broker;
}

export const add = (broker: ServiceBroker, id: string): Promise<unknown> => broker.call("counters.add", { id, by: 1 });

export interface Commands {
  readonly name: string;
  /** The actor of the n-th command. */
  readonly id: (n: number) => string;
  readonly callers: number;
  readonly seconds: number;
  readonly runs: number;
}

/** Commands per second of a broker that is started for it and stopped afterwards, after a warm-up; median of the runs. */
export async function measureCommands(
  broker: ServiceBroker,
  { name, id, callers, seconds, runs }: Commands,
): Promise<{ readonly perSecond: number; readonly row: Record<string, unknown> }> {
  await broker.start();
  const call = (n: number) => add(broker, id(n));
  await closedLoop(callers, Math.min(3, seconds), call);
  const loads = [];
  for (let run = 0; run < runs; run++) loads.push(await closedLoop(callers, seconds, call));
  await broker.stop();
  const perSecond = median(loads.map(load => load.perSecond));
  const row = {
    case: name,
    "per second": thousands(perSecond),
    "p50 ms": rounded(median(loads.map(load => load.latencyMs.p50)), 2),
    "p99 ms": rounded(median(loads.map(load => load.latencyMs.p99)), 2),
    "loop delay p99 ms": rounded(median(loads.map(load => load.loopDelayP99Ms)), 1),
    CPUs: rounded(median(loads.map(load => load.cpus)), 2),
  };
  console.log(row);
  return { perSecond, row };
}
