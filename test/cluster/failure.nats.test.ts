// @slow: it takes minutes, and begins first.
import { afterEach, describe, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "@valence/runtime/testing";
import { Cluster, type Ended } from "./cluster.ts";

const ACTORS = 200;
/** Milliseconds for which NATS is away. `npm run test:chaos` also takes it away for as long as heartbeats may be missing. */
const OUTAGES_MS = process.env["CHAOS"] === "all" ? [3_000, 30_000] : [3_000];
let cluster: Cluster;
afterEach(() => cluster.stop());

const failed = (ended: readonly Ended[]) => ended.filter(({ error }) => error);

/** P3: what was acknowledged happened, and happened once; what failed without an outcome happened at most once. */
async function expectCounts(ended: readonly Ended[]): Promise<void> {
  const counts = await Promise.all(Array.from({ length: ACTORS }, (_, n) => cluster.countOf(`t${n}`)));
  const sum = counts.reduce((all, count) => all + count, 0);
  const acknowledged = ended.filter(({ error }) => !error).length;
  const unknown = failed(ended).filter(({ error }) => error.data.outcome === "unknown").length;
  expect(sum).toBeGreaterThanOrEqual(acknowledged);
  expect(sum).toBeLessThanOrEqual(acknowledged + unknown);
}

test("P3 a node that is killed under load: its calls are answered by others, none fails, none counts twice", async () => {
  cluster = await Cluster.start(3);
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
  cluster = await Cluster.start(2);
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

test("a node that hangs is left out, though its machine answers, and comes back when it goes on", async () => {
  cluster = await Cluster.start(3);
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

test("nodes that are always busy are slow, and no node takes them for dead", async () => {
  cluster = await Cluster.start(3);
  const lost: string[] = [];
  cluster.caller.localBus.on("$node.disconnected", ({ node }: { node: { id: string } }) => lost.push(node.id));
  const load = cluster.load(5, ACTORS);
  const burning = cluster
    .live()
    .map(nodeID => cluster.caller.call("nodes.burn", { ms: 10_000, pauseEveryMs: 300 }, { nodeID, timeout: 60_000 }));
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
      cluster = await Cluster.start(3);
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
  cluster = await Cluster.start(3);
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
  cluster = await Cluster.start(1);
  const first = cluster.nodes.get("node-1")!;
  const load = cluster.load(5, ACTORS);
  await until("the load is under way", () => load.ended.length > 100);
  await expect(cluster.join({ NODEID: "node-1", LOGLEVEL: "error" })).rejects.toThrow(/did not start[^]*NODEID node-1/);
  cluster.nodes.set("node-1", first);
  expect(failed(await load.stop())).toEqual([]);
  expect(cluster.live()).toEqual(["node-1"]);
});
