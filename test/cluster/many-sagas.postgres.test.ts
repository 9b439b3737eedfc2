// @slow: it takes minutes, and begins first. A hundred thousand sagas are open on three nodes: what they call hangs. A node
// is killed, and another one starts, in heaps that could not hold them all.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "@valence/runtime/testing";
import { newDatabases, query, type Databases } from "@valence/runtime/testing/servers";
import { Cluster, type NodeKind } from "./cluster.ts";

const SAGAS = Number(process.env["SAGAS"] ?? 100_000);
const MAKERS = 200;
/** Megabytes of a node's heap: it would die of more. */
const HEAP_MB = 256;
const NODE: NodeKind = {
  script: new URL("errands-node.fixture.ts", import.meta.url).pathname,
  serves: "errands.make",
};
// Takes minutes: an ordinary run counts it as skipped.
const longTest = process.env["CHAOS"] === "all" ? test : test.skip;
/** Milliseconds that making them, or driving all to their end, may take. */
const LONG_MS = 20 * 60_000;

let cluster: Cluster;
let databases: Databases;
let hold: string;
let env: Record<string, string>;
beforeAll(async () => {
  databases = await newDatabases();
  hold = join(databases.folder, "hold");
  writeFileSync(hold, "");
  env = {
    HOLD: hold,
    NODE_OPTIONS: `--disable-warning=ExperimentalWarning --max-old-space-size=${HEAP_MB}`,
  };
  cluster = await Cluster.start(0, databases, NODE);
  await Promise.all([cluster.join(env), cluster.join(env), cluster.join(env)]);
});
afterAll(() => cluster?.stop());

const ask = async (sql: string): Promise<any[]> => query<any>(databases.env["DATABASE_URL"]!, sql);
/** Waits until so many sagas are open. A node that has died, of its heap above all, ends the wait. */
const untilOpen = (wanted: number): Promise<unknown> =>
  until(
    async () => {
      for (const { running, output } of cluster.nodes.values())
        if (!running) throw new Error(`a node died:\n${output}`);
      const [row] = await ask(
        "select count(*)::int as n from deliveries.sagas where state in ('running', 'compensating')",
      );
      return row.n;
    },
    n => n === wanted,
    LONG_MS,
  );
/** How many sagas or errands there are of each state or type. */
const countBy = async (table: string, column: string): Promise<Record<string, number>> => {
  const rows = await ask(`select ${column} as what, count(*)::int as n from ${table} group by 1`);
  return Object.fromEntries(rows.map(({ what, n }) => [what, n]));
};
const memoryMb = (): number[] =>
  [...cluster.nodes.values()].map(({ process: { pid } }) => {
    const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))!;
    return Math.round(Number(kilobytes) / 1_024);
  });

/** Each command has an id, so that one may be sent again that found its node dying. */
async function make(): Promise<void> {
  let next = 0;
  const maker = async (): Promise<void> => {
    for (let n = next++; n < SAGAS; n = next++)
      await cluster.caller.call("errands.make", { id: `e${n}` }, { timeout: 60_000 });
  };
  await Promise.all(Array.from({ length: MAKERS }, maker));
}

longTest(
  "P5 100,000 sagas are open on three nodes, one of which is killed: memory and restart are bounded, and each saga ends once",
  async () => {
    const tookS: Record<string, number> = {};
    const timed = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      const began = performance.now();
      await work();
      tookS[what] = Math.round((performance.now() - began) / 100) / 10;
    };
    await timed("made", make);
    await timed("all open", () => untilOpen(SAGAS));
    await cluster.end([...cluster.nodes.keys()][0]!, "SIGKILL");
    await timed("a node starts", () => cluster.join(env));
    const atOpen = memoryMb();
    rmSync(hold);
    await timed("all ended", () => untilOpen(0));
    console.log(JSON.stringify({ tookS, atOpenMb: atOpen, inTheEndMb: memoryMb() }));
    expect(await countBy("deliveries.sagas", "state")).toEqual({ completed: SAGAS });
    expect(await countBy("errands.events", "type")).toEqual({ "errand.made": SAGAS, "errand.done": SAGAS });
  },
  2 * LONG_MS,
);
