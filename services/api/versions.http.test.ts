// The shop in versions 1 and 2. The mechanism is tested in mixins/gateway/versions.
import { get, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { compileSchema } from "@valence/runtime/contract";
import { idFrom, newId } from "@valence/runtime/kernel";
import { orderBody, product, startGateway, type Gateway } from "./gateway.fixture.ts";
import { routes } from "./routes/index.ts";

let gateway: Gateway;
let ann: { id: string; token: string };
let admin: string;
const row = {
  id: newId(),
  version: 5,
  customer: newId(),
  status: "placed",
  total: { amount: 1800, currency: "EUR" },
  items: 2,
  placedAt: "2026-01-01T00:00:00.000Z",
  updatedAt: "2026-01-02T00:00:00.000Z",
};
const line = { productId: product.id, sku: "mug", name: "Mug", quantity: 2, unitPrice: product.price };

beforeAll(async () => {
  gateway = await startGateway({
    "catalog.list": () => ({ rows: [product], total: 1, page: 1, pageSize: 20 }),
    "order-views.list": () => ({ rows: [row], total: 9, page: 1, pageSize: 1, nextCursor: "def" }),
    "orders.view": ctx => ({
      id: ctx.params.id,
      version: 5,
      status: "shipped",
      customer: ctx.meta.user.id,
      lines: [line],
      total: row.total,
      shippingAddress: orderBody.shippingAddress,
      trackingId: "T1",
      placedAt: row.placedAt,
    }),
  });
  const id = newId();
  ann = { id, token: await gateway.token(id) };
  admin = await gateway.token(newId(), ["customer", "admin"]);
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.reached.length = 0;
});
const { price, createdAt: created, updatedAt: updated, ...same } = product;
const renewed = { ...same, unitPrice: price, created, updated };
const { lines: items, ...rest } = orderBody;
const orderV2 = { ...rest, items };

describe("products", () => {
  test("in version 1 are what they were, byte for byte", async () => {
    expect((await gateway.http("GET", "/api/v1/products")).text).toBe(
      JSON.stringify({ rows: [product], total: 1, page: 1, pageSize: 20 }),
    );
    expect((await gateway.http("GET", `/api/v1/products/${product.id}`)).text).toBe(JSON.stringify(product));
  });

  test("in version 2 have an envelope and other names", async () => {
    expect((await gateway.http("GET", "/api/v2/products?sort=-unitPrice")).json).toEqual({
      data: [renewed],
      links: { self: "/api/v2/products?sort=-unitPrice" },
      meta: { total: 1, pageSize: 20 },
    });
    expect(gateway.reached.at(-1)!.params).toEqual({ sort: "-price" });
    const { sku, name, description, category } = product;
    const body = { sku, name, description, category, unitPrice: price };
    const made = await gateway.http("POST", "/api/v2/products", { token: admin, body });
    expect([made.status, made.headers.get("location"), made.json.data]).toEqual([
      201,
      `/api/v2/products/${product.id}`,
      renewed,
    ]);
    expect(gateway.reached.at(-1)!.params).toEqual({ sku, name, description, category, price });
    const back = await gateway.http("PATCH", `/api/v2/products/${product.id}`, { token: admin, body: renewed });
    expect([back.status, gateway.reached.at(-1)!.params.unchanged]).toEqual([
      200,
      { createdAt: created, updatedAt: updated },
    ]);
    expect((await gateway.http("DELETE", `/api/v2/products/${product.id}`, { token: admin })).status).toBe(204);
  });
});

describe("orders", () => {
  test("P3 an order that is placed in one version and repeated in the other is one order", async () => {
    const headers = { "idempotency-key": "both-versions" };
    const v1 = await gateway.http("POST", "/api/v1/orders", { token: ann.token, body: orderBody, headers });
    const v2 = await gateway.http("POST", "/api/v2/orders", { token: ann.token, body: orderV2, headers });
    const id = idFrom(ann.id, "both-versions");
    expect([v1.json.id, v2.json.data.id]).toEqual([id, id]);
    expect(v2.headers.get("idempotency-replayed")).toBe("true");
    expect(v2.headers.get("location")).toBe(`/api/v2/orders/${id}`);
    expect(v2.json).toEqual({
      data: { id, state: "placed", total: { amount: 1800, currency: "EUR" }, items: [], placed: row.placedAt },
      links: { self: `/api/v2/orders/${id}` },
      meta: { version: 1 },
    });
    expect(gateway.reached[0]!.params).toEqual(gateway.reached[1]!.params);
  });

  test.each([
    ["lines", { ...orderV2, lines: items }],
    ["items.0.unitPrice", { ...orderV2, items: [{ productId: product.id, quantity: 1, unitPrice: 1 }] }],
    ["items.0.productId", { ...orderV2, items: [{ productId: "x", quantity: 1 }] }],
    ["items", { ...orderV2, items: [] }],
    ["customer", { ...orderV2, customer: newId() }],
  ])("P6 a bad %s is refused by the name of version 2", async (field, body) => {
    const { status, json } = await gateway.http("POST", "/api/v2/orders", { token: ann.token, body });
    expect(status).toBe(422);
    expect(json.errors.map((issue: { field: string }) => issue.field)).toContain(field);
    expect(gateway.reached).toEqual([]);
  });

  test("are listed by cursor, and shown whole", async () => {
    const { json, headers } = await gateway.http("GET", "/api/v2/orders?pageSize=1", { token: ann.token });
    const next = "/api/v2/orders?pageSize=1&cursor=def";
    const { status: state, items: pieces, placedAt: placed, updatedAt: updated, ...others } = row;
    expect(json).toEqual({
      data: [{ ...others, state, pieces, placed, updated }],
      links: { self: "/api/v2/orders?pageSize=1", next },
      meta: { total: 9, pageSize: 1 },
    });
    expect(headers.get("link")).toBe(`<${next}>; rel="next"`);
    expect((await gateway.http("GET", "/api/v2/orders?page=2", { token: ann.token })).status).toBe(422);
    const one = await gateway.http("GET", `/api/v2/orders/${row.id}?fields=state,shipment,items.sku`, {
      token: ann.token,
    });
    expect(one.json.data).toEqual({
      id: row.id,
      state: "shipped",
      items: [{ sku: "mug" }],
      shipment: { trackingId: "T1" },
    });
    const whole = await gateway.http("GET", `/api/v2/orders/${row.id}`, { token: ann.token });
    expect([whole.json.data.refunds, whole.json.meta]).toEqual([[], { version: 5 }]);
  });

  test("as CSV have a column for each field", async () => {
    const { text } = await gateway.http("GET", "/api/v2/orders", { token: ann.token, headers: { accept: "text/csv" } });
    expect(text).toBe(
      [
        "id,version,customer,state,total.amount,total.currency,pieces,reason,placed,updated",
        `${row.id},5,${row.customer},placed,1800,EUR,2,,${row.placedAt},${row.updatedAt}`,
        "",
      ].join("\r\n"),
    );
  });

  test("have a history and a stream in version 2", async () => {
    const id = newId();
    const at = "2026-01-01T00:00:00.000Z";
    const events = ["order.placed", "order.shipped"].map((type, n) => ({
      type,
      version: n + 1,
      at,
      data: type === "order.shipped" ? { trackingId: "T1" } : {},
    }));
    gateway.histories.set(id, { owner: ann.id, events });
    const history = await gateway.http("GET", `/api/v2/orders/${id}/history`, { token: ann.token });
    expect(history.json).toEqual({ data: events, links: { self: `/api/v2/orders/${id}/history` }, meta: { id } });
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { authorization: `Bearer ${ann.token}` };
      get(`${gateway.url}/api/v2/orders/${id}/stream`, { agent: false, headers }, resolve).on("error", reject);
    });
    let text = "";
    for await (const chunk of response) text += String(chunk);
    expect(text).toContain(
      `event: shipped\ndata: {"id":"${id}","version":2,"at":"${at}","state":"shipped","shipment":{"trackingId":"T1"}}`.replace(
        `"version":2,"at":"${at}","state":"shipped"`,
        `"state":"shipped","version":2,"at":"${at}"`,
      ),
    );
  });
});

test("every answer of version 2 is what its schema says", async () => {
  const id = newId();
  const headers = { "idempotency-key": newId() };
  const calls: [string, string, object?][] = [
    ["GET", "/products"],
    ["GET", `/products/${product.id}`],
    ["GET", "/orders"],
    ["GET", `/orders/${id}`],
    ["POST", "/orders", orderV2],
    ["POST", `/orders/${id}/cancel`, {}],
    ["POST", `/orders/${id}/refunds`, { restock: true }],
  ];
  for (const [method, path, body] of calls) {
    const call = { token: admin, ...(body && { body, headers: { ...headers, "idempotency-key": newId() } }) };
    const { json } = await gateway.http(method, `/api/v2${path}`, call);
    const route = routes.find(
      ({ method: m, url }) =>
        m === method && new RegExp(`^${url.replaceAll(/:\w+/g, "[^/]+")}$`).test(`/api/v2${path}`),
    )!;
    const { representation } = route.target as { representation?: { returns: object } };
    expect([path, compileSchema(representation!.returns)(json)]).toEqual([path, true]);
  }
});
