import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import type { Knex } from "knex";
import { ServiceBroker, type Service } from "moleculer";
import { brokerOptions } from "../broker/index.ts";
import { Collector, isOnPostgres, newDatabases, type Databases } from "../testing/servers.ts";
import { startTracing } from "../tracing/index.ts";
import { locationOf } from "./environment.ts";
import { readEnvironment } from "../kernel/index.ts";
import { metricOf } from "../testing/broker.ts";
import { databaseMetrics } from "./metrics.ts";
import { BOOKKEEPING, databaseOf } from "./siblings.ts";
import { migrate, openDatabase, Sql } from "./mixin.ts";
import type { Database, Migration, Upsert } from "./index.ts";

let databases: Databases;
beforeEach(async () => {
  databases = await newDatabases();
});
afterEach(() => databases.remove());

const newBroker = (options: object = {}): ServiceBroker =>
  new ServiceBroker({ ...brokerOptions(readEnvironment(databases.env)), logger: false, ...options });
const open = (): Promise<Database> => openDatabase(locationOf(readEnvironment(databases.env), "x"));

const notes: Migration = {
  name: "001_notes",
  up: knex => knex.schema.createTable("notes", table => table.increments("id")),
};

test("an upsert writes many rows of every type, and of those that are there only what is to be set", async () => {
  const database = await open();
  await database.knex.schema.createTable("things", table => {
    table.text("id").primary();
    table.bigInteger("count");
    table.double("size");
    table.boolean("is_big");
    table.text("note");
  });
  const columns = ["id", "count", "size", "is_big", "note"];
  const upsert = (rows: Upsert["rows"], set?: string[]): Promise<void> =>
    database.transaction(trx =>
      database.upsert(trx, { table: "things", columns, keys: ["id"], rows, ...(set && { set }) }),
    );
  const text = "'; drop table things; -- \"\\ \n {a,b} ? :x \u{1f600}";
  await upsert([]);
  await upsert(Array.from({ length: 2_345 }, (_, i) => [`t${i}`, i, i / 3, i % 2 === 0, i === 0 ? null : text]));
  await upsert([["t1", Number.MAX_SAFE_INTEGER, -1e-300, null, "half \ud83d"]]);
  await upsert([["t2", 7, 7, true, "other"]], ["count"]);
  const rows = await database.knex("things").select().orderBy("count");
  const read = Object.fromEntries(
    rows.map(({ id, is_big, ...row }) => [id, { ...row, is_big: is_big && Boolean(is_big) }]),
  );
  expect(rows.length).toBe(2_345);
  expect(read).toMatchObject({
    t0: { count: 0, size: 0, is_big: true, note: null },
    t1: { count: Number.MAX_SAFE_INTEGER, size: -1e-300, is_big: null, note: "half \ufffd" },
    t2: { count: 7, size: 2 / 3, is_big: true, note: text },
    t2344: { count: 2_344, size: 2_344 / 3, is_big: true, note: text },
  });
  await database.close();
});

test("migrations run once, in order, those added later too", async () => {
  const database = await open();
  const ran: string[] = [];
  const recording = (name: string): Migration => ({ name, up: async () => ran.push(name) });
  await migrate(database, "x", [recording("001_a")]);
  await migrate(database, "x", [recording("001_a"), recording("002_b")]);
  expect(ran).toEqual(["001_a", "002_b"]);
  await database.close();
});

test("a release that is rolled back starts on the tables of the one after it, which goes on from there", async () => {
  const database = await open();
  const ran: string[] = [];
  const recording = (name: string): Migration => ({ name, up: async () => ran.push(name) });
  await migrate(database, "x", [recording("001_a"), recording("002_b")]);
  await migrate(database, "x", [recording("001_a")]);
  await migrate(database, "x", [recording("001_a"), recording("002_b"), recording("003_c")]);
  expect(ran).toEqual(["001_a", "002_b", "003_c"]);
  await database.close();
});

test("owners that share a database keep separate records", async () => {
  const database = await open();
  const table = (name: string): Migration => ({
    name: "001_start",
    up: knex => knex.schema.createTable(name, t => t.increments("id")),
  });
  await migrate(database, "loan-views", [table("one")]);
  await migrate(database, "stream", [table("two")]);
  expect(await Promise.all(["one", "two"].map(name => database.knex.schema.hasTable(name)))).toEqual([true, true]);
  await database.close();
});

test("a migration that fails leaves nothing behind and can run again", async () => {
  const database = await open();
  const broken: Migration = {
    name: "002_broken",
    up: async (knex: Knex) => {
      await knex.schema.createTable("half", table => table.increments("id"));
      throw new Error("no second half");
    },
  };
  await expect(migrate(database, "x", [notes, broken])).rejects.toThrow("no second half");
  expect(await database.knex.schema.hasTable("half")).toBe(false);
  await migrate(database, "x", [notes]);
  expect(await database.knex.schema.hasTable("notes")).toBe(true);
  await database.close();
});

test("processes that start at once on one database migrate it once", async () => {
  const migrations: Migration[] = Array.from({ length: 5 }, (_, i) => ({
    name: `00${i}_table`,
    up: knex => knex.schema.createTable(`t${i}`, table => table.increments("id")),
  }));
  const processes = await Promise.all(Array.from({ length: 4 }, () => open()));
  await Promise.all(processes.map(database => migrate(database, "x", migrations)));
  expect(await processes[0]!.knex("migrations_x").select("name")).toHaveLength(5);
  await Promise.all(processes.map(database => database.close()));
});

test("a service's tables are there before its own started runs; the database is opened once", async () => {
  const broker = newBroker();
  let seen: unknown;
  broker.createService({
    name: "notes",
    mixins: [Sql({ migrations: [notes] })],
    async started(this: Service & Record<string, any>) {
      const database: Database = this["database"];
      seen = [await database.knex("notes"), database === (await databaseOf(this))];
    },
  });
  await broker.start();
  await broker.stop();
  expect(seen).toEqual([[], true]);
});

test("a database is rebuildable only as long as all its callers say so", async () => {
  const broker = newBroker();
  const service = broker.createService({ name: "views" });
  const isDurable = (database: Database): Promise<boolean> =>
    database.transaction(async trx =>
      isOnPostgres()
        ? (await trx.raw("show synchronous_commit")).rows[0].synchronous_commit === "on"
        : (await trx.raw("pragma synchronous"))[0].synchronous === 2,
    );
  const database = await databaseOf(service, { rebuildable: true });
  expect(await isDurable(database)).toBe(false);
  expect(await databaseOf(service, { rebuildable: true })).toBe(database);
  expect(await isDurable(database)).toBe(false);
  expect(await databaseOf(service)).toBe(database);
  expect(await isDurable(database)).toBe(true);
  await broker.stop();
});

test("a database outlives its service's stop: a call at hand in another service still gets its answer", async () => {
  const broker = newBroker();
  let ownerStopped: () => void;
  const ownerHasStopped = new Promise<void>(resolve => (ownerStopped = resolve));
  let database: Database | undefined;
  broker.createService({
    name: "owner",
    mixins: [Sql({ migrations: [notes] })],
    async started(this: Service & Record<string, any>) {
      database = this["database"];
    },
    stopped: async () => ownerStopped(),
  });
  broker.createService({
    name: "user",
    actions: {
      async slow() {
        await ownerHasStopped;
        return (await database!.knex("notes")).length;
      },
    },
  });
  await broker.start();
  const answer = broker.call("user.slow");
  await broker.stop();
  expect(await answer).toBe(0);
  await expect(database!.knex("notes")).rejects.toThrow();
});

test("transactions of one name take turns: one that reads and then writes by the result sees the writes of the others", async () => {
  const [first, second] = await Promise.all([open(), open()]);
  await migrate(first, "x", [
    { name: "001", up: knex => knex.schema.createTable("counters", table => table.integer("value")) },
  ]);
  await first.knex("counters").insert({ value: 0 });
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      [first, second][i % 2]!.transaction(
        async trx => {
          const { value } = await trx("counters").first();
          await trx("counters").update({ value: value + 1 });
        },
        { lock: "counters" },
      ),
    ),
  );
  expect(await second.knex("counters")).toEqual([{ value: 20 }]);
  await Promise.all([first, second].map(database => database.close()));
});

test("integers have 64 bits, text has no limit and sorts by its bytes", async () => {
  const database = await open();
  await migrate(database, "x", [
    {
      name: "001",
      up: knex =>
        knex.schema.createTable("things", table => {
          table.increments("id");
          table.integer("number");
          table.string("text").unique();
          table.uuid("uuid");
        }),
    },
  ]);
  const things = database.knex("things");
  const words = ["a", "B", "b", "A-1", "Äpfel", "a b", "ab", "\u{1f600}", "\uffff", "x".repeat(1_000)];
  await things.clone().insert(words.map(text => ({ text, number: Number.MAX_SAFE_INTEGER, uuid: "ABC" })));
  const sorted = [...words].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(await things.clone().orderBy("text").pluck("text")).toEqual(sorted);
  expect(await things.clone().where("number", ">=", Number.MAX_SAFE_INTEGER).where({ uuid: "abc" })).toEqual([]);
  expect(await things.clone().where("id", "<", Number.MAX_SAFE_INTEGER).count({ n: "*" })).toEqual([
    { n: words.length },
  ]);
  expect(await things.clone().sum({ n: "id" }).first()).toEqual({ n: 55 });
  await database.close();
});

test("the wait for a connection of the pool is measured", async () => {
  const broker = newBroker();
  const database = await databaseOf(broker.createService({ name: "waiting" }));
  await Promise.all(Array.from({ length: 10 }, () => database.transaction(trx => trx.raw("select 1"))));
  const labels = { service: "waiting" };
  // The scrape itself may wait for connections, too.
  expect(await metricOf(broker, databaseMetrics.waitSeconds, labels)).toBeGreaterThanOrEqual(10);
  expect(await metricOf(broker, databaseMetrics.waiting, labels)).toBe(0);
  expect(await metricOf(broker, databaseMetrics.up, labels)).toBe(1);
  expect(await metricOf(broker, databaseMetrics.size, labels)).toBeGreaterThan(0);
  await broker.stop();
});

test("a statement of bookkeeping is a span only if it fails or is slow", async () => {
  const collector = await Collector.start();
  const tracing = (await startTracing(readEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })))!;
  const database = await open();
  const { knex } = database;
  for (const table of ["notes", "books", "slow_books"])
    await knex.schema.createTable(table, notes => notes.text("id").primary());
  let now = performance.now();
  const clock = jest.spyOn(performance, "now").mockImplementation(() => now);
  knex.on("query", ({ sql }: { sql: string }) => (now += sql.includes("slow_books") ? 60 : 0));
  const upsert = (table: string, isBookkeeping: boolean): Promise<void> =>
    database.transaction(trx =>
      database.upsert(trx, { table, columns: ["id"], keys: ["id"], rows: [["1"]], isBookkeeping }),
    );
  try {
    await tracing.within({ name: "batch" }, async () => {
      await upsert("notes", false);
      await upsert("books", true);
      await upsert("slow_books", true);
      await knex("books").queryContext(BOOKKEEPING);
      await expect(knex("lost_books").queryContext(BOOKKEEPING)).rejects.toThrow();
    });
  } finally {
    clock.mockRestore();
    await tracing.stop();
    await database.close();
    await collector.stop();
  }
  const [batch] = collector.spans.filter(({ name }) => name === "batch");
  const statements = collector.spans.filter(({ parent }) => parent === batch!.id);
  expect(
    statements.map(({ name, hasFailed }) => [name, hasFailed]).filter(([name]) => /notes|books/.test(`${name}`)),
  ).toEqual([
    ["INSERT notes", false],
    ["INSERT slow_books", false],
    ["SELECT lost_books", true],
  ]);
});
