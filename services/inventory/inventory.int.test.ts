import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "@valence/runtime/kernel";
import { startBroker, type TestBroker } from "@valence/runtime/testing/broker";
import catalog from "../catalog/catalog.service.ts";
import inventory from "./inventory.service.ts";

let shop: TestBroker;
beforeAll(async () => {
  shop = await startBroker([catalog, inventory]);
  await Promise.all(["MUG-001", "MUG-002", "MUG-003", "MUG-004", "RARE-1"].map(productOf));
});
afterAll(() => shop.stop());

const productOf = (sku: string) =>
  shop.call("catalog.create", {
    sku,
    name: sku,
    description: "",
    price: { amount: 100, currency: "EUR" },
    category: "x",
  });

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

test("the levels of several SKUs leave out one that was never received", async () => {
  await productOf("LMP-001");
  await shop.call("inventory.receive", { id: "LMP-001", quantity: 2 });
  expect(await shop.call("inventory.levels", { skus: ["LMP-001", "NOTHING"] })).toEqual({
    rows: [{ sku: "LMP-001", available: 2, reserved: 0 }],
  });
});

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

test("goods of a SKU that no product has are refused, whatever was there before", async () => {
  const missing = { code: 404, type: "PRODUCT_NOT_FOUND", data: { errors: [{ field: "sku" }] } };
  await expect(shop.call("inventory.receive", { id: "NO-MUG", quantity: 1 })).rejects.toMatchObject(missing);
  await expect(shop.call("inventory.level", { sku: "NO-MUG" })).rejects.toMatchObject({ type: "STOCK_NOT_FOUND" });
  const { id } = await productOf("OLD-MUG");
  const commandId = "client:receive-once";
  const receive = () => shop.call("inventory.receive", { id: "OLD-MUG", quantity: 3 }, { commandId });
  const first = await receive();
  await shop.call("catalog.remove", { id });
  expect(await receive()).toEqual(first);
  await expect(shop.call("inventory.receive", { id: "OLD-MUG", quantity: 1 })).rejects.toMatchObject(missing);
  const found = { id: "OLD-MUG", quantity: 1, reason: "found" };
  await expect(shop.call("inventory.adjust", found)).rejects.toMatchObject(missing);
  // The remaining pieces can still be taken out.
  await shop.call("inventory.adjust", { id: "OLD-MUG", quantity: -3, reason: "given away" });
  expect(await shop.call("inventory.level", { sku: "OLD-MUG" })).toMatchObject({ available: 0, reserved: 0 });
});

test("P3 a correction that is repeated is made once", async () => {
  await shop.call("inventory.receive", { id: "MUG-004", quantity: 5 });
  await reserve("MUG-004", "order-4", 2);
  const adjust = (quantity: number, commandId?: string) =>
    shop.call("inventory.adjust", { id: "MUG-004", quantity, reason: "counted" }, commandId ? { commandId } : {});
  const first = await adjust(-2, "client:adjust-once");
  expect(first).toMatchObject({ available: 1 });
  expect(await adjust(-2, "client:adjust-once")).toEqual(first);
  await expect(adjust(-2)).rejects.toMatchObject({ code: 409, type: "BELOW_RESERVED" });
  expect(await shop.call("inventory.level", { sku: "MUG-004" })).toMatchObject({ available: 1, reserved: 2 });
});

test("the list has every SKU that was ever in stock, page by page", async () => {
  const skus = Array.from({ length: 7 }, (_, n) => `LIST-${7 - n}`);
  for (const sku of skus) {
    await productOf(sku);
    await shop.call("inventory.receive", { id: sku, quantity: 4 });
  }
  await shop.call("inventory.adjust", { id: "LIST-1", quantity: -4, reason: "gone" });
  await reserve("LIST-2", "order-5", 1);
  const all = await shop.call("inventory.list", { pageSize: 100 });
  expect(all.total).toBe(all.rows.length);
  expect(all.rows.map(({ sku }) => sku)).toEqual(all.rows.map(({ sku }) => sku).toSorted());
  const listed = all.rows.filter(({ sku }) => sku.startsWith("LIST-"));
  expect(listed).toHaveLength(7);
  expect(listed.slice(0, 3)).toEqual([
    { sku: "LIST-1", available: 0, reserved: 0 },
    { sku: "LIST-2", available: 3, reserved: 1 },
    { sku: "LIST-3", available: 4, reserved: 0 },
  ]);
  const pages = [];
  for (let page = 1; page <= Math.ceil(all.total / 3); page++)
    pages.push(...(await shop.call("inventory.list", { page, pageSize: 3 })).rows);
  expect(pages).toEqual(all.rows);
  expect((await shop.call("inventory.list", { page: 1_000, pageSize: 3 })).rows).toEqual([]);
});

test("pages by cursor neither repeat nor skip while SKUs come in, before and behind the place", async () => {
  const receive = async (sku: string) => {
    await productOf(sku);
    await shop.call("inventory.receive", { id: sku, quantity: 1 });
  };
  for (const sku of ["PAGE-b", "PAGE-d", "PAGE-f", "PAGE-h"]) await receive(sku);
  const all = (await shop.call("inventory.list", { pageSize: 100 })).rows.map(({ sku }) => sku);
  const seen: string[] = [];
  let page = await shop.call("inventory.list", { pageSize: 2 });
  for (let n = 0; ; n++) {
    seen.push(...page.rows.map(({ sku }) => sku));
    if (page.nextCursor === undefined) break;
    if (n === 0) for (const sku of ["AAA", "PAGE-e", "zzz"]) await receive(sku);
    page = await shop.call("inventory.list", { pageSize: 2, cursor: page.nextCursor });
    expect(page.page).toBeUndefined();
  }
  expect(seen).toEqual([...all, "PAGE-e", "zzz"].toSorted());
  const cursor = Buffer.from('["name","x"]').toString("base64url");
  for (const [params, field] of [
    [{ cursor }, "cursor"],
    [{ cursor: Buffer.from('["sku",7]').toString("base64url") }, "cursor"],
    [{ cursor: Buffer.from('["sku","\\u0000"]').toString("base64url") }, "cursor"],
    [{ cursor: Buffer.from('["sku","\\ud800"]').toString("base64url") }, "cursor"],
    [{ cursor, page: 2 }, "page"],
  ] as const)
    await expect(shop.call("inventory.list", params)).rejects.toMatchObject({
      code: 422,
      data: { errors: [{ field }] },
    });
});

test("only an administrator receives goods, corrects and lists them, and no person reserves or sells", async () => {
  const as = (...roles: string[]) => ({ meta: { user: { id: newId(), roles } } });
  const id = "MUG-003";
  await expect(shop.call("inventory.receive", { id, quantity: 1 }, as("customer"))).rejects.toMatchObject({
    code: 403,
  });
  const correct = (role: string) => shop.call("inventory.adjust", { id, quantity: 1, reason: "found" }, as(role));
  await expect(correct("customer")).rejects.toMatchObject({ code: 403 });
  await expect(shop.call("inventory.list", {}, as("customer"))).rejects.toMatchObject({ code: 403 });
  await shop.call("inventory.receive", { id, quantity: 1 }, as("admin"));
  await correct("admin");
  expect((await shop.call("inventory.list", {}, as("admin"))).total).toBeGreaterThan(0);
  for (const action of ["inventory.reserve", "inventory.release", "inventory.commit"] as const)
    await expect(shop.call(action, { id, orderId: "order-3", quantity: 1 }, as("admin"))).rejects.toMatchObject({
      code: 403,
    });
});
