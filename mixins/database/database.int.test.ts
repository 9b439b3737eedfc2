import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Knex } from "knex";
import { ServiceBroker, type Service } from "moleculer";
import { brokerOptions } from "../../broker/index.ts";
import { readEnvironment } from "../kernel/index.ts";
import { databaseOf, migrate, openDatabase, Sql, type Database, type Migration } from "./mixin.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "database-"));
});
afterEach(() => rm(folder, { recursive: true }));

const newBroker = (): ServiceBroker =>
  new ServiceBroker({ ...brokerOptions(readEnvironment({ DATA_DIR: folder })), logger: false });
const inFile = (name: string) => ({ kind: "sqlite" as const, filename: join(folder, name) });

const notes: Migration = {
  name: "001_notes",
  up: knex => knex.schema.createTable("notes", table => table.increments("id")),
};

test("migrations run once, in order, those added later too", async () => {
  const database = await openDatabase(inFile("x.sqlite"));
  const ran: string[] = [];
  const recording = (name: string): Migration => ({ name, up: async () => ran.push(name) });
  await migrate(database, "x", [recording("001_a")]);
  await migrate(database, "x", [recording("001_a"), recording("002_b")]);
  expect(ran).toEqual(["001_a", "002_b"]);
  await database.close();
});

test("owners that share a database keep separate records", async () => {
  const database = await openDatabase(inFile("x.sqlite"));
  const table = (name: string): Migration => ({
    name: "001_start",
    up: knex => knex.schema.createTable(name, t => t.increments("id")),
  });
  await migrate(database, "order-views", [table("one")]);
  await migrate(database, "stream", [table("two")]);
  expect(await Promise.all(["one", "two"].map(name => database.knex.schema.hasTable(name)))).toEqual([true, true]);
  await database.close();
});

test("a migration that fails leaves nothing behind and can run again", async () => {
  const database = await openDatabase(inFile("x.sqlite"));
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

test("databases that start at once on one file migrate it once", async () => {
  const migrations: Migration[] = Array.from({ length: 5 }, (_, i) => ({
    name: `00${i}_table`,
    up: knex => knex.schema.createTable(`t${i}`, table => table.increments("id")),
  }));
  const databases = await Promise.all(Array.from({ length: 4 }, () => openDatabase(inFile("x.sqlite"))));
  await Promise.all(databases.map(database => migrate(database, "x", migrations)));
  expect(await databases[0]!.knex("migrations_x").select("name")).toHaveLength(5);
  await Promise.all(databases.map(database => database.close()));
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

test("a database is rebuildable only as long as all who share it say so", async () => {
  const broker = newBroker();
  const service = broker.createService({ name: "views" });
  const synchronous = async (database: Database) => (await database.knex.raw("pragma synchronous"))[0].synchronous;
  const database = await databaseOf(service, { rebuildable: true });
  expect(await synchronous(database)).toBe(1);
  expect(await databaseOf(service, { rebuildable: true })).toBe(database);
  expect(await synchronous(database)).toBe(1);
  expect(await databaseOf(service)).toBe(database);
  expect(await synchronous(database)).toBe(2);
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
