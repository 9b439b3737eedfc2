import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { brokerOptions } from "../broker/index.ts";
import { newDatabases, type Databases } from "../testing/servers.ts";
import { readEnvironment } from "../kernel/index.ts";
import { Crud } from "./mixin.ts";

const Books: ServiceSchema = {
  name: "books",
  mixins: [
    Crud({
      table: "books",
      fields: {
        id: "text",
        title: "text",
        author: "text?",
        pages: "integer",
        rating: "number?",
        inPrint: "boolean",
        tags: "json?",
        price: { amount: "integer", currency: "text" },
      },
      searchable: ["title", "author"],
      actions: ["find", "count", "list", "create", "insert", "get", "update", "remove"],
      migrations: [
        {
          name: "001_books",
          async up(knex) {
            await knex.schema.createTable("books", table => {
              table.string("id").primary();
              table.string("title").notNullable();
              table.string("author");
              table.integer("pages").notNullable();
              table.double("rating");
              table.boolean("in_print").notNullable();
              table.text("tags");
              table.integer("price_amount").notNullable();
              table.string("price_currency").notNullable();
            });
            await knex.schema.createTable("secrets", table => table.string("secret"));
          },
        },
      ],
    }),
  ],
};

let databases: Databases;
let broker: ServiceBroker;
const call = <T = any>(action: string, params: object = {}): Promise<T> => broker.call(`books.${action}`, params);
const titles = async (params: object): Promise<string[]> =>
  (await call<{ title: string }[]>("find", params)).map(({ title }) => title);

const book = (title: string, pages: number, more: object = {}): object => ({
  title,
  pages,
  inPrint: true,
  price: { amount: pages * 10, currency: "EUR" },
  ...more,
});

beforeAll(async () => {
  databases = await newDatabases();
  broker = new ServiceBroker({
    ...brokerOptions(readEnvironment(databases.env)),
    logger: false,
    cacher: { type: "MemoryLRU", options: { max: 100 } },
  });
  broker.createService(Books);
  await broker.start();
});
beforeEach(async () => {
  await (broker.getLocalService("books") as any).adapter.clear();
  await broker.broadcast("cache.clean.books");
  await call("insert", {
    entities: [
      book("Dune", 600, { author: "Herbert", rating: 4.5, tags: ["sand", "worms"] }),
      book("Emma", 400, { author: "Austen", inPrint: false }),
      book("100% Wool", 100),
      book("a_b!c", 50),
    ],
  });
});
afterAll(async () => {
  await broker.stop();
  await databases.remove();
});

test("an entity comes back as it went in, nested, boolean and JSON fields too; what is absent stays absent", async () => {
  const created = await call("create", book("New", 10, { tags: { shelf: [1, 2] } }));
  expect(created).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    title: "New",
    pages: 10,
    inPrint: true,
    tags: { shelf: [1, 2] },
    price: { amount: 100, currency: "EUR" },
  });
  expect(await call("get", { id: created.id })).toEqual(created);
});

test("an update changes what it names, null clears an optional field, and the cache forgets", async () => {
  const [dune] = await call("find", { query: { title: "Dune" } });
  expect(await call("get", { id: dune.id })).toEqual(dune);
  await call("update", { id: dune.id, author: null, price: { amount: 1 } });
  const { author: _, ...rest } = dune;
  expect(await call("get", { id: dune.id })).toEqual({ ...rest, price: { amount: 1, currency: "EUR" } });
  expect(await call("update", { id: dune.id })).toMatchObject({ title: "Dune" });
});

test("an update of what another node changed cleans the cache here", async () => {
  const [dune] = await call("find", { query: { title: "Dune" } });
  await call("get", { id: dune.id });
  const service = broker.getLocalService("books") as any;
  await service.adapter.updateById(dune.id, { $set: { title: "Dune II" } });
  expect(await call("get", { id: dune.id })).toMatchObject({ title: "Dune" });
  await broker.broadcast("cache.clean.books");
  expect(await call("get", { id: dune.id })).toMatchObject({ title: "Dune II" });
});

test("a removed entity is gone; a missing one is a 404", async () => {
  const [dune] = await call("find", { query: { title: "Dune" } });
  await call("remove", { id: dune.id });
  for (const action of ["get", "update", "remove"])
    await expect(call(action, { id: dune.id })).rejects.toMatchObject({ code: 404 });
});

test("of several removals at once one has removed it", async () => {
  const [dune] = await call("find", { query: { title: "Dune" } });
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => call("remove", { id: dune.id })));
  expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected", "rejected"]);
});

test("an insert of many is all or none", async () => {
  const entities = [book("One", 1), { ...book("Two", 2), id: "same" }, { ...book("Three", 3), id: "same" }];
  await expect(call("insert", { entities })).rejects.toThrow();
  expect(await call("count")).toBe(4);
});

describe("questions", () => {
  test.each<[string, object, string[]]>([
    ["equal", { query: { title: "Dune" } }, ["Dune"]],
    ["nested field", { query: { "price.amount": { $gte: 4000 } } }, ["Dune", "Emma"]],
    ["absent", { query: { author: null } }, ["100% Wool", "a_b!c"]],
    ["present", { query: { author: { $ne: null } } }, ["Dune", "Emma"]],
    ["range", { query: { pages: { $gt: 50, $lte: 400 } } }, ["100% Wool", "Emma"]],
    ["any of", { query: { title: ["Dune", "Emma"], inPrint: true } }, ["Dune"]],
    ["none of", { query: { title: { $nin: ["Dune", "Emma"] } } }, ["100% Wool", "a_b!c"]],
    ["JSON text", { query: '{"title":"Emma"}' }, ["Emma"]],
    ["search, whatever the case", { search: "DUN" }, ["Dune"]],
    ["search in one field", { search: "e", searchFields: "author" }, ["Dune", "Emma"]],
    ["percent sign is a percent sign", { search: "0%" }, ["100% Wool"]],
    ["underscore is an underscore", { search: "a_b" }, ["a_b!c"]],
    ["the escape character is itself", { search: "b!c" }, ["a_b!c"]],
    ["quotes are quotes", { search: "' or 1=1 --" }, []],
    ["page", { limit: 1, offset: 1 }, ["Dune"]],
  ])("%s", async (_, params, expected) => {
    expect(await titles({ sort: "title", ...params })).toEqual(expected);
  });

  test("sorts up and down, by several fields", async () => {
    expect(await titles({ sort: "-inPrint,-price.amount" })).toEqual(["Dune", "100% Wool", "a_b!c", "Emma"]);
  });

  test("absent values sort before present ones", async () => {
    expect(await titles({ sort: "author,title" })).toEqual(["100% Wool", "a_b!c", "Emma", "Dune"]);
    expect(await titles({ sort: "-author,title" })).toEqual(["Dune", "Emma", "100% Wool", "a_b!c"]);
  });

  test("numbers beyond 32 bits are numbers to ask by and to keep", async () => {
    await call("create", book("Huge", Number.MAX_SAFE_INTEGER, { price: { amount: 2 ** 50, currency: "EUR" } }));
    expect(await titles({ query: { pages: { $gt: 2 ** 40 } } })).toEqual(["Huge"]);
    expect(await titles({ query: { "price.amount": 2 ** 50 } })).toEqual(["Huge"]);
  });

  test("a page tells how many there are, and is never larger than 100 rows", async () => {
    for (let batch = 0; batch < 2; batch++)
      await call("insert", { entities: Array.from({ length: 60 }, (_, i) => book(`B${batch}-${i}`, i)) });
    const page = await call("list", { pageSize: 100_000 });
    expect([page.rows.length, page.total, page.pageSize]).toEqual([100, 124, 100]);
    expect(await call("find")).toHaveLength(100);
    expect(await call("find", { limit: 100_000 })).toHaveLength(100);
  });
});

describe("hostile input is refused by name and changes nothing", () => {
  const hundredAndOne = Array.from({ length: 101 }, () => "x");
  test.each<[string, string, object, string]>([
    ["find", "unknown field in a query", { query: { secret: "x" } }, "query.secret"],
    ["find", "SQL as a field", { query: { "id) or 1=1 --": 1 } }, "query.id) or 1=1 --"],
    ["find", "another table's column", { query: { "secrets.secret": "x" } }, "query.secrets.secret"],
    ["find", "prototype as a field", { query: JSON.stringify({ constructor: 1 }) }, "query.constructor"],
    ["find", "__proto__ as a field", { query: '{"__proto__":{"title":"Dune"}}' }, "query.__proto__"],
    ["find", "unknown operator", { query: { title: { $regex: ".*" } } }, "query.title"],
    ["find", "prototype as an operator", { query: { title: { constructor: "x" } } }, "query.title"],
    ["find", "raw SQL operator", { query: { $where: "1=1" } }, "query.$where"],
    ["find", "object for a value", { query: { title: { $gt: { $gt: "" } } } }, "query.title"],
    ["find", "number for text", { query: { title: 1 } }, "query.title"],
    ["find", "text for a number", { query: { pages: "600 or 1=1" } }, "query.pages"],
    ["find", "NUL in text", { query: { title: "Du\0ne" } }, "query.title"],
    ["find", "too many values", { query: { title: hundredAndOne } }, "query.title"],
    ["find", "query by a JSON field", { query: { tags: "sand" } }, "query.tags"],
    ["find", "query that is not JSON", { query: "{title:" }, "query"],
    ["find", "query that is a list", { query: "[1]" }, "query"],
    ["list", "sort by SQL", { sort: "title;drop table books" }, "sort.title;drop"],
    ["list", "sort by an expression", { sort: "(select secret from secrets)" }, "sort.(select"],
    ["list", "sort by an unknown field", { sort: "-secret" }, "sort.secret"],
    ["list", "sort by too many", { sort: "id,id,id,id,id,id" }, "sort"],
    ["list", "page beyond all numbers", { page: 1e308 }, "offset"],
    ["find", "unknown field to show", { fields: ["title", "secret"] }, "fields.secret"],
    ["find", "__proto__ to show", { fields: "__proto__.polluted" }, "fields.__proto__.polluted"],
    ["get", "unknown field to hide", { id: "x", excludeFields: ["secret"] }, "excludeFields.secret"],
    ["find", "unknown field to search", { search: "x", searchFields: "secret" }, "searchFields.secret"],
    ["find", "field that is not searchable", { search: "x", searchFields: ["id"] }, "searchFields.id"],
    ["find", "long search", { search: "x".repeat(101) }, "search"],
    ["find", "populate that is not declared", { populate: "author" }, "populate.author"],
    ["get", "object as id", { id: [{ $gt: "" }] }, "query.id"],
    ["update", "object as id", { id: { $gt: "" }, title: "x" }, "id"],
    ["remove", "object as id", { id: { $ne: null } }, "id"],
    ["create", "unknown field", book("x", 1, { secret: 1 }), "secret"],
    ["create", "unknown nested field", book("x", 1, { price: { amount: 1, currency: "EUR", x: 1 } }), "price.x"],
    ["create", "missing field", { title: "x" }, "pages"],
    ["create", "null for a required field", book("x", 1, { title: null }), "title"],
    ["create", "wrong type", book("x", 1, { pages: "1" }), "pages"],
    ["create", "fraction for an integer", book("x", 1.5), "pages"],
    ["create", "text for an object", book("x", 1, { price: "free" }), "price"],
    ["insert", "list of texts", { entities: ["x"] }, "entity"],
    ["insert", "too many", { entities: hundredAndOne }, "entities"],
    ["insert", "SQL as a field", { entity: { ...book("x", 1), "title) values (1); --": 1 } }, "title) values (1); --"],
  ])("%s: %s", async (action, _, params, field) => {
    const before = await call("find");
    const failure: any = await call(action, params).then(
      answer => ({ answer }),
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 422, type: "VALIDATION_ERROR", data: { errors: [{ field }] } });
    expect(await call("find")).toEqual(before);
    expect(Object.prototype).not.toHaveProperty("polluted");
  });
});

test("a service offers no action that it did not ask for", async () => {
  broker.createService({
    name: "closed",
    mixins: [Crud({ table: "t", fields: { id: "text" }, migrations: [] })],
  });
  await broker.waitForServices("closed");
  for (const action of ["find", "count", "list", "create", "insert", "get", "update", "remove"])
    await expect(broker.call(`closed.${action}`, { id: "x" })).rejects.toMatchObject({ type: "SERVICE_NOT_FOUND" });
});

describe("pages by cursor", () => {
  interface Book {
    id: string;
    title: string;
    pages: number;
  }
  const adapter = () => (broker.getLocalService("books") as any).adapter;
  /** Reads page after page; `between` happens after each. */
  async function walk(asked: object, between: () => Promise<void> = async () => {}): Promise<Book[]> {
    const seen: Book[] = [];
    for (let cursor: string | undefined; ;) {
      const { rows, nextCursor } = await adapter().page({ ...asked, limit: 3, cursor });
      seen.push(...rows);
      if (nextCursor === undefined) return seen;
      expect(rows).toHaveLength(3);
      await between();
      cursor = nextCursor;
    }
  }

  test.each(["title", "-title", "pages", "-pages,title", "price.amount,-pages", "inPrint,-title", "id"])(
    "sorted by %s give what one page gives, equal rows too",
    async sort => {
      for (let i = 0; i < 8; i++) await call("create", book(`Twin ${i % 3}`, 100 + (i % 2), { inPrint: i % 3 > 0 }));
      const whole = await adapter().find({ sort });
      expect(whole).toHaveLength(12);
      expect(await walk({ sort })).toEqual(whole);
      expect(await walk({ sort, query: { inPrint: true } })).toEqual(whole.filter((one: any) => one.inPrint));
    },
  );

  test.each(["title", "-title", "-pages"])("by %s neither repeat nor skip while rows come and go", async sort => {
    const there: Book[] = await adapter().find({ sort });
    let n = 0;
    const seen = await walk({ sort }, async () => {
      // Before the place that is read, and behind it.
      await call("create", book(`AAA ${n}`, 1 + n));
      await call("create", book(`zzz ${n}`, 5_000 + n++));
      if (n === 1) await call("remove", { id: there[0]!.id });
    });
    const ids = seen.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter(id => there.some(one => one.id === id))).toEqual(there.map(({ id }) => id));
  });

  test("an end is told, on a full last page too", async () => {
    const { rows, nextCursor } = await adapter().page({ limit: 4 });
    expect([rows.length, nextCursor]).toEqual([4, undefined]);
  });

  test("a cursor of another order, or of nobody's, is refused by name", async () => {
    const { nextCursor } = await adapter().page({ sort: "title", limit: 1 });
    const made = (...values: unknown[]) => Buffer.from(JSON.stringify(values)).toString("base64url");
    for (const [sort, cursor] of [
      ["-title", nextCursor],
      ["title", "nonsense"],
      ["title", made("title,id")],
      ["title", made("title,id", 7, "x")],
      ["title", made("title,id", null, "x")],
      ["title", made("title,id", { $ne: 1 }, "x")],
      ["pages", made("pages,id", "1 or 1=1", "x")],
    ])
      await expect(adapter().page({ sort, cursor, limit: 1 })).rejects.toMatchObject({
        code: 422,
        data: { errors: [{ field: "cursor" }] },
      });
    await expect(adapter().page({ sort: "author" })).rejects.toMatchObject({ code: 422 });
  });
});
