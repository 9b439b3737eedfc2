// @slow: it takes minutes, and begins first. One cluster for all tests: each leaves it with three nodes.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "@valence/runtime/testing";
import { Cluster, type Ended } from "./cluster.ts";

const NODES = 3;
const ACTORS = 200;
const IS_LONG = process.env["CHAOS"] === "all";
/** Milliseconds for which NATS is away. `npm run test:chaos` also takes it away for as long as heartbeats may be missing. */
const OUTAGES_MS = IS_LONG ? [3_000, 30_000] : [3_000];
/** Milliseconds for which nodes are busy: longer than those take that find a node silent (broker/liveness.ts). */
const BUSY_MS = IS_LONG ? 10_000 : 7_000;
let cluster: Cluster;
/** What the actors had counted before the test. */
let before: number;
beforeAll(async () => void (cluster = await Cluster.start(NODES)));
beforeEach(async () => {
  // A test that failed may have left fewer nodes.
  while (cluster.live().length < NODES) await cluster.join();
  before = await sumOf();
});
afterAll(() => cluster?.stop());

const failed = (ended: readonly Ended[]) => ended.filter(({ error }) => error);

async function sumOf(): Promise<number> {
  const counts = await Promise.all(Array.from({ length: ACTORS }, (_, n) => cluster.countOf(`t${n}`)));
  return counts.reduce((all, count) => all + count, 0);
}

/** P3: what was acknowledged happened, and happened once; what failed without an outcome happened at most once. */
async function expectCounts(ended: readonly Ended[]): Promise<void> {
  const sum = (await sumOf()) - before;
  const acknowledged = ended.filter(({ error }) => !error).length;
  const unknown = failed(ended).filter(({ error }) => error.data.outcome === "unknown").length;
  expect(sum).toBeGreaterThanOrEqual(acknowledged);
  expect(sum).toBeLessThanOrEqual(acknowledged + unknown);
}

test("P3 a node that is killed under load: its calls are answered by others, none fails, none counts twice", async () => {
  const load = cluster.load(30, ACTORS);
  for (let kill = 0; kill < 2; kill++) {
    await until("the load is under way", () => load.ended.length > 500 * (kill + 1));
    const dead = cluster.live()[kill]!;
    await cluster.end(dead, "SIGKILL");
    await until("the dead node gets no calls", () => !cluster.live().includes(dead), 3_000);
    for (const peer of cluster.live())
      await until(`${peer} has noticed too`, async () => !(await cluster.peersOf(peer)).includes(dead), 3_000);
    await cluster.join();
  }
  const ended = await load.stop();
  expect(failed(ended)).toEqual([]);
  await expectCounts(ended);
});

test("a node that comes back under its name answers again, and is not taken for the one that died", async () => {
  const load = cluster.load(10, ACTORS);
  await until("the load is under way", () => load.ended.length > 200);
  const [id] = cluster.live();
  await cluster.end(id!, "SIGKILL");
  await cluster.join({ NODEID: id! });
  const ended = await load.stop();
  expect(failed(ended)).toEqual([]);
  expect(await cluster.caller.call("nodes.whoAmI", {}, { nodeID: id! })).toBe(id);
  await expectCounts(ended);
});

test("nodes that are always busy are slow, and no node takes them for dead", async () => {
  const lost: string[] = [];
  cluster.caller.localBus.on("$node.disconnected", ({ node }: { node: { id: string } }) => lost.push(node.id));
  const load = cluster.load(5, ACTORS);
  const burning = cluster
    .live()
    .map(nodeID => cluster.caller.call("nodes.burn", { ms: BUSY_MS, pauseEveryMs: 300 }, { nodeID, timeout: 60_000 }));
  await Promise.all(burning);
  const ended = await load.stop();
  expect(lost).toEqual([]);
  for (const peer of cluster.live()) expect(await cluster.peersOf(peer)).toHaveLength(3);
  await expectCounts(ended);
});

describe("when NATS is away", () => {
  test.each(OUTAGES_MS)(
    "for %d ms, and comes back empty: each call ends, the nodes find each other again",
    async ms => {
      const load = cluster.load(10, ACTORS);
      await until("the load is under way", () => load.ended.length > 200);
      await cluster.nats.halt();
      await sleep(ms);
      // A call that began in the outage has ended already: it was rejected at once, not when its time had run out.
      const since = performance.now() - Math.min(ms, 2_000);
      expect(load.ended.some(({ began, error }) => began > since && error)).toBe(true);
      await cluster.nats.start({ empty: true });
      const back = performance.now();
      await until("all nodes are seen", () => cluster.live().length === 3, 5_000);
      await until("calls are answered", () => load.ended.some(({ began, error }) => began > back && !error), 5_000);
      const ended = await load.stop();
      for (const { began, ended: end } of ended) expect(end - began).toBeLessThan(6_000);
      for (const { error } of failed(ended))
        expect(error).toMatchObject({ retryable: true, data: { family: "unavailable" } });
      await expectCounts(ended);
    },
  );
});

test("SIGTERM to each node in turn, under load: no call fails, though the test repeats none", async () => {
  const load = cluster.load(30, ACTORS);
  for (const id of cluster.live()) {
    await until("the load is under way", () => load.ended.length > 200);
    await cluster.join();
    expect(await cluster.end(id, "SIGTERM")).toBe(0);
  }
  const ended = await load.stop();
  expect(failed(ended)).toEqual([]);
  await expectCounts(ended);
});

test("a process that is started with the NODEID of another ends and names it; the other one goes on", async () => {
  const nodes = cluster.live();
  const id = nodes[0]!;
  const first = cluster.nodes.get(id)!;
  const load = cluster.load(5, ACTORS);
  await until("the load is under way", () => load.ended.length > 100);
  const named = new RegExp(`did not start[^]*NODEID ${id}`);
  await expect(cluster.join({ NODEID: id, LOGLEVEL: "error" })).rejects.toThrow(named);
  cluster.nodes.set(id, first);
  expect(failed(await load.stop())).toEqual([]);
  expect(cluster.live()).toEqual(nodes);
});

test("a node that hangs is left out, though its machine answers, and comes back when it goes on", async () => {
  const load = cluster.load(10, ACTORS);
  await until("the load is under way", () => load.ended.length > 200);
  const [id] = cluster.live();
  cluster.signal(id!, "SIGSTOP");
  await until("the hanging node gets no calls", () => !cluster.live().includes(id!), 15_000);
  cluster.signal(id!, "SIGCONT");
  await until("the node is back", () => cluster.live().includes(id!), 10_000);
  await expectCounts(await load.stop());
  // A stop does not wait for the calls that were given up.
  const stopping = performance.now();
  await cluster.caller.stop();
  expect(performance.now() - stopping).toBeLessThan(5_000);
});
