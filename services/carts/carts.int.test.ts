import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "../../broker/index.ts";
import { newDatabases, type Databases } from "../../test/databases.ts";
import { typedCall, type Call, type Recorded } from "../../mixins/contract/index.ts";
import { newId, readEnvironment, rfc3339 } from "../../mixins/kernel/index.ts";
import catalog from "../catalog/catalog.service.ts";
import { seedProducts } from "../catalog/products.seed.ts";
import orders from "../orders/orders.service.ts";
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
  expect(await call("carts.get", { owner })).toEqual({ items: [] });
});

test("putting sets the quantity; lines stay in the order in which they came", async () => {
  await put(2, 1);
  await new Promise(resolve => setTimeout(resolve, 2));
  await put(0, 3);
  expect(await put(2, 5)).toEqual({ items: [line(2, 5), line(0, 3)], updatedAt: expect.stringMatching(/Z$/) });
  await call("carts.removeItem", { owner, productId: products[2]! });
  await call("carts.removeItem", { owner, productId: products[2]! });
  expect(await items()).toEqual([line(0, 3)]);
  expect(await call("carts.clear", { owner })).toEqual({ items: [] });
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
  for (const user of [
    { id: newId(), roles: ["customer"] },
    { id: "", roles: [] },
  ]) {
    const theirs = { meta: { user } };
    const refused = { code: 403, type: "NOT_YOURS" };
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

test("a cart that is ordered is empty soon after", async () => {
  await put(0, 2);
  const { lines } = await call("orders.place", {
    id: newId(),
    customer: owner,
    fromCart: true,
    shippingAddress: { name: "A", line1: "B", city: "C", postalCode: "D", country: "SE" },
    payment: { method: "card", token: "tok_ok" },
  });
  expect(lines).toMatchObject([line(0, 2)]);
  const deadline = Date.now() + 10_000;
  while ((await items()).length > 0) {
    if (Date.now() > deadline) throw new Error("the cart is still full after 10 s");
    await new Promise(resolve => setTimeout(resolve, 20));
  }
});

describe("an order that was placed", () => {
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

  test("takes nothing that was put in since, however late and often its event arrives", async () => {
    const { updatedAt } = await put(0, 1);
    const orderedAt = updatedAt!;
    while (rfc3339(Date.now()) <= orderedAt) await new Promise(resolve => setImmediate(resolve));
    await put(1, 2);
    await placed(true, orderedAt);
    await placed(true, orderedAt);
    expect(await items()).toEqual([line(1, 2)]);
  });
});
