// `npm start -- --workers 3`: the shop in several processes on one port and the same files.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { newId } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { Child, freePort } from "@valence/runtime/testing/servers";
import { orderOf, Shop } from "../support/shop.ts";

const WORKERS = 3;
const ADMIN = { email: "admin@example.com", password: "for workers only" };
let folder: string;
let running: Shop | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "workers-"));
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  await rm(folder, { recursive: true, force: true });
});

/** Process ids of the workers, the oldest first. */
async function workersOf({ child }: Shop): Promise<number[]> {
  const { pid } = child.process;
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.trim().split(" ").filter(Boolean).map(Number);
}
async function nodesOf(shop: Shop, token: string): Promise<string[]> {
  const { body } = await shop.request("GET", "/api/v1/ops/nodes", { token });
  const nodes: { id: string; available: boolean; services: string[] }[] = body.nodes ?? [];
  return nodes.filter(({ available, services }) => available && services.includes("orders")).map(({ id }) => id);
}

/** Starts the shop, and waits until all of its workers are there. */
async function open(): Promise<{ shop: Shop; admin: string }> {
  const shop = await Shop.start({
    DATA_DIR: folder,
    WORKERS: `${WORKERS}`,
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
  });
  running = shop;
  const admin = await shop.login(ADMIN.email, ADMIN.password);
  await until("all workers see each other", async () => (await nodesOf(shop, admin)).length === WORKERS);
  return { shop, admin };
}

/** The metrics of all workers, asked of one of them. */
async function countsOf(shop: Shop, token: string): Promise<{ placed: number; workers: number; died: number }> {
  const headers = { Connection: "close" };
  const { body } = await shop.request<string>("GET", "/metrics", { token, headers });
  const valueOf = (metric: string): number => Number(new RegExp(`^${metric} (\\d+)$`, "m").exec(body)?.[1] ?? 0);
  return {
    placed: valueOf('valence_orders_total{status="placed"}'),
    workers: valueOf("valence_workers"),
    died: valueOf("valence_workers_died_total"),
  };
}

/** Places an order, and repeats it under its key while the connection is cut or the shop says to try again. */
async function place(shop: Shop, token: string, productId: string): Promise<string> {
  const headers = { "Idempotency-Key": newId() };
  for (;;) {
    const body = orderOf([{ productId, quantity: 1 }]);
    const answer = await shop.request("POST", "/api/v1/orders", { token, headers, body }).catch(() => undefined);
    if (answer?.status === 201) return answer.body.id;
    if (answer && answer.status < 500) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
    await sleep(50);
  }
}

test("P1 P3 P5 one of them is killed under load: the others go on, it is replaced, each order is there once and ends", async () => {
  const { shop, admin } = await open();
  const before = await nodesOf(shop, admin);
  const token = await shop.customer("workers");
  const { rows } = (await shop.request("GET", "/api/v1/products?pageSize=10")).body;
  const placed: string[] = [];
  const callers = Array.from({ length: 6 }, async (_, caller) => {
    for (let n = 0; n < 8; n++) placed.push(await place(shop, token, rows[(caller + n) % rows.length].id));
  });
  await until("the load is under way", () => placed.length > 6);
  const counted = await countsOf(shop, admin);
  expect(counted).toMatchObject({ workers: WORKERS, died: 0 });
  const [, victim] = await workersOf(shop);
  process.kill(victim!, "SIGKILL");
  await Promise.all(callers);
  expect(new Set(placed).size).toBe(48);
  await until("another one has come", async () => {
    const now = await nodesOf(shop, admin).catch(() => []);
    return now.length === WORKERS && now.some(id => !before.includes(id));
  });
  await until("every order has ended", async () => {
    const { body } = await shop.request("GET", "/api/v1/orders?pageSize=100", { token });
    return body.total === 48 && body.rows.every(({ status }: { status: string }) => status === "shipped");
  });
  // Whichever worker answers, it answers for all; and what the dead one had counted stays.
  for (let i = 0; i < WORKERS; i++) {
    const { placed, ...workers } = await countsOf(shop, admin);
    expect(workers).toEqual({ workers: WORKERS, died: 1 });
    expect(placed).toBeGreaterThanOrEqual(Math.max(counted.placed, 1));
    expect(placed).toBeLessThanOrEqual(48);
  }
  for (const { sku } of rows) {
    const { body } = await shop.request("GET", `/api/v1/inventory/${sku}`, { token });
    expect(body.reserved).toBe(0);
  }
  expect(await shop.child.end("SIGTERM")).toBe(0);
  expect(shop.child.output).toMatch(/worker \d ended \(SIGKILL\); another one in \d+ ms/);
});

test("another worker answers a change at once", async () => {
  const { shop } = await open();
  const token = await shop.customer("worker");
  const [product] = (await shop.request("GET", "/api/v1/products?pageSize=1")).body.rows;
  for (let quantity = 1; quantity <= 12; quantity++) {
    // Each request is a connection of its own, so that the workers take turns.
    const headers = { Connection: "close" };
    await shop.request("PUT", `/api/v1/cart/items/${product.id}`, { token, headers, body: { quantity } });
    const { body } = await shop.request("GET", "/api/v1/cart", { token, headers });
    expect(body.items[0].quantity).toBe(quantity);
  }
});

test.each([
  ["0", /WORKERS="0": expected a whole number from 1 to 64/],
  ["many", /WORKERS="many"/],
])("a wrong number stops the start and is named: --workers %s", async (value, message) => {
  const child = new Child(["mixins/cli/valence.mjs", "start", "--workers", value], {
    DATA_DIR: folder,
    PORT: `${await freePort()}`,
  });
  await until("it has ended", () => !child.running);
  expect(child.process.exitCode).toBe(1);
  expect(child.output).toMatch(message);
});

test("an error that would end every worker ends the start", async () => {
  const child = new Child(["mixins/cli/valence.mjs", "start", "--workers=2"], {
    DATA_DIR: folder,
    PORT: `${await freePort()}`,
    DATABASE_URL: "postgres://nobody@127.0.0.1:1/nothing",
  });
  await until("it has ended", () => !child.running);
  expect(child.process.exitCode).not.toBe(0);
});
