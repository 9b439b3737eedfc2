// Durable commands in a process of its own, whose environment says what is observed. Each message is a round of them, by their
// number and not by time: on a busy machine a second may hold too few to be compared.
import { readEnvironment } from "@valence/runtime/kernel";
import { startTracing } from "@valence/runtime/tracing";
import { task, tell } from "./contender.ts";
import { ACTORS, add, countersBroker } from "./counters.ts";
import { fixedLoop } from "./harness.ts";

export interface ObservedCommands {
  readonly env: Readonly<Record<string, string>>;
  readonly callers: number;
  /** Commands of a round, and before the first one. */
  readonly commands: number;
  readonly warmUp: number;
}

const { env, callers, commands, warmUp } = task() as ObservedCommands;
await startTracing(readEnvironment(env));
const broker = countersBroker(env);
await broker.start();
const call = (n: number): Promise<unknown> => add(broker, `c${n % ACTORS}`);
await fixedLoop(callers, warmUp, call);
process.on("message", () => void fixedLoop(callers, commands, call).then(cost => tell({ cost })));
process.on("disconnect", () => process.exit());
tell({ ready: 0 });
