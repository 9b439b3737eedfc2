import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { until } from "@valence/runtime/testing";
import { freePort, newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { typedCall, type Call } from "@valence/runtime/contract";
import { newId, readEnvironment } from "@valence/runtime/kernel";
import inventory from "../inventory/inventory.service.ts";
import catalog from "./catalog.service.ts";
import type { NewProduct } from "./product.ts";
import { seedProducts } from "./products.seed.ts";

let databases: Databases;
let broker: ServiceBroker;
let call: Call;

beforeAll(async () => {
  databases = await newDatabases();
  broker = new ServiceBroker({ ...brokerOptions(readEnvironment(databases.env)), logger: false });
  broker.createService(catalog);
  broker.createService(inventory);
  await broker.start();
  call = typedCall(broker);
});
afterAll(async () => {
  await broker.stop();
  await databases.remove();
});

const service = (): any => broker.getLocalService("catalog");
const mug: NewProduct = {
  sku: "MUG-001",
  name: "Harbour Mug",
  description: "Stoneware.",
  price: { amount: 1800, currency: "EUR" },
  category: "mugs",
};
const lamp: NewProduct = {
  ...mug,
  sku: "LMP-001",
  name: "Lamp",
  category: "lamps",
  price: { amount: 8900, currency: "EUR" },
};
const admin = { user: { id: newId(), roles: ["admin"] } };
const customer = { user: { id: newId(), roles: ["customer"] } };

beforeEach(async () => {
  await service().adapter.clear();
  await service().clearCache();
});

test("a product comes back as it was created, found by its id", async () => {
  const created = await call("catalog.create", { ...mug, image: "/images/mug.webp" }, { meta: admin });
  expect(created).toEqual({
    ...mug,
    image: "/images/mug.webp",
    id: expect.any(String),
    createdAt: expect.stringMatching(/Z$/),
    updatedAt: created.createdAt,
  });
  expect(await call("catalog.get", { id: created.id })).toEqual(created);
});

test("a SKU belongs to one product, whether it is created or changed", async () => {
  await call("catalog.create", mug);
  const { id } = await call("catalog.create", lamp);
  const taken = { code: 409, type: "SKU_TAKEN", data: { errors: [{ field: "sku" }] } };
  await expect(call("catalog.create", mug)).rejects.toMatchObject(taken);
  await expect(call("catalog.update", { id, sku: mug.sku })).rejects.toMatchObject(taken);
  expect(await call("catalog.get", { id })).toMatchObject(lamp);
});

test("categories are those that have products, with how many, also right after a change", async () => {
  const made = [mug, { ...mug, sku: "MUG-002" }, lamp].map(product => call("catalog.create", product, { meta: admin }));
  const { id } = (await Promise.all(made)).at(-1)!;
  const categories = async () => (await call("catalog.categories", {})).rows;
  expect(await categories()).toEqual([
    { category: "lamps", products: 1 },
    { category: "mugs", products: 2 },
  ]);
  await call("catalog.remove", { id }, { meta: admin });
  expect(await categories()).toEqual([{ category: "mugs", products: 2 }]);
});

test("an unknown product is a 404 that names the field", async () => {
  const id = newId();
  const { id: known } = await call("catalog.create", mug);
  const missing = (field: string) => ({ code: 404, type: "PRODUCT_NOT_FOUND", data: { errors: [{ field }] } });
  await expect(call("catalog.get", { id })).rejects.toMatchObject(missing("id"));
  await expect(call("catalog.update", { id, name: "x" })).rejects.toMatchObject(missing("id"));
  await expect(call("catalog.remove", { id })).rejects.toMatchObject(missing("id"));
  const others = [newId(), known, newId()];
  await expect(call("catalog.quote", { ids: [known, id, ...others] })).rejects.toMatchObject({
    type: "PRODUCT_NOT_FOUND",
    data: { errors: [{ field: "ids.1" }, { field: "ids.2" }, { field: "ids.4" }] },
  });
});

describe("a SKU with goods", () => {
  const inStock = { code: 409, type: "SKU_IN_STOCK", data: { errors: [{ field: "sku" }] } };
  const order = { orderId: newId(), quantity: 2 };
  let id: string;
  let sku: string;
  beforeEach(async () => {
    sku = `SKU-${newId().slice(-8)}`;
    ({ id } = await call("catalog.create", { ...mug, sku }));
    await call("inventory.receive", { id: sku, quantity: 2 });
  });
  const empty = (quantity: number) => call("inventory.adjust", { id: sku, quantity: -quantity, reason: "sold out" });

  test("stays that of its product until they are gone", async () => {
    await expect(call("catalog.update", { id, sku: `${sku}-B` })).rejects.toMatchObject(inStock);
    expect(await call("catalog.update", { id, sku, name: "Another name" })).toMatchObject({ sku });
    await empty(2);
    expect(await call("catalog.update", { id, sku: `${sku}-B` })).toMatchObject({ sku: `${sku}-B` });
  });

  test("is no other product's once its own is removed: neither a new one's nor one that takes it", async () => {
    await call("catalog.remove", { id });
    await expect(call("catalog.create", { ...mug, sku })).rejects.toMatchObject(inStock);
    const { id: other } = await call("catalog.create", lamp);
    await expect(call("catalog.update", { id: other, sku })).rejects.toMatchObject(inStock);
    await empty(2);
    expect(await call("catalog.create", { ...mug, sku })).toMatchObject({ sku });
  });

  test("has them while they are reserved", async () => {
    await call("inventory.reserve", { id: sku, ...order });
    await expect(call("catalog.update", { id, sku: `${sku}-B` })).rejects.toMatchObject(inStock);
    await call("inventory.commit", { id: sku, ...order });
    expect(await call("catalog.update", { id, sku: `${sku}-B` })).toMatchObject({ sku: `${sku}-B` });
  });
});

test("a quote has each product once, in the order asked", async () => {
  const [a, b] = [await call("catalog.create", mug), await call("catalog.create", lamp)];
  expect((await call("catalog.quote", { ids: [b.id, a.id, b.id] })).products).toEqual([b, a]);
});

test("cached answers are gone after a change", async () => {
  const { id } = await call("catalog.create", mug);
  const readings = async () => [
    (await call("catalog.get", { id })).price.amount,
    (await call("catalog.quote", { ids: [id] })).products[0]!.price.amount,
    (await call("catalog.list", {})).rows[0]!.price.amount,
  ];
  expect(await readings()).toEqual([1800, 1800, 1800]);
  await service().adapter.updateById(id, { $set: { price: { amount: 1 } } });
  expect(await readings()).toEqual([1800, 1800, 1800]);
  const updated = await call("catalog.update", { id, price: { amount: 2100, currency: "EUR" } });
  expect(updated).toMatchObject({ ...mug, price: { amount: 2100, currency: "EUR" } });
  expect(await readings()).toEqual([2100, 2100, 2100]);
  await call("catalog.remove", { id });
  await expect(call("catalog.get", { id })).rejects.toMatchObject({ code: 404 });
});

test("a change on one node is seen on another, which has a cache of its own", async () => {
  const ids = ["catalog-1", "catalog-2"];
  const ports = [await freePort(), await freePort()];
  const urls = ids.map((id, n) => `tcp://127.0.0.1:${ports[n]}/${id}`);
  const nodes = ids.map((nodeID, n) => {
    const node = new ServiceBroker({
      ...brokerOptions(readEnvironment(databases.env)),
      logger: false,
      nodeID,
      // The type knows only one URL.
      transporter: { type: "TCP", options: { udpDiscovery: false, port: ports[n]!, urls: urls as never } },
    });
    node.createService(catalog);
    node.createService(inventory);
    return node;
  });
  try {
    await Promise.all(nodes.map(node => node.start()));
    const [one, other] = nodes.map(node => typedCall(node)) as [Call, Call];
    await until("the nodes see each other", () =>
      nodes.every(node => node.registry.getNodeList({ onlyAvailable: true }).length === 2),
    );
    const { id } = await one("catalog.create", mug);
    const priceFor = async (node: Call) => (await node("catalog.quote", { ids: [id] })).products[0]!.price.amount;
    expect(await priceFor(other)).toBe(1800);
    await one("catalog.update", { id, price: { amount: 2100, currency: "EUR" } });
    expect(await priceFor(one)).toBe(2100);
    // Well before a cached answer would expire.
    await until("the other node has the new price", async () => (await priceFor(other)) === 2100, 10_000);
  } finally {
    await Promise.all(nodes.map(node => node.stop()));
  }
});

describe("the list", () => {
  beforeEach(() => call("catalog.seed", { products: [...seedProducts] }));

  test.each([undefined, "-price", "createdAt"] as const)("comes in pages by cursor, sorted by %s", async sort => {
    const asked = { pageSize: 50, ...(sort && { sort }) };
    const pages = [await call("catalog.list", asked)];
    for (let cursor = pages[0]!.nextCursor; cursor !== undefined; cursor = pages.at(-1)!.nextCursor) {
      // A product that comes in meanwhile moves no other; pages by number would show one twice.
      await call("catalog.create", {
        ...mug,
        sku: `NEW-${pages.length}`,
        name: "AAA",
        price: { ...mug.price, amount: 1e6 },
      });
      pages.push(await call("catalog.list", { ...asked, cursor }));
    }
    const ids = pages.flatMap(({ rows }) => rows.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThanOrEqual(120);
    await expect(call("catalog.list", { page: 1, cursor: pages[0]!.nextCursor! })).rejects.toMatchObject({
      code: 422,
      data: { errors: [{ field: "page" }] },
    });
  });

  test("comes in pages, sorted by name unless asked otherwise", async () => {
    const first = await call("catalog.list", {});
    expect([first.rows.length, first.total, first.page, first.pageSize]).toEqual([20, 120, 1, 20]);
    const last = await call("catalog.list", { page: 2, pageSize: 100 });
    expect(last.rows).toHaveLength(20);
    const names = [...(await call("catalog.list", { pageSize: 100 })).rows, ...last.rows].map(({ name }) => name);
    expect(names).toEqual(seedProducts.map(({ name }) => name).sort());
  });

  test("finds by text in name, description or SKU, within a category", async () => {
    const skus = async (params: object) => (await call("catalog.list", params)).rows.map(({ sku }) => sku);
    expect(await skus({ q: "mug-001" })).toEqual(["MUG-001"]);
    expect((await skus({ q: "bergamot" })).toSorted()).toEqual(["COF-004", "COF-005", "COF-006"]);
    expect(await skus({ q: "linen", category: "notebooks" })).toHaveLength(3);
    for (const q of ["%", "*", '"', "🛒", "' --"]) expect(await skus({ q })).toEqual([]);
    expect(await skus({ q: " \u00a0" })).toHaveLength(20);
    expect(await skus({ category: "' or 1=1 --" })).toEqual([]);
  });

  test("finds words in any order, however they are written, and mugs first for mug", async () => {
    const names = async (params: object) =>
      (await call("catalog.list", { pageSize: 100, ...params })).rows.map(p => p.name);
    expect(await names({ q: "oat mug" })).toEqual(await names({ q: "MUG, oat" }));
    expect((await names({ q: "oat mug" })).slice(0, 2).toSorted()).toEqual(["Camp Mug, Oat", "Harbour Mug, Oat"]);
    const mugs = await names({ q: "mug" });
    expect(mugs.slice(0, 6).every(name => name.includes("Mug"))).toBe(true);
    expect(mugs.slice(6).some(name => name.includes("Mug"))).toBe(false);
    for (const q of ["cafe", "CAFÉ", "cafe\u0301"]) expect(await names({ q })).toContain("Breakfast Bowl, Oat");
    expect((await names({ q: "mug", sort: "-name" }))[0]).toBe("Travel Cup, Slate");
    const { total } = await call("catalog.list", { q: "mug", pageSize: 1 });
    expect(total).toBe(mugs.length);
  });

  test("sorts names as people do, and shows a change in its new place", async () => {
    for (const [sku, name] of Object.entries({ A: "Zebra", B: "apple", C: "Éclair", D: "E\u0301clair B" }))
      await call("catalog.create", { ...mug, sku, name, category: "sorted" });
    const names = async (sort: "name" | "-name") =>
      (await call("catalog.list", { category: "sorted", sort })).rows.map(({ name }) => name);
    expect(await names("name")).toEqual(["apple", "Éclair", "Éclair B", "Zebra"]);
    expect(await names("-name")).toEqual(["Zebra", "Éclair B", "Éclair", "apple"]);
    const found = async (q: string) => (await call("catalog.list", { q, category: "sorted" })).rows;
    const [eclair] = await found("eclair");
    await call("catalog.update", { id: eclair!.id, name: "Ähre" });
    expect(await names("name")).toEqual(["Ähre", "apple", "Éclair B", "Zebra"]);
    expect([(await found("éclair")).length, (await found("ahre")).length]).toEqual([1, 1]);
    await call("catalog.remove", { id: eclair!.id });
    expect(await found("ahre")).toEqual([]);
  });

  /** Names on all pages by cursor, `pageSize` on each; `between` runs after each page. */
  async function walk(asked: object, pageSize: number, between: () => Promise<unknown> = async () => {}) {
    const names: string[] = [];
    for (let cursor: string | undefined; ;) {
      const { rows, nextCursor } = await call("catalog.list", { ...asked, pageSize, ...(cursor && { cursor }) });
      names.push(...rows.map(({ name }) => name));
      if (nextCursor === undefined) return names;
      expect(rows).toHaveLength(pageSize);
      await between();
      cursor = nextCursor;
    }
  }

  test.each(["name", "-name"] as const)("by cursor comes as people sort by %s, equal names too", async sort => {
    const names = ["Zebra", "apple", "Éclair", "eclair", "Apple", "Eclair", "\u00c4hre", "Éclair", "zebra", "ahre"];
    for (const [n, name] of names.entries())
      await call("catalog.create", { ...mug, sku: `S-${n}`, name, category: "sorted" });
    const whole = (await call("catalog.list", { category: "sorted", sort })).rows.map(({ name }) => name);
    expect(whole).toHaveLength(names.length);
    for (const pageSize of [1, 3]) expect(await walk({ category: "sorted", sort }, pageSize)).toEqual(whole);
    const found = whole.filter(name => name.toLowerCase().endsWith("clair"));
    expect(await walk({ q: "ECLAIR", category: "sorted", sort }, 1)).toEqual(found);
  });

  test("by cursor holds what a node of the release before adds meanwhile, and never stops at it", async () => {
    const { knex } = service().database;
    const row = await knex("products").first();
    for (const name of ["b", "d", "f"])
      await call("catalog.create", { ...mug, sku: `S-${name}`, name, category: "old" });
    const add = (name: string) =>
      knex("products").insert({ ...row, id: newId(), sku: name, name, category: "old", name_folded: null });
    const others = ["\u00e9", "z\u00e9"];
    const between = async () => others.length > 0 && add(others.shift()!);
    expect(await walk({ category: "old" }, 1, between)).toEqual(["b", "d", "é", "f", "zé"]);
    // The state between the completion and the read.
    await add("g");
    await knex("products_changed").delete();
    await service().clearCache();
    for (const sort of ["name", "-name"])
      expect((await walk({ category: "old", sort }, 1)).toSorted()).toEqual(["b", "d", "f", "zé", "é"]);
  });

  test("by cursor goes on after the longest names", async () => {
    const name = "\u{1d54f}".repeat(199);
    for (const end of ["a", "b"])
      await call("catalog.create", {
        ...mug,
        sku: `LONG-${end}`,
        name: `\u{20bb7}`.repeat(199) + end,
        category: "long",
      });
    await call("catalog.create", { ...mug, sku: "LONG", name, category: "long" });
    expect(await walk({ category: "long" }, 1)).toHaveLength(3);
  });

  test("by rank has pages by number only", async () => {
    const first = await call("catalog.list", { q: "mug", pageSize: 5 });
    expect(first.total).toBeGreaterThan(5);
    expect(first).not.toHaveProperty("nextCursor");
    const { nextCursor } = await call("catalog.list", { q: "mug", sort: "name", pageSize: 5 });
    for (const cursor of [nextCursor!, "abc"])
      await expect(call("catalog.list", { q: "mug", cursor })).rejects.toMatchObject({
        code: 422,
        data: { errors: [{ field: "cursor", message: expect.stringContaining("rank") }] },
      });
    const second = await call("catalog.list", { q: "mug", pageSize: 5, page: 2 });
    expect(second.rows.some(({ id }) => first.rows.some(row => row.id === id))).toBe(false);
  });

  test("sorted by rank comes in pages by cursor, which neither repeat nor skip while products come and go", async () => {
    const asked = { q: "mug", sort: "rank" } as const;
    const whole = await call("catalog.list", { ...asked, pageSize: 100 });
    const there = whole.rows.map(({ id }) => id);
    expect(there.length).toBeGreaterThan(8);
    const created: string[] = [];
    const seen: string[] = [];
    let page = await call("catalog.list", { ...asked, pageSize: 3 });
    for (let n = 0; ; n++) {
      seen.push(...page.rows.map(({ id }) => id));
      if (page.nextCursor === undefined) break;
      // The best of all and the worst of all; each changes how rare the word is.
      for (const [name, description] of [
        ["Mug Mug Mug", "mug"],
        ["Lamp", "a lamp, no mug"],
      ] as const)
        if (n < 5)
          created.push((await call("catalog.create", { ...mug, sku: `RANK-${created.length}`, name, description })).id);
      page = await call("catalog.list", { ...asked, pageSize: 3, cursor: page.nextCursor });
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter(id => !created.includes(id))).toEqual(there);
    for (const id of created) await call("catalog.remove", { id });
  });

  test("sorted by rank is the catalog by name where nothing is searched, and a cursor is one of its search", async () => {
    const names = async (params: object) => (await call("catalog.list", { pageSize: 5, ...params })).rows;
    expect(await names({ q: "---", sort: "rank" })).toEqual([]);
    expect(await names({ sort: "rank" })).toEqual(await names({ sort: "name" }));
    const { nextCursor } = await call("catalog.list", { q: "mug", sort: "rank", pageSize: 1 });
    const [order, , ...rest] = JSON.parse(Buffer.from(nextCursor!, "base64url").toString()) as unknown[];
    const high = Buffer.from(JSON.stringify([order, 9e15, ...rest])).toString("base64url");
    expect((await call("catalog.list", { q: "mug", sort: "rank", cursor: high })).rows.length).toBeGreaterThan(0);
    await expect(call("catalog.list", { q: "bowl", sort: "rank", cursor: nextCursor! })).rejects.toMatchObject({
      code: 422,
      data: { errors: [{ field: "cursor" }] },
    });
  });

  test("finds what was changed under a condition by its new words", async () => {
    const { id } = await call("catalog.create", { ...mug, sku: "QUO-001" });
    const { updatedAt } = await call("catalog.get", { id });
    await call("catalog.update", { id, name: "Quokka", unchanged: { updatedAt } });
    // The change writes its search words in its own transaction: the next search has nothing to complete.
    expect(await service().database.knex("products_changed").where({ id })).toEqual([]);
    expect((await call("catalog.list", { q: "quokka" })).rows.map(row => row.id)).toEqual([id]);
  });

  test("sorts by price", async () => {
    const amounts = async (sort: "price" | "-price") =>
      (await call("catalog.list", { sort, pageSize: 100 })).rows.map(({ price }) => price.amount);
    const ascending = await amounts("price");
    expect(ascending).toEqual(ascending.toSorted((a, b) => a - b));
    expect((await amounts("-price"))[0]).toBe(17400);
  });

  test("of a seed that is repeated has nothing twice", async () => {
    expect(await call("catalog.seed", { products: [...seedProducts] })).toEqual({ created: 0 });
    expect((await call("catalog.list", {})).total).toBe(120);
  });
});

test("only an administrator changes the catalog", async () => {
  const { id } = await call("catalog.create", mug);
  for (const meta of [customer, { user: { id: "", roles: [] } }]) {
    await expect(call("catalog.create", lamp, { meta })).rejects.toMatchObject({ code: 403 });
    await expect(call("catalog.update", { id, name: "x" }, { meta })).rejects.toMatchObject({ code: 403 });
    await expect(call("catalog.remove", { id }, { meta })).rejects.toMatchObject({ code: 403 });
    expect(await call("catalog.get", { id }, { meta })).toMatchObject(mug);
  }
});

test.each<[string, string, object, string]>([
  ["create", "negative price", { ...mug, price: { amount: -1, currency: "EUR" } }, "price.amount"],
  ["create", "unknown field", { ...mug, id: "x" }, "id"],
  ["create", "SKU with a path", { ...mug, sku: "../mug" }, "sku"],
  ["create", "name of blanks", { ...mug, name: "\u00a0\u200b" }, "name"],
  ["create", "name that turns the line around", { ...mug, name: "Mug \u202eguM" }, "name"],
  ["create", "control characters in a description", { ...mug, description: "\u001b[2J" }, "description"],
  ["create", "NUL in a name", { ...mug, name: "a\0b" }, "name"],
  ["create", "script for an image", { ...mug, image: "javascript:alert(1)" }, "image"],
  ["create", "image with something invisible in it", { ...mug, image: "/mug\u202egnp.exe" }, "image"],
  ["create", "another host's image", { ...mug, image: "//evil.example/x" }, "image"],
  ["list", "sort by SQL", { sort: "name; drop table products" }, "sort"],
  ["list", "moleculer-db's query", { query: { id: "x" } }, "query"],
  ["list", "huge page", { pageSize: 101 }, "pageSize"],
  ["get", "SQL as id", { id: "' or 1=1 --" }, "id"],
])("%s refuses %s by name and changes nothing", async (action, _, params, field) => {
  const failure = await broker.call(`catalog.${action}`, params).then(
    () => undefined,
    (error: any) => error,
  );
  expect(failure.code).toBe(422);
  expect((failure.data.errors ?? failure.data).map((issue: { field: string }) => issue.field)).toContain(field);
  expect((await call("catalog.list", {})).total).toBe(0);
});

test("an image that is set to null is gone", async () => {
  const { id } = await call("catalog.create", { ...mug, sku: "MUG-NULL", image: "/mug.webp" });
  expect(await call("catalog.update", { id, image: null })).not.toHaveProperty("image");
  expect(await call("catalog.get", { id })).not.toHaveProperty("image");
});
