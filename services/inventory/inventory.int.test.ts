import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../mixins/kernel/index.ts";
import { startEmbedded, type Embedded } from "../../test/embedded.ts";
import inventory from "./inventory.service.ts";

let shop: Embedded;
beforeAll(async () => {
  shop = await startEmbedded([inventory]);
});
afterAll(() => shop.stop());

const reserve = (sku: string, orderId: string, quantity: number) =>
  shop.call("inventory.reserve", { id: sku, orderId, quantity }, { commandId: `saga:${orderId}/reserve/1/0` });

test("tells the level of a SKU", async () => {
  expect(await shop.call("inventory.receive", { id: "MUG-001", quantity: 5 })).toMatchObject({ available: 5 });
  await reserve("MUG-001", "order-1", 2);
  expect(await shop.call("inventory.level", { sku: "MUG-001" })).toEqual({
    sku: "MUG-001",
    available: 3,
    reserved: 2,
  });
  await shop.call("inventory.commit", { id: "MUG-001", orderId: "order-1", quantity: 2 });
  expect(await shop.call("inventory.level", { sku: "MUG-001" })).toMatchObject({ available: 3, reserved: 0 });
});

test("a SKU that was never received does not exist", async () =>
  expect(shop.call("inventory.level", { sku: "NOTHING" })).rejects.toMatchObject({
    code: 404,
    type: "STOCK_NOT_FOUND",
  }));

test("P2 of many orders at once, as many get a piece as there are pieces", async () => {
  await shop.call("inventory.receive", { id: "RARE-1", quantity: 10 });
  const answers = await Promise.allSettled(Array.from({ length: 40 }, () => reserve("RARE-1", newId(), 1)));
  expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
  expect(await shop.call("inventory.level", { sku: "RARE-1" })).toMatchObject({ available: 0, reserved: 10 });
});

test("P3 a reservation that is repeated reserves once", async () => {
  await shop.call("inventory.receive", { id: "MUG-002", quantity: 5 });
  const first = await reserve("MUG-002", "order-2", 2);
  expect(await reserve("MUG-002", "order-2", 2)).toEqual(first);
  expect(await shop.call("inventory.level", { sku: "MUG-002" })).toMatchObject({ available: 3, reserved: 2 });
});

test("only an administrator receives goods, and no person reserves or sells", async () => {
  const as = (...roles: string[]) => ({ meta: { user: { id: newId(), roles } } });
  const id = "MUG-003";
  await expect(shop.call("inventory.receive", { id, quantity: 1 }, as("customer"))).rejects.toMatchObject({
    code: 403,
  });
  await shop.call("inventory.receive", { id, quantity: 1 }, as("admin"));
  for (const action of ["inventory.reserve", "inventory.release", "inventory.commit"] as const)
    await expect(shop.call(action, { id, orderId: "order-3", quantity: 1 }, as("admin"))).rejects.toMatchObject({
      code: 403,
    });
});
