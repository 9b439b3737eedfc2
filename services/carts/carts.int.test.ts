import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { until } from "@valence/runtime/testing";
import { newDatabases, type Databases } from "@valence/runtime/testing/servers";
import type { ActorHost } from "@valence/runtime/actor/mixin";
import type { Database } from "@valence/runtime/database";
import { typedCall, type Call, type Recorded } from "@valence/runtime/contract";
import { newId, readEnvironment, rfc3339 } from "@valence/runtime/kernel";
import catalog from "../catalog/catalog.service.ts";
import { seedProducts } from "../catalog/products.seed.ts";
import inventory from "../inventory/inventory.service.ts";
import orders from "../orders/orders.service.ts";
import type { CartStore } from "./cart-store.ts";
import carts from "./carts.service.ts";
import { EmptyCart } from "./empty-cart.reactor.ts";

let databases: Databases;
let broker: ServiceBroker;
let call: Call;
/** Ids of the products in the catalog. */
let products: string[];
let owner: string;

beforeAll(async () => {
  databases = await newDatabases();
  broker = new ServiceBroker({ ...brokerOptions(readEnvironment(databases.env)), logger: false });
  broker.createService(catalog);
  broker.createService(inventory);
  broker.createService(carts);
  broker.createService(orders);
  await broker.start();
  call = typedCall(broker);
  await call("catalog.seed", { products: [...seedProducts] });
  const pages = await Promise.all([1, 2].map(page => call("catalog.list", { page, pageSize: 100 })));
  products = pages.flatMap(({ rows }) => rows.map(({ id }) => id));
});
afterAll(async () => {
  await broker.stop();
  await databases.remove();
});
beforeEach(() => {
  owner = newId();
});

const put = (product: number, quantity: number) =>
  call("carts.put", { owner, productId: products[product]!, quantity });
const items = async () => (await call("carts.get", { owner })).items;
const line = (product: number, quantity: number) => ({ productId: products[product], quantity });

test("a cart that was never filled is empty", async () => {
  expect(await call("carts.get", { owner })).toEqual({ items: [], version: 0 });
});

test("putting sets the quantity; lines stay in the order in which they came", async () => {
  await put(2, 1);
  await new Promise(resolve => setTimeout(resolve, 2));
  await put(0, 3);
  const updatedAt = expect.stringMatching(/Z$/);
  expect(await put(2, 5)).toEqual({ items: [line(2, 5), line(0, 3)], updatedAt, version: 3 });
  await call("carts.removeItem", { owner, productId: products[2]! });
  await call("carts.removeItem", { owner, productId: products[2]! });
  expect(await items()).toEqual([line(0, 3)]);
  expect(await call("carts.clear", { owner })).toEqual({ items: [], version: 5 });
});

test("a product that the catalog does not have is refused by name", async () => {
  await expect(call("carts.put", { owner, productId: newId(), quantity: 1 })).rejects.toMatchObject({
    code: 404,
    type: "PRODUCT_NOT_FOUND",
    data: { errors: [{ field: "productId" }] },
  });
  expect(await items()).toEqual([]);
});

test("a cart holds 100 lines, also when many are put at once; those in it can still change", async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 110 }, (_, product) => put(product, 1)));
  const refused = outcomes.filter(outcome => outcome.status === "rejected");
  expect(refused).toHaveLength(10);
  for (const { reason } of refused) expect(reason).toMatchObject({ code: 409, type: "CART_FULL" });
  const [first] = await items();
  const { items: after } = await call("carts.put", { owner, productId: first!.productId, quantity: 9 });
  expect(after).toHaveLength(100);
  expect(after.find(({ productId }) => productId === first!.productId)?.quantity).toBe(9);
});

test("a cart is its owner's alone", async () => {
  await put(0, 1);
  for (const [user, type] of [
    [{ id: newId(), roles: ["customer"] }, "NOT_YOURS"],
    [{ id: "", roles: [] }, "FORBIDDEN"],
  ]) {
    const theirs = { meta: { user } };
    const refused = { code: 403, type };
    await expect(call("carts.get", { owner }, theirs)).rejects.toMatchObject(refused);
    await expect(call("carts.put", { owner, productId: products[0]!, quantity: 9 }, theirs)).rejects.toMatchObject(
      refused,
    );
    await expect(call("carts.removeItem", { owner, productId: products[0]! }, theirs)).rejects.toMatchObject(refused);
    await expect(call("carts.clear", { owner }, theirs)).rejects.toMatchObject(refused);
  }
  const mine = { meta: { user: { id: owner, roles: ["customer"] } } };
  expect((await call("carts.get", { owner }, mine)).items).toEqual([line(0, 1)]);
});

test.each<[string, object, string]>([
  ["no quantity at all", { quantity: 0 }, "quantity"],
  ["a negative quantity", { quantity: -1 }, "quantity"],
  ["a huge quantity", { quantity: 1e9 }, "quantity"],
  ["a quantity as text", { quantity: "1" }, "quantity"],
  ["SQL for a product", { productId: "' or 1=1 --" }, "productId"],
  ["an unknown field", { price: 1 }, "price"],
])("refuses %s by name", async (_, wrong, field) => {
  const params = { owner, productId: products[0], quantity: 1, ...wrong };
  const failure = await broker.call("carts.put", params).then(
    () => undefined,
    (error: any) => error,
  );
  expect(failure.code).toBe(422);
  expect(failure.data.map((issue: { field: string }) => issue.field)).toContain(field);
  expect(await items()).toEqual([]);
});

describe("an order from the cart", () => {
  let id: string;
  beforeEach(() => {
    id = newId();
  });
  const place = (options: { commandId?: string } = {}, source: object = { fromCart: true }) =>
    call("orders.place", { id, customer: owner, ...source, shippingAddress, payment }, options);
  const shippingAddress = { name: "A", line1: "B", city: "C", postalCode: "D", country: "SE" };
  const payment = { method: "card" as const, token: "tok_ok" };
  const byProduct = (lines: readonly { productId: string; quantity: number }[]) =>
    new Map(lines.map(({ productId, quantity }) => [productId, quantity]));
  /** A later read: claims of a minute ago and longer are old. */
  const age = () =>
    (broker.getLocalService("carts") as unknown as { database: Database }).database
      .knex("cart_claims")
      .update({ taken_at: 0 });
  /** The orders' node loses its memory, as in a restart. */
  const forget = () =>
    until("nothing is in memory", () => {
      const { actors } = broker.getLocalService("orders") as unknown as { actors: ActorHost };
      actors.handOver(() => false);
      return actors.resident === 0;
    });

  test("has what lay in it, which is gone when the answer comes", async () => {
    await put(0, 2);
    const { version } = await put(1, 1);
    const { lines } = await place();
    expect(byProduct(lines)).toEqual(byProduct([line(0, 2), line(1, 1)] as never));
    expect(await items()).toEqual([]);
    const { events } = await call("orders.history", { id });
    expect(events[0]!.data).toMatchObject({ fromCart: true, cartVersion: version });
  });

  test("one of several, at once or one after the other, takes it; the others meet CART_EMPTY", async () => {
    for (let round = 0; round < 10; round++) {
      owner = newId();
      await put(0, 1);
      const orders = Array.from({ length: 4 }, () => {
        id = newId();
        return place();
      });
      const outcomes = await Promise.allSettled(orders);
      const refused = outcomes.filter(outcome => outcome.status === "rejected");
      expect(refused).toHaveLength(3);
      for (const { reason } of refused) expect(reason).toMatchObject({ code: 422, type: "CART_EMPTY" });
      id = newId();
      await expect(place()).rejects.toMatchObject({ type: "CART_EMPTY" });
    }
  });

  test("a line that is put meanwhile is in the order or in the cart", async () => {
    for (let round = 0; round < 30; round++) {
      owner = newId();
      id = newId();
      await put(0, 1);
      const order = place();
      await new Promise(resolve => setTimeout(resolve, (round % 10) / 2));
      const [{ lines }] = await Promise.all([order, put(1, 2)]);
      const both = [...lines, ...(await items())];
      expect(both).toHaveLength(2);
      expect(byProduct(both)).toEqual(byProduct([line(0, 1), line(1, 2)] as never));
    }
  });

  test("gives it back before its refusal is answered", async () => {
    await put(0, 2);
    const gone = await call("catalog.create", {
      sku: `GONE-${newId().slice(-8)}`,
      name: "Gone",
      description: "",
      price: { amount: 100, currency: "EUR" },
      category: "x",
    });
    await call("carts.put", { owner, productId: gone.id, quantity: 1 });
    await call("catalog.remove", { id: gone.id });
    const commandId = `client:${owner}:key`;
    for (let n = 0; n < 2; n++) {
      await expect(place({ commandId })).rejects.toMatchObject({ type: "PRODUCT_NOT_FOUND", code: 422 });
      expect(await items()).toEqual([line(0, 2), { productId: gone.id, quantity: 1 }]);
    }
    await call("carts.removeItem", { owner, productId: gone.id });
    id = newId();
    expect((await place()).lines).toMatchObject([line(0, 2)]);
  });

  test.each(["rejected", "cancelled"])("that is %s gives it back, beside what was put in since", async end => {
    await put(0, 2);
    await place();
    await put(0, 1);
    await put(1, 1);
    if (end === "rejected") await call("orders.reject", { id, reason: "OUT_OF_STOCK" });
    else await call("orders.cancel", { id, customer: owner });
    await until("it is back", async () => byProduct(await items()).get(products[0]!) === 3);
    expect(byProduct(await items())).toEqual(byProduct([line(0, 3), line(1, 1)] as never));
  });

  test("that is confirmed keeps it", async () => {
    await put(0, 2);
    await place();
    await call("orders.markReserved", { id });
    await call("orders.markPaid", { id, paymentId: "pay-1" });
    await call("orders.confirm", { id });
    const { carts } = broker.getLocalService("carts") as unknown as { carts: CartStore };
    await until("it is settled", async () => (await carts.claim(id)) === undefined);
    await age();
    expect(await items()).toEqual([]);
  });

  test("P3 repeated it is the same order, and takes nothing that was put in since", async () => {
    const commandId = `client:${owner}:key`;
    await put(0, 2);
    const first = await place({ commandId });
    await put(1, 1);
    expect(await place({ commandId })).toEqual(first);
    await forget();
    expect(await place({ commandId })).toEqual(first);
    expect(await items()).toEqual([line(1, 1)]);
  });

  test("P3 repeated after it met an empty cart, it is refused as before, and the cart is left alone", async () => {
    const commandId = `client:${owner}:key`;
    await expect(place({ commandId })).rejects.toMatchObject({ type: "CART_EMPTY" });
    await put(0, 1);
    for (let n = 0; n < 2; n++) {
      await forget();
      await expect(place({ commandId })).rejects.toMatchObject({ type: "CART_EMPTY" });
    }
    expect(await items()).toEqual([line(0, 1)]);
  });

  test("under a key that has placed an order of lines leaves the cart alone", async () => {
    const commandId = `client:${owner}:key`;
    await put(0, 1);
    await place({ commandId }, { lines: [line(1, 1)] });
    await forget();
    await expect(place({ commandId })).rejects.toMatchObject({ type: "COMMAND_ID_REUSED" });
    expect(await items()).toEqual([line(0, 1)]);
  });

  test("whose node died before it was placed is placed by a repetition; without one the cart comes back", async () => {
    const commandId = `client:${owner}:key`;
    await put(0, 2);
    // The writes of the dead node.
    await call("carts.take", { owner, orderId: id, commandId });
    expect(await items()).toEqual([]);
    expect((await place({ commandId })).lines).toMatchObject([line(0, 2)]);
    await age();
    expect(await items()).toEqual([]);

    await put(1, 1);
    id = newId();
    await call("carts.take", { owner, orderId: id, commandId: `${commandId}-2` });
    await age();
    expect(await items()).toEqual([line(1, 1)]);
    // The cart is the customer's again: such a late repetition must not order it.
    await expect(place({ commandId: `${commandId}-2` })).rejects.toMatchObject({ type: "ABANDONED" });
    expect(await items()).toEqual([line(1, 1)]);
  });

  test("whose end an old node has heard is asked for it by a later read", async () => {
    const { carts } = broker.getLocalService("carts") as unknown as { carts: CartStore };
    for (const [end, expected] of [
      [() => call("orders.cancel", { id, customer: owner }), [line(0, 2)]],
      [() => Promise.resolve(), []],
    ] as const) {
      owner = newId();
      id = newId();
      await put(0, 2);
      await place();
      await end();
      await until("the event was heard", async () => expected.length === 0 || (await carts.claim(id)) === undefined);
      await carts.clear(owner);
      // The claim is open again, as if the event had been missed.
      const { knex } = (broker.getLocalService("carts") as unknown as { database: Database }).database;
      const lines = JSON.stringify([{ product_id: products[0], quantity: 2, added_at: rfc3339(0) }]);
      await knex("cart_claims").where({ order_id: id }).update({ state: "open", lines });
      expect(await items()).toEqual([]);
      await age();
      expect(await items()).toEqual(expected);
    }
  });

  test("no person takes or settles one", async () => {
    const meta = { user: { id: owner, roles: ["customer", "admin"] } };
    const refused = { code: 403, type: "FORBIDDEN" };
    const claim = { orderId: id, commandId: "mine" };
    await expect(call("carts.take", { owner, ...claim }, { meta })).rejects.toMatchObject(refused);
    await expect(call("carts.settle", { orderId: id, outcome: "returned" }, { meta })).rejects.toMatchObject(refused);
  });
});

describe("an order that a node of the release before has placed", () => {
  const placed = (fromCart: boolean, placedAt: string) =>
    EmptyCart.on["order.placed"]!({ data: { customer: owner, fromCart, placedAt } } as Recorded<"order.placed">, {
      call,
    });

  test("from the cart empties it", async () => {
    await put(0, 1);
    await placed(true, rfc3339(Date.now()));
    expect(await items()).toEqual([]);
  });

  test("from lines of its own leaves it alone", async () => {
    await put(0, 1);
    await placed(false, rfc3339(Date.now()));
    expect(await items()).toEqual([line(0, 1)]);
  });
});
