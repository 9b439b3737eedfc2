// Two nodes that share a Redis server, and lose it under load.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { newId, readEnvironment } from "@valence/runtime/kernel";
import { redisOf } from "@valence/runtime/redis";
import accounts from "../../../services/accounts/accounts.service.ts";
import { limits } from "../../../mixins/accounts/limits.ts";
import api from "../../../services/api/api.service.ts";
import carts from "../../../services/carts/carts.service.ts";
import catalog from "../../../services/catalog/catalog.service.ts";
import { seedProducts } from "../../../services/catalog/products.seed.ts";
import orders from "../../../services/orders/orders.service.ts";
import { until } from "@valence/runtime/testing";
import { newDatabases, RedisServer, type Databases } from "@valence/runtime/testing/servers";
import { orderOf } from "../support/shop.ts";

interface Answer {
  readonly status: number;
  readonly body: any;
  readonly headers: Headers;
}
type Node = { readonly broker: ServiceBroker; readonly url: string };

let server: RedisServer;
let databases: Databases;
let nodes: [Node, Node];
let product: string;
const ada = { email: "ada@example.org", password: "correct horse battery" };
const bob = { ...ada, email: "bob@example.org" };

beforeEach(async () => {
  server = await RedisServer.start();
  databases = await newDatabases();
  nodes = [await startNode(), await startNode()];
  await nodes[0].broker.call("catalog.seed", { products: seedProducts.slice(0, 3) });
  product = (await request(nodes[0], "GET", "/products?pageSize=1")).body.rows[0].id;
  for (const person of [ada, bob])
    await request(nodes[0], "POST", "/auth/register", { body: { ...person, name: "Somebody" } });
});
afterEach(async () => {
  server.resume();
  await Promise.all(nodes.map(({ broker }) => broker.stop()));
  await databases.remove();
  await server.stop();
});

async function startNode(): Promise<Node> {
  const environment = readEnvironment({ ...databases.env, PORT: "0", REDIS_URL: server.url });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  for (const schema of [accounts, catalog, carts, orders, api]) broker.createService(schema);
  await broker.start();
  return { broker, url: (broker.getLocalService("api") as { url?: string }).url! };
}

async function request(
  { url }: Node,
  method: string,
  path: string,
  { body, token, key }: { body?: unknown; token?: string; key?: string } = {},
): Promise<Answer> {
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: {
      ...(body !== undefined && { "Content-Type": "application/json" }),
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...(key !== undefined && { "Idempotency-Key": key }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json(), headers: response.headers };
}
const login = (node: Node, person = ada): Promise<Answer> => request(node, "POST", "/auth/login", { body: person });
const refresh = (node: Node, refreshToken: string): Promise<Answer> =>
  request(node, "POST", "/auth/refresh", { body: { refreshToken } });
const allSay = (isUp: boolean): boolean => nodes.every(({ broker }) => redisOf(broker)!.isUp === isUp);

test("sessions, carts and what is cached are the same on both nodes", async () => {
  const [one, other] = nodes;
  const { body: session } = await login(one);
  const next = await refresh(other, session.refreshToken);
  expect(next.status).toBe(200);
  const token = next.body.accessToken;
  await request(one, "PUT", `/cart/items/${product}`, { token, body: { quantity: 2 } });
  expect((await request(other, "GET", "/cart", { token })).body.items).toEqual([{ productId: product, quantity: 2 }]);

  const priceAt = async (node: Node) => (await request(node, "GET", `/products/${product}`)).body.price.amount;
  const before = await priceAt(other);
  await one.broker.call("catalog.update", { id: product, price: { amount: before + 1, currency: "EUR" } });
  expect(await priceAt(other)).toBe(before + 1);
  const order = await request(other, "POST", "/orders", {
    token,
    key: newId(),
    body: orderOf([{ productId: product, quantity: 1 }]),
  });
  expect([order.status, order.body.total.amount]).toEqual([201, before + 1]);

  const guess = (node: Node) =>
    request(node, "POST", "/auth/login", { body: { ...ada, email: "eve@example.org" } }).then(({ status }) => status);
  for (let n = 0; n < limits.failedLoginsMax; n++) expect(await guess(nodes[n % 2]!)).toBe(401);
  expect(await Promise.all(nodes.map(guess))).toEqual([429, 429]);
});

/** The load: each customer does this again and again. */
const WORK: Record<string, (node: Node, token: string) => Promise<Answer>> = {
  read: node => request(node, "GET", `/products/${product}`),
  me: (node, token) => request(node, "GET", "/me", { token }),
  order: (node, token) =>
    request(node, "POST", "/orders", { token, key: newId(), body: orderOf([{ productId: product, quantity: 1 }]) }),
  login: node => login(node),
  cart: (node, token) => request(node, "PUT", `/cart/items/${product}`, { token, body: { quantity: 1 } }),
};

test.each(["gone", "frozen"])(
  "while Redis is %s what does not need it goes on, and so does all when it is back",
  async how => {
    const token: string = (await login(nodes[0])).body.accessToken;
    // The load logs in as Ada, which ends her own session: a customer has a limited number of them.
    const session: { refreshToken: string } = (await login(nodes[0], bob)).body;
    const orderedFromCart = { ...orderOf([]), lines: undefined, fromCart: true };
    const now = { phase: "with" };
    /**
     * Answers by phase and kind of work; requests that were sent in one phase and answered in the next are counted
     * apart.
     */
    const answers: Record<string, Answer[]> = {};
    const load = nodes.flatMap(node =>
      Object.entries(WORK).map(async ([kind, work]) => {
        while (now.phase !== "done") {
          const sent = now.phase;
          const answer = await work(node, token);
          (answers[`${sent === now.phase ? sent : "between"} ${kind}`] ??= []).push(answer);
        }
      }),
    );
    const seen = (kind: string): number[] => [...new Set((answers[kind] ?? []).map(({ status }) => status))];
    const enough = () =>
      until(`enough is done ${now.phase}`, () =>
        Object.keys(WORK).every(kind => (answers[`${now.phase} ${kind}`]?.length ?? 0) >= 10),
      );
    try {
      await enough();
      now.phase = "losing";
      if (how === "gone") await server.halt();
      else server.pause();
      await until("both miss it", () => allSay(false));
      now.phase = "without";
      await enough();
      const refused = await Promise.all([
        refresh(nodes[1], session.refreshToken),
        request(nodes[0], "GET", "/cart", { token }),
        request(nodes[0], "POST", "/orders", { token, key: newId(), body: orderedFromCart }),
      ]);
      expect(refused.map(({ status }) => status)).toEqual([503, 503, 503]);
      const registered = await request(nodes[1], "POST", "/auth/register", {
        body: { ...ada, email: `${newId()}@example.org`, name: "Eve" },
      });
      expect(registered.status).toBe(201);
      const wrong = await request(nodes[1], "POST", "/auth/login", { body: { ...bob, password: "a guess" } });
      expect(wrong.status).toBe(401);
      now.phase = "finding";
      if (how === "gone") await server.start();
      else server.resume();
      await until("both are back", () => allSay(true));
      now.phase = "again";
      await enough();
    } finally {
      now.phase = "done";
      await Promise.all(load);
    }

    for (const when of ["with", "losing", "without", "finding", "again", "between"])
      for (const [kind, status] of [
        ["read", 200],
        ["me", 200],
        ["order", 201],
      ] as const)
        expect({ when, kind, seen: seen(`${when} ${kind}`).filter(each => each !== status) }).toEqual({
          when,
          kind,
          seen: [],
        });
    for (const kind of ["login", "cart"]) {
      for (const when of ["with", "again"]) expect([when, seen(`${when} ${kind}`)]).toEqual([when, [200]]);
      expect(seen(`without ${kind}`)).toEqual([503]);
      for (const { body, headers } of answers[`without ${kind}`]!) {
        expect(body).toMatchObject({ type: "/problems/redis-unavailable", status: 503 });
        expect(headers.get("content-type")).toBe("application/problem+json");
        expect(headers.get("retry-after")).toBe("1");
      }
      for (const when of ["losing", "between", "finding"])
        expect(seen(`${when} ${kind}`).filter(status => ![200, 503, 504].includes(status))).toEqual([]);
    }
    // Redis came back empty, or as it was.
    expect((await refresh(nodes[0], session.refreshToken)).status).toBe(how === "gone" ? 401 : 200);
  },
);

test.each(["emptied", "gone", "frozen"])(
  "P3 an order that is repeated while Redis is %s is that order; any other change with a key waits for Redis",
  async how => {
    const key = newId();
    const token: string = (await login(nodes[0])).body.accessToken;
    const body = orderOf([{ productId: product, quantity: 1 }]);
    const place = (node: Node) => request(node, "POST", "/orders", { token, key, body });
    const first = await place(nodes[0]);
    expect(first.status).toBe(201);
    if (how === "emptied") await redisOf(nodes[0].broker)!.run(client => client.flushall());
    else if (how === "gone") await server.halt();
    else server.pause();
    // The first ones may find out that Redis is away; the rest knows it.
    for (let n = 0; n < 6; n++) {
      const again = await place(nodes[n % 2]!);
      expect([again.status, again.body]).toEqual([201, first.body]);
      expect(again.headers.get("idempotency-replayed")).toBe("true");
    }
    const other = await request(nodes[1], "POST", "/orders", { token, key, body: { ...body, fromCart: false } });
    expect([other.status, other.body.type]).toEqual([422, "/problems/idempotency-key-reused"]);
    if (how === "emptied") return;
    const put = () => request(nodes[0], "PUT", `/cart/items/${product}`, { token, key, body: { quantity: 1 } });
    const refused = await put();
    expect([refused.status, refused.body.type]).toEqual([503, "/problems/redis-unavailable"]);
    if (how === "gone") await server.start();
    else server.resume();
    await until("both are back", () => allSay(true));
    expect((await put()).status).toBe(200);
    expect((await put()).headers.get("idempotency-replayed")).toBe("true");
  },
);
