// A durable workflow of three steps on DBOS, each the same work as a step of ours.
import { DBOS } from "@dbos-inc/dbos-sdk";
import { measure, task, type Effort } from "../contender.ts";

const { url, poolSize, ...effort } = task() as { url: string; poolSize: number } & Effort;
const increment = async (n: number): Promise<{ n: number }> => ({ n: n + 1 });
const workflow = DBOS.registerWorkflow(
  async (n: number) => {
    const first = await DBOS.runStep(() => increment(n), { name: "first" });
    const second = await DBOS.runStep(() => increment(first.n), { name: "second" });
    return DBOS.runStep(() => increment(second.n), { name: "third" });
  },
  { name: "three-steps" },
);
DBOS.setConfig({ name: "peers", systemDatabaseUrl: url, systemDatabasePoolSize: poolSize, logLevel: "error" });
await DBOS.launch();
await measure(effort, n => workflow(n));
