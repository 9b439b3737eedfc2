import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { newId } from "@valence/runtime/kernel";
import { startBroker, type TestBroker } from "@valence/runtime/testing/broker";
import { ADDRESS } from "../../test/shop/support/shop.ts";
import carts from "../carts/carts.service.ts";
import catalog from "../catalog/catalog.service.ts";
import { seedProducts } from "../catalog/products.seed.ts";
import orders from "./orders.service.ts";

let shop: TestBroker;
let product: { id: string; sku: string; price: { amount: number; currency: string } };
let customer: string;
let id: string;

beforeAll(async () => {
  shop = await startBroker([catalog, carts, orders]);
  await shop.call("catalog.seed", { products: seedProducts.slice(0, 3) });
  product = (await shop.call("catalog.list", {})).rows[0]!;
});
afterAll(() => shop.stop());
beforeEach(() => {
  customer = newId();
  id = newId();
});

const as = (user: string, ...roles: string[]) => ({ meta: { user: { id: user, roles } } });
const placing = () => ({
  id,
  customer,
  shippingAddress: ADDRESS,
  payment: { method: "card" as const, token: "tok_secret" },
});
const lines = (quantity = 2) => [{ productId: product.id, quantity }];
const place = () => shop.call("orders.place", { ...placing(), lines: lines() }, as(customer, "customer"));

test("is placed at the catalog's price", async () => {
  const total = { amount: 2 * product.price.amount, currency: product.price.currency };
  expect(await place()).toMatchObject({ id, version: 1, status: "placed", total });
  expect(await shop.call("orders.view", { id }, as(customer, "customer"))).toMatchObject({
    id,
    status: "placed",
    total,
    lines: [{ sku: product.sku, quantity: 2, unitPrice: product.price }],
  });
});

test("goes to where there are no postal codes, with the lines that were filled in, as they are written anywhere", async () => {
  const shippingAddress = {
    name: " Zoe\u0308\u00a0",
    company: "Analytical Ltd",
    line1: "1 Queen's Road",
    line2: "",
    city: "Central",
    region: "Hong Kong Island",
    postalCode: " ",
    country: "HK",
    phone: "\u202a+852 2123 4567\u202c",
  };
  await shop.call("orders.place", { ...placing(), shippingAddress, lines: lines() }, as(customer, "customer"));
  expect((await shop.call("orders.view", { id })).shippingAddress).toEqual({
    name: "Zo\u00eb",
    company: "Analytical Ltd",
    line1: "1 Queen's Road",
    city: "Central",
    region: "Hong Kong Island",
    country: "HK",
    phone: "+852 2123 4567",
  });
});

test("P3 a repetition gets the first answer, whatever the catalog says by then", async () => {
  const commandId = `client:${customer}:key-1`;
  const placeOnce = () =>
    shop.call("orders.place", { ...placing(), lines: lines() }, { ...as(customer, "customer"), commandId });
  const first = await placeOnce();
  const dearer = { amount: product.price.amount + 1, currency: product.price.currency };
  product = await shop.call("catalog.update", { id: product.id, price: dearer });
  expect(await placeOnce()).toEqual(first);
});

test("P3 a price that has changed is a 409 with the new total, to every repetition; the cart is there again", async () => {
  const [seen, total] = [1, 2].map(n => ({ amount: n * product.price.amount, currency: product.price.currency }));
  const commandId = `client:${customer}:key-1`;
  const asked = { fromCart: true, expectedTotal: seen! };
  const refused = { type: "PRICE_CHANGED", code: 409, data: { members: { total } } };
  await shop.call("carts.put", { owner: customer, productId: product.id, quantity: 2 });
  for (let n = 0; n < 2; n++)
    await expect(shop.call("orders.place", { ...placing(), ...asked }, { commandId })).rejects.toMatchObject(refused);
  expect((await shop.call("carts.get", { owner: customer })).items).toHaveLength(1);
  id = newId();
  const placed = await shop.call("orders.place", { ...placing(), fromCart: true, expectedTotal: total! });
  expect(placed).toMatchObject({ status: "placed", total });
});

test("products that are gone are named all at once, whether by lines or in the cart", async () => {
  const gone = [newId(), newId()];
  const lines = [gone[0]!, product.id, gone[1]!, gone[0]!].map(productId => ({ productId, quantity: 1 }));
  await expect(shop.call("orders.place", { ...placing(), lines })).rejects.toMatchObject({
    type: "PRODUCT_NOT_FOUND",
    code: 422,
    data: {
      errors: [{ field: "lines.0.productId" }, { field: "lines.3.productId" }, { field: "lines.2.productId" }],
      members: { missing: gone },
    },
  });
});

test("more than a thousand of one product are refused, in however many lines", async () => {
  const halves = [1_000, 1].map(quantity => ({ productId: product.id, quantity }));
  await expect(shop.call("orders.place", { ...placing(), lines: halves })).rejects.toMatchObject({
    type: "QUANTITY_TOO_LARGE",
    code: 422,
    data: { errors: [{ field: "lines.0.quantity" }, { field: "lines.1.quantity" }] },
  });
  await expect(shop.call("orders.view", { id })).rejects.toMatchObject({ type: "ORDER_NOT_FOUND" });
});

test("takes what lies in the customer's cart", async () => {
  await expect(shop.call("orders.place", { ...placing(), fromCart: true })).rejects.toMatchObject({
    type: "CART_EMPTY",
    code: 422,
  });
  await shop.call("carts.put", { owner: customer, productId: product.id, quantity: 3 });
  expect(await shop.call("orders.place", { ...placing(), fromCart: true })).toMatchObject({
    lines: [{ sku: product.sku, quantity: 3 }],
  });
});

test("P6 bad input is refused by name and changes nothing", async () => {
  const unknown = newId();
  await expect(
    shop.call("orders.place", { ...placing(), lines: [...lines(), { productId: unknown, quantity: 1 }] }),
  ).rejects.toMatchObject({ type: "PRODUCT_NOT_FOUND", code: 422, data: { errors: [{ field: "lines.1.productId" }] } });
  await expect(shop.call("orders.place", { ...placing(), lines: lines(-1) })).rejects.toMatchObject({ code: 422 });
  await expect(shop.call("orders.place", { ...placing(), lines: lines(), total: 1 } as never)).rejects.toMatchObject({
    code: 422,
  });
  await expect(shop.call("orders.place", placing())).rejects.toMatchObject({ type: "LINES_OR_CART" });
  await expect(shop.call("orders.view", { id })).rejects.toMatchObject({ type: "ORDER_NOT_FOUND", code: 404 });
});

test("another's order does not exist; an administrator and other services see it", async () => {
  await place();
  for (const action of ["orders.view", "orders.timeline"] as const) {
    await expect(shop.call(action, { id }, as(newId(), "customer"))).rejects.toMatchObject({ code: 404 });
    await expect(shop.call(action, { id }, as(""))).rejects.toMatchObject({ code: 403, type: "FORBIDDEN" });
    expect(await shop.call(action, { id }, as(newId(), "admin"))).toMatchObject({ id });
    expect(await shop.call(action, { id })).toMatchObject({ id });
  }
});

test("the timeline comes in pages; its cursor is one of this order", async () => {
  await place();
  await shop.call("orders.markReserved", { id });
  await shop.call("orders.markPaid", { id, paymentId: "p" });
  const seen: number[] = [];
  let page = await shop.call("orders.timeline", { id, pageSize: 2 });
  const cursor = page.nextCursor!;
  // An event that comes meanwhile is on the last page.
  await shop.call("orders.confirm", { id });
  for (;;) {
    seen.push(...page.events.map(({ version }) => version));
    if (page.nextCursor === undefined) break;
    page = await shop.call("orders.timeline", { id, pageSize: 2, cursor: page.nextCursor });
  }
  expect(seen).toEqual([1, 2, 3, 4]);
  const other = newId();
  await shop.call("orders.place", { ...placing(), id: other, lines: lines() });
  for (const [params, field] of [
    [{ id: other, cursor }, "cursor"],
    [{ id, cursor: "abc" }, "cursor"],
    [{ id, cursor: Buffer.from(`["history of ${id}",9e15]`).toString("base64url") }, "cursor"],
    [{ id, cursor, from: 2 }, "from"],
  ] as const)
    await expect(shop.call("orders.timeline", params)).rejects.toMatchObject({
      code: 422,
      data: { errors: [{ field }] },
    });
});

test("the timeline shows what happened, and never the payment's token", async () => {
  await place();
  await shop.call("orders.cancel", { id, customer }, as(customer, "customer"));
  const timeline = await shop.call("orders.timeline", { id }, as(customer, "customer"));
  expect(timeline.events.map(({ type, version }) => [type, version])).toEqual([
    ["order.placed", 1],
    ["order.cancelled", 2],
  ]);
  expect(await shop.call("orders.timeline", { id, from: 2 })).toMatchObject({ events: [{ version: 2 }] });
  const seen = [timeline, await shop.call("orders.view", { id }), await shop.call("orders.get", { id })];
  expect(JSON.stringify(seen)).not.toContain("tok_secret");
});

test("a user cannot order in another's name", async () =>
  expect(
    shop.call("orders.place", { ...placing(), lines: lines() }, as(newId(), "customer", "admin")),
  ).rejects.toMatchObject({ code: 403 }));

test("a customer cancels their own orders only, an administrator any", async () => {
  await place();
  const stranger = newId();
  await expect(shop.call("orders.cancel", { id, customer }, as(stranger, "customer"))).rejects.toMatchObject({
    code: 403,
  });
  await expect(shop.call("orders.cancel", { id }, as(stranger, "customer"))).rejects.toMatchObject({ code: 403 });
  await expect(shop.call("orders.cancel", { id, customer: stranger }, as(stranger, "customer"))).rejects.toMatchObject({
    code: 404,
  });
  expect(await shop.call("orders.cancel", { id }, as(stranger, "admin"))).toMatchObject({ status: "cancelled" });
});

test("no person may call the saga's steps", async () => {
  await place();
  const admin = as(newId(), "admin", "customer");
  for (const call of [
    shop.call("orders.markReserved", { id }, admin),
    shop.call("orders.markPaid", { id, paymentId: "free" }, admin),
    shop.call("orders.confirm", { id }, admin),
    shop.call("orders.markShipped", { id, trackingId: "none" }, admin),
    shop.call("orders.reject", { id, reason: "no" }, admin),
  ])
    await expect(call).rejects.toMatchObject({ type: "FORBIDDEN", code: 403 });
  expect(await shop.call("orders.view", { id })).toMatchObject({ status: "placed" });
});
