// Durable commands in a process of its own, whose environment says what is observed. Each message is a run.
import { readEnvironment } from "@valence/runtime/kernel";
import { startTracing } from "@valence/runtime/tracing";
import { task, tell } from "./contender.ts";
import { ACTORS, add, countersBroker } from "./counters.ts";
import { closedLoop } from "./harness.ts";

export interface ObservedCommands {
  readonly env: Readonly<Record<string, string>>;
  readonly callers: number;
  readonly seconds: number;
}

const { env, callers, seconds } = task() as ObservedCommands;
await startTracing(readEnvironment(env));
const broker = countersBroker(env);
await broker.start();
const call = (n: number): Promise<unknown> => add(broker, `c${n % ACTORS}`);
await closedLoop(callers, Math.min(3, seconds), call);
process.on("message", () => void closedLoop(callers, seconds, call).then(load => tell({ loads: [load] })));
process.on("disconnect", () => process.exit());
tell({ ready: 0 });
