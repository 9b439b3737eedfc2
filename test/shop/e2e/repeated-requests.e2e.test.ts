// What a client gets that repeats a request: after the gateway was killed between the action and its answer, and when a
// stranger repeats log-ins 200 times a second.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { orderOf, Shop } from "../support/shop.ts";

const ADMIN = { email: "admin@example.org", password: "correct horse battery" };
let databases: Databases;
let shop: Shop;
beforeAll(async () => {
  databases = await newDatabases();
  const admin = { ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password };
  shop = await Shop.start({ ...databases.env, ...admin, TRUSTED_PROXIES: "1" });
});
afterAll(async () => {
  await shop?.stop();
  await databases.remove();
});

/** Sends the request to a gateway that is killed before its answer, starts another one, and repeats it there. */
async function repeatAfterKill(path: string, token: string, key: string, body: object) {
  const send = (of = body) => shop.request("POST", path, { token, body: of, headers: { "Idempotency-Key": key } });
  await shop.child.end("SIGTERM");
  await shop.start("gateway:before-answer-kept=kill#1");
  await expect(send()).rejects.toMatchObject({ name: "TypeError" });
  await until("the gateway is dead", () => !shop.child.running);
  await shop.start();
  return { repeated: await send(), send };
}

test("P3 killed after an order was placed, before its answer: the repeat gets that order, at once", async () => {
  const token = await shop.customer("ann");
  const { rows } = (await shop.request("GET", "/api/v1/products?pageSize=1")).body;
  const order = orderOf([{ productId: rows[0].id, quantity: 1 }]);
  const { repeated, send } = await repeatAfterKill("/api/v1/orders", token, newId(), order);
  expect([repeated.status, repeated.headers.get("idempotency-replayed")]).toEqual([201, "true"]);
  expect((await send()).body).toEqual(repeated.body);
  await until("the order is listed", async () => {
    const { body } = await shop.request("GET", `/api/v1/orders?after=${repeated.body.id}@1`, { token });
    expect(body.total).toBeLessThanOrEqual(1);
    return body.total === 1;
  });
});

test("killed after a product was added, before its answer was kept: its key stays taken, and nothing is added twice", async () => {
  const token = await shop.login(ADMIN.email, ADMIN.password);
  const sku = `mug-${newId().slice(-6)}`;
  const product = {
    sku,
    name: `Mug ${sku}`,
    description: "",
    price: { amount: 900, currency: "EUR" },
    category: "kitchen",
  };
  const { repeated, send } = await repeatAfterKill("/api/v1/products", token, newId(), product);
  expect([repeated.status, repeated.body.type]).toEqual([409, "/problems/idempotency-key-in-progress"]);
  expect(Number(repeated.headers.get("retry-after"))).toBeGreaterThan(0);
  const other = await send({ ...product, name: "Another" });
  expect([other.status, other.body.type]).toEqual([422, "/problems/idempotency-key-reused"]);
  const found = await shop.request("GET", `/api/v1/products?q=${sku}`);
  expect(found.body.rows.filter((row: { sku: string }) => row.sku === sku)).toHaveLength(1);
});

test("200 log-ins a second from one address do not lock out the owner at another", async () => {
  const owner = { email: "bob@example.org", password: "correct horse battery" };
  await shop.customer("bob");
  const login = (address: string, password: string) =>
    shop.request("POST", "/api/v1/auth/login", {
      body: { ...owner, password },
      headers: { "X-Forwarded-For": address },
    });
  expect((await login("192.0.2.1", owner.password)).status).toBe(200);
  const guesses: Promise<{ status: number }>[] = [];
  const seen: number[] = [];
  for (let tenth = 0; tenth < 20; tenth++) {
    for (let n = 0; n < 20; n++) guesses.push(login("198.51.100.1", `guess ${tenth} ${n}`));
    if (tenth % 5 === 4) seen.push((await login("192.0.2.1", owner.password)).status);
    await sleep(100);
  }
  const statuses = (await Promise.all(guesses)).map(({ status }) => status);
  expect(seen).toEqual([200, 200, 200, 200]);
  // Ten wrong passwords are compared, then accounts refuses; after thirty the gateway refuses by itself.
  expect(statuses.filter(status => status === 401).length).toBeLessThanOrEqual(10);
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
});
