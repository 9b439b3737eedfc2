// @slow: it takes minutes, and begins first.
// Nodes that share sagas and timers. The parcels of all orders are held back, so that each saga has a step under way.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { until } from "@valence/runtime/testing";
import { newDatabases } from "@valence/runtime/testing/servers";
import type { SagaDetail } from "@valence/runtime/saga/mixin";
import { Cluster, type NodeKind } from "./cluster.ts";

const NODE: NodeKind = {
  script: new URL("sagas-node.fixture.ts", import.meta.url).pathname,
  serves: "wishes.make",
};
const ids = Array.from({ length: 40 }, (_, i) => `w${i}`);

let cluster: Cluster;
let hold: string;
let env: Record<string, string>;
beforeEach(async () => {
  const databases = await newDatabases();
  const effects = join(databases.folder, "effects");
  hold = join(effects, "hold");
  mkdirSync(effects);
  writeFileSync(hold, "");
  env = { HOLD: hold, EFFECTS: effects };
  cluster = await Cluster.start(0, databases, NODE);
  await Promise.all([cluster.join(env), cluster.join(env), cluster.join(env)]);
});
afterEach(() => cluster.stop());

/** Which nodes drive each saga, as they say themselves. */
async function drivers(): Promise<string[][]> {
  const drivenBy = async (node: string, id: string): Promise<string[]> => {
    const asked = cluster.caller.call<{ driving?: object }, object>(
      "fulfilments.sagaDriving",
      { id: `fulfilment.${id}` },
      { nodeID: node },
    );
    return (await asked.catch(() => ({ driving: undefined }))).driving ? [node] : [];
  };
  const nodes = [...cluster.nodes.keys()];
  return Promise.all(ids.map(async id => (await Promise.all(nodes.map(node => drivenBy(node, id)))).flat()));
}
const saga = (id: string): Promise<SagaDetail> => cluster.caller.call("fulfilments.saga", { id });
const isDrivenOnce = async (): Promise<boolean> => (await drivers()).every(nodes => nodes.length === 1);

/** How many partitions of the timers each node has. */
function timerShares(): number[] {
  const database = new DatabaseSync(join(cluster.folder, "wishes.sqlite"), { readOnly: true });
  try {
    const like = "work/timers/%/16";
    const leases = database.prepare("select holder from leases where name like ?").all(like) as { holder: string }[];
    return [...cluster.nodes.values()].map(({ process: { pid } }) => {
      const own = leases.filter(({ holder }) => holder.split("/")[1] === String(pid));
      return own.length;
    });
  } finally {
    database.close();
  }
}

test("P5 the sagas of a node that is killed in mid-step are driven by others at once, and a node that joins takes its share", async () => {
  for (const id of ["bolts", "nuts"]) await cluster.caller.call("shelves.fill", { id, quantity: 1_000 });
  const lines = [{ shelf: "bolts", quantity: 1 }];
  await Promise.all(ids.map(id => cluster.caller.call("wishes.make", { id, card: "good", lines })));
  await until("each saga sends its parcel, on one node", async () => {
    const sagas = await Promise.all(ids.map(saga)).catch(() => []);
    return sagas.length > 0 && sagas.every(({ reason }) => reason === "send") && (await isDrivenOnce());
  });
  const before = await drivers();
  const dead = before[0]![0]!;
  expect(new Set(before.flat()).size).toBe(3);

  await cluster.end(dead, "SIGKILL");
  await until("the others drive all of its sagas", isDrivenOnce);
  await cluster.join(env);
  await until(
    "the new node drives some",
    async () => new Set((await drivers()).flat()).size === 3 && (await isDrivenOnce()),
  );
  await until(
    "it fires a part of the timers",
    () =>
      timerShares()
        .sort((a, b) => a - b)
        .join() === "5,5,6",
  );

  rmSync(hold);
  const done = await until("all have come to their end", async () => {
    const sagas = await Promise.all(ids.map(saga)).catch(() => []);
    return sagas.length > 0 && sagas.every(({ state }) => state === "completed") ? sagas : undefined;
  });
  const once = ["started", "sent", "done", "sent", "done", "sent", "done", "sent", "done", "completed"];
  for (const { timeline } of done) expect(timeline.map(({ type }) => type.slice("saga.".length))).toEqual(once);
  const params = { id: "bolts", consistent: true };
  const { state } = await cluster.caller.call<{ state: { parts: number } }, object>("shelves.get", params);
  expect(state.parts).toBe(1_000 - ids.length);
});
