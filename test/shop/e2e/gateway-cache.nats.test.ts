// Two gateways on one NATS server, with the real catalog and stock behind both: a change through one is seen through the
// other within 100 ms, and no answer from before it comes back later.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { readEnvironment } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { Nats, newDatabases, type Databases } from "@valence/runtime/testing/servers";
import accounts from "../../../services/accounts/accounts.service.ts";
import api from "../../../services/api/api.service.ts";
import catalog from "../../../services/catalog/catalog.service.ts";
import { seedProducts } from "../../../services/catalog/products.seed.ts";
import inventory from "../../../services/inventory/inventory.service.ts";

interface Node {
  readonly broker: ServiceBroker;
  readonly url: string;
}
/** Milliseconds in which every gateway has seen a change. */
const WITHIN_MS = 100;
const ADMIN = { email: "root@example.org", password: "correct horse battery" };

let nats: Nats;
let databases: Databases;
let nodes: readonly [Node, Node];
let token: string;
let products: { id: string; sku: string }[];

beforeAll(async () => {
  nats = await Nats.start();
  databases = await newDatabases();
  nodes = [await startNode("node-1"), await startNode("node-2")];
  const [one, two] = nodes;
  await until("they see each other", () =>
    [one, two].every(
      ({ broker }) => broker.registry.getNodeList({ onlyAvailable: true, withServices: false }).length === 2,
    ),
  );
  await one.broker.call("catalog.seed", { products: seedProducts.slice(0, 5) });
  token = (await ask(one, "POST", "/auth/login", ADMIN)).body.accessToken;
  products = (await ask(one, "GET", "/products")).body.rows;
}, 90_000);
afterAll(async () => {
  await Promise.all(nodes.map(({ broker }) => broker.stop()));
  await databases.remove();
  await nats.stop();
});

async function startNode(NODEID: string): Promise<Node> {
  const environment = readEnvironment({
    ...databases.env,
    // The readers ask more often than one address may.
    RATE_LIMIT_PERCENT: "0",
    NODEID,
    PORT: "0",
    NATS_URL: nats.url,
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
  });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  for (const schema of [accounts, catalog, inventory, api]) broker.createService(schema);
  await broker.start();
  return { broker, url: (broker.getLocalService("api") as { url?: string }).url! };
}

async function ask({ url }: Node, method: string, path: string, body?: unknown) {
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: {
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(token !== undefined && method !== "GET" && { authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const { status, headers } = response;
  return { status, body: JSON.parse(await response.text()), cache: headers.get("x-cache") };
}
const kept = (node: Node, path: string) =>
  until(`${path} is kept`, async () => (await ask(node, "GET", path)).cache === "hit");

describe("a change through one gateway", () => {
  test("of a product is seen through the other within 100 ms, in the product and in lists, 20 times", async () => {
    const [one, two] = nodes;
    const path = `/products/${products[0]!.id}`;
    for (let round = 1; round <= 20; round++) {
      const [from, to] = round % 2 === 0 ? [one, two] : [two, one];
      await kept(to, path);
      await kept(to, "/products");
      const name = `Name ${round}`;
      expect((await ask(from, "PATCH", path, { name })).status).toBe(200);
      const changedAt = performance.now();
      expect((await ask(from, "GET", path)).body.name).toBe(name);
      await sleep(Math.max(0, WITHIN_MS - (performance.now() - changedAt)));
      expect((await ask(to, "GET", path)).body.name).toBe(name);
      const { rows } = (await ask(to, "GET", "/products")).body;
      expect(rows.find(({ id }: { id: string }) => id === products[0]!.id).name).toBe(name);
    }
  }, 60_000);

  test("of stock, which is an actor's, is seen through the other, and keeps the answers about other actors", async () => {
    const [one, two] = nodes;
    const [mug, other] = [products[0]!.sku, products[1]!.sku];
    for (const sku of [mug, other]) await ask(one, "POST", `/inventory/${sku}/receive`, { quantity: 1 });
    for (let round = 2; round <= 10; round++) {
      await kept(two, `/inventory/${mug}`);
      await kept(two, `/inventory/${other}`);
      expect((await ask(one, "POST", `/inventory/${mug}/receive`, { quantity: 1 })).status).toBe(200);
      expect((await ask(one, "GET", `/inventory/${mug}`)).body.available).toBe(round);
      await sleep(WITHIN_MS);
      expect((await ask(two, "GET", `/inventory/${mug}`)).body.available).toBe(round);
      // Kept, fresh or not: a busy machine takes longer than it stays fresh.
      expect(["hit", "stale"]).toContain((await ask(two, "GET", `/inventory/${other}`)).cache);
    }
  }, 60_000);

  test("a removed product is gone", async () => {
    const [one, two] = nodes;
    const path = `/products/${products[4]!.id}`;
    await kept(two, path);
    const removed = await fetch(`${one.url}/api/v1${path}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${token}` },
    });
    expect(removed.status).toBe(204);
    await sleep(WITHIN_MS);
    expect((await ask(two, "GET", path)).status).toBe(404);
  });
});

test("under reads from both sides no answer is older than a change that was acknowledged 100 ms before it was asked for", async () => {
  const path = `/products/${products[2]!.id}`;
  const acknowledged: { version: number; at: number }[] = [];
  const least = (askedAt: number): number => acknowledged.findLast(({ at }) => at <= askedAt - WITHIN_MS)?.version ?? 0;
  const counts = { reads: 0, hits: 0 };
  const late: string[] = [];
  const stop = new AbortController();
  const readers = [...nodes, ...nodes, ...nodes].map(async (node, i) => {
    while (!stop.signal.aborted) {
      const askedAt = performance.now();
      const floor = least(askedAt);
      const { body, cache } = await ask(node, "GET", path);
      counts.reads++;
      if (cache === "hit") counts.hits++;
      const seen = Number(/\d+$/.exec(body.name)?.[0] ?? 0);
      if (seen < floor)
        late.push(`reader ${i} saw ${seen} (${cache}) ${performance.now() - askedAt} ms long, after ${floor}`);
      await sleep(2);
    }
  });
  for (let version = 1; version <= 30; version++) {
    await ask(nodes[version % 2]!, "PATCH", path, { name: `Version ${version}` });
    acknowledged.push({ version, at: performance.now() });
    await sleep(version % 3 === 0 ? 400 : 20);
  }
  await sleep(500);
  stop.abort();
  await Promise.all(readers);
  expect(late).toEqual([]);
  expect(counts.reads).toBeGreaterThan(200);
  expect(counts.hits).toBeGreaterThan(counts.reads / 10);
}, 60_000);

test("a gateway that was cut off from the bus gives no answer from before, once it is back", async () => {
  const [one, two] = nodes;
  const path = `/products/${products[3]!.id}`;
  await kept(two, path);
  await nats.halt();
  expect((await ask(one, "PATCH", path, { name: "Unheard" })).status).toBe(200);
  await nats.start();
  await until("the other has it", async () => (await ask(two, "GET", path)).body.name === "Unheard", 12_000);
}, 60_000);
