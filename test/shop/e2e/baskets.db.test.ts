// Orders and stock, and the answers about both to a client, over HTTP.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { ADDRESS, orderOf, Shop } from "../support/shop.ts";

const ADMIN = { email: "admin@example.com", password: "correct horse battery staple" };
let databases: Databases;
let shop: Shop;
let admin: string;
let ann: string;
beforeAll(async () => {
  databases = await newDatabases();
  shop = await Shop.start({ ...databases.env, ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password });
  admin = await shop.login(ADMIN.email, ADMIN.password);
  ann = await shop.customer("ann");
});
afterAll(async () => {
  await shop?.stop();
  await databases.remove();
});

const api = (method: string, path: string, token: string, body?: unknown, key = newId()) =>
  shop.request(method, `/api/v1${path}`, { token, body, headers: { "Idempotency-Key": key } });
async function product(quantity = 0, amount = 100): Promise<{ id: string; sku: string }> {
  const sku = `SKU-${newId()}`;
  const price = { amount, currency: "EUR" };
  const { body } = await api("POST", "/products", admin, { sku, name: sku, description: "", price, category: "x" });
  if (quantity > 0) expect(await api("POST", `/inventory/${sku}/receive`, admin, { quantity })).toMatchObject(OK);
  return body;
}
const OK = { status: 200 };
const problem = (status: number, rule: string) => ({ status, body: { type: `/problems/${rule}` } });
const fieldsIn = ({ body }: { body: any }) => body.errors.map(({ field }: { field: string }) => field);
const fromCart = { fromCart: true, shippingAddress: ADDRESS, payment: { method: "card", token: "tok_ok" } };

test("dearer than shown is a 409 with the new total; under a new key it is ordered at that", async () => {
  const { id } = await product(5, 100);
  const shown = { amount: 200, currency: "EUR" };
  const total = { amount: 240, currency: "EUR" };
  await api("PATCH", `/products/${id}`, admin, { price: { amount: 120, currency: "EUR" } });
  const order = orderOf([{ productId: id, quantity: 2 }]);
  const key = newId();
  for (let n = 0; n < 2; n++) {
    const answer = await api("POST", "/orders", ann, { ...order, expectedTotal: shown }, key);
    expect(answer).toMatchObject({ ...problem(409, "price-changed"), body: { total, status: 409 } });
    expect(fieldsIn(answer)).toEqual(["expectedTotal"]);
  }
  expect(await api("POST", "/orders", ann, { ...order, expectedTotal: total })).toMatchObject({
    status: 201,
    body: { total },
  });
});

test("products that are gone from under a cart are named all at once, more than a form has fields", async () => {
  const gone = await Promise.all(Array.from({ length: 30 }, () => product()));
  const kept = await product(1);
  for (const { id } of [kept, ...gone]) await api("PUT", `/cart/items/${id}`, ann, { quantity: 1 });
  for (const { id } of gone) expect(await api("DELETE", `/products/${id}`, admin)).toMatchObject({ status: 204 });
  const { body: cart } = await api("GET", "/cart", ann);
  const refused = await api("POST", "/orders", ann, fromCart);
  expect(refused).toMatchObject(problem(422, "product-not-found"));
  expect(refused.body.missing.toSorted()).toEqual(gone.map(({ id }) => id).toSorted());
  const named = fieldsIn(refused).map((field: string) => cart.items[Number(field.split(".")[1])].productId);
  expect(named).toEqual(refused.body.missing);
  // The cart is unchanged: without those products it is an order.
  for (const id of refused.body.missing) await api("DELETE", `/cart/items/${id}`, ann);
  expect(await api("POST", "/orders", ann, fromCart)).toMatchObject({ status: 201 });
});

test("an order that is rejected for its stock says of which SKUs", async () => {
  const [few, none, enough] = await Promise.all([product(1), product(), product(9)]);
  const lines = [few, none, enough].map(({ id }) => ({ productId: id, quantity: 2 }));
  const { body: order } = await api("POST", "/orders", ann, orderOf(lines));
  await until("it is rejected", async () => {
    const { body } = await api("GET", `/orders/${order.id}`, ann);
    return body.status === "rejected";
  });
  const { body } = await api("GET", `/orders/${order.id}`, ann);
  expect(body.outOfStock).toEqual([few.sku, none.sku]);
  expect((await api("GET", `/inventory/${enough.sku}`, ann)).body).toMatchObject({ available: 9, reserved: 0 });
});

test("a correction is made once a key, never below what is reserved, and the list shows it", async () => {
  const { sku } = await product(5);
  const key = newId();
  const correct = (quantity: number, key?: string, token = admin) =>
    api("POST", `/inventory/${sku}/adjust`, token, { quantity, reason: "two were broken" }, key);
  const first = await correct(-2, key);
  expect(first).toMatchObject({ status: 200, body: { available: 3 } });
  expect((await correct(-2, key)).body).toEqual(first.body);
  expect(await correct(-4)).toMatchObject(problem(409, "below-reserved"));
  expect((await correct(-1, undefined, ann)).status).toBe(403);
  expect((await api("GET", "/inventory", ann)).status).toBe(403);
  const all = [];
  for (let page = 1; ; page++) {
    const { body } = await api("GET", `/inventory?page=${page}&pageSize=100`, admin);
    all.push(...body.rows);
    if (all.length >= body.total) break;
  }
  expect(all).toContainEqual({ sku, available: 3, reserved: 0 });
});

test("goods stay with their product's SKU", async () => {
  const { id, sku } = await product(98);
  expect(await api("PATCH", `/products/${id}`, admin, { sku: `${sku}-B` })).toMatchObject(problem(409, "sku-in-stock"));
  expect(await api("PATCH", `/products/${id}`, admin, { sku, name: "New" })).toMatchObject({ status: 200 });
  expect(await api("DELETE", `/products/${id}`, admin)).toMatchObject({ status: 204 });
  const again = { sku, name: "Another", description: "", price: { amount: 1, currency: "EUR" }, category: "x" };
  expect(await api("POST", "/products", admin, again)).toMatchObject(problem(409, "sku-in-stock"));
  const receive = await api("POST", `/inventory/${sku}/receive`, admin, { quantity: 1 });
  expect(receive).toMatchObject(problem(404, "product-not-found"));
  expect(await api("POST", `/inventory/${sku}/adjust`, admin, { quantity: -98, reason: "sold off" })).toMatchObject(OK);
  expect(await api("POST", "/products", admin, again)).toMatchObject({ status: 201 });
});
