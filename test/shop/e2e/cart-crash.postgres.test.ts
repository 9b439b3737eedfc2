// A cart becomes an order in two databases. `kill -9` in between: its lines are in the order or in the cart.
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { newId } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { ADDRESS, Shop } from "../support/shop.ts";

let databases: Databases;
let shop: Shop;
let token: string;
let mug: string;
let pot: string;
beforeAll(async () => {
  databases = await newDatabases();
  shop = await Shop.start({ ...databases.env });
  [mug, pot] = (await shop.request("GET", "/api/v1/products?pageSize=2")).body.rows.map(({ id }: any) => id);
});
afterAll(async () => {
  await shop.stop();
  await databases.remove();
});
beforeEach(async () => {
  token = await shop.customer(`cart-${newId()}`);
});

const put = (productId: string, quantity: number) =>
  shop.request("PUT", `/api/v1/cart/items/${productId}`, { token, body: { quantity } });
const items = async () => (await shop.request("GET", "/api/v1/cart", { token })).body.items;
const order = (key: string, card = "tok_ok") =>
  shop.request("POST", "/api/v1/orders", {
    token,
    headers: { "Idempotency-Key": key },
    body: { fromCart: true, shippingAddress: ADDRESS, payment: { method: "card", token: card } },
  });
const line = (productId: string, quantity: number) => ({ productId, quantity });

test.each([
  ["after the cart was taken, before the order was placed", "append:before-commit"],
  ["after the order was placed, before anybody heard of it", "append:after-commit"],
])("P1 P3 killed %s, the repetition gets the order, once, and the cart is empty", async (_, failpoint) => {
  await put(mug, 2);
  await shop.child.end("SIGTERM");
  await shop.start(`${failpoint}=kill#1`);
  const key = newId();
  await expect(order(key)).rejects.toMatchObject({ name: "TypeError" });
  await until("the shop is dead", () => !shop.child.running);
  await shop.start();
  await put(pot, 1);
  const { status, body } = await order(key);
  expect([status, body.lines]).toMatchObject([201, [line(mug, 2)]]);
  expect(await items()).toEqual([line(pot, 1)]);
  expect((await order(key)).body).toEqual(body);
  expect(await items()).toEqual([line(pot, 1)]);
  expect((await shop.request("GET", "/api/v1/orders", { token })).body.total).toBe(1);
  await until("it is shipped", async () => {
    const { body: now } = await shop.request("GET", `/api/v1/orders/${body.id}`, { token });
    return now.status === "shipped";
  });
  expect(await items()).toEqual([line(pot, 1)]);
});

test("an order whose card is declined gives the cart back", async () => {
  await put(mug, 2);
  const { status } = await order(newId(), "tok_declined");
  expect(status).toBe(201);
  await until("the cart is back", async () => (await items()).length > 0);
  expect(await items()).toEqual([line(mug, 2)]);
});
