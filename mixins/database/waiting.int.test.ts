// All connections of a pool are taken: calls that nobody waits for any more leave the queue, and leave nothing behind.
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { ServiceBroker, type Context, type Service } from "moleculer";
import { brokerOptions } from "../broker/index.ts";
import { abandon, readEnvironment } from "../kernel/index.ts";
import { newDatabases, type Databases } from "../testing/servers.ts";
import { until } from "../testing/until.ts";
import { Sql } from "./mixin.ts";
import type { Database } from "./index.ts";

/** The default on Postgres, and the number on SQLite. */
const CONNECTIONS = 4;

let databases: Databases;
let broker: ServiceBroker;
let database: Database;
/** The outcome of each action's query, by the row that it writes: the call itself ends by its time-out as well. */
const outcomes = new Map<string, "written" | Error>();

beforeAll(async () => {
  databases = await newDatabases();
  broker = new ServiceBroker({ ...brokerOptions(readEnvironment(databases.env)), logger: false });
  const service = broker.createService({
    name: "narrow",
    mixins: [
      Sql({
        migrations: [
          { name: "001", up: knex => knex.schema.createTable("rows", table => table.string("id").primary()) },
        ],
      }),
    ],
    actions: {
      async write(this: Service & { database: Database }, { params: { id, alone } }: Context<Written>) {
        const insert = alone
          ? this.database.knex("rows").insert({ id })
          : this.database.transaction(trx => trx("rows").insert({ id }));
        await insert.then(
          () => outcomes.set(id, "written"),
          error => outcomes.set(id, error),
        );
      },
      begin(this: Service & { database: Database }, { params: { after } }: Context<{ after: Promise<void> }>) {
        void after.then(() => this.database.transaction(trx => trx("rows").insert({ id: "afterwards" })));
      },
    },
  });
  await broker.start();
  ({ database } = service as Service & { database: Database });
});
afterAll(async () => {
  await broker.stop();
  await databases.remove();
});
beforeEach(async () => {
  outcomes.clear();
  await database.knex("rows").delete();
});

interface Written {
  readonly id: string;
  /** Without a transaction. */
  readonly alone?: boolean;
}
const write = (written: Written, options: object = {}): Promise<unknown> =>
  broker.call("narrow.write", written, options).catch(() => {});
const rows = (): Promise<string[]> => database.knex("rows").orderBy("id").pluck("id");
const waiting = (): number => pool().numPendingAcquires();
const pool = () =>
  database.knex.client.pool as { numUsed(): number; numPendingAcquires(): number; numPendingCreates(): number };

/** Takes all connections, until the answer is called. */
async function takeAll(): Promise<() => Promise<void>> {
  const { promise: freed, resolve: free } = Promise.withResolvers<void>();
  // On SQLite the first has the write lock, and the others wait for it with a connection each.
  const held = Array.from({ length: CONNECTIONS }, () => database.transaction(() => freed));
  await until("all connections are taken", () => pool().numUsed() === CONNECTIONS && waiting() === 0);
  return async () => {
    free();
    await Promise.all(held);
  };
}
const late = { type: "DEADLINE_PASSED", code: 503, data: { outcome: "none" } };

test("a call whose time is over leaves the queue while it is still full; those with time left are served", async () => {
  const free = await takeAll();
  const patient = write({ id: "patient" });
  await Promise.all([
    write({ id: "late" }, { timeout: 30 }),
    write({ id: "late alone", alone: true }, { timeout: 30 }),
  ]);
  await until("they have left", () => outcomes.size === 2 && waiting() === 1);
  expect([outcomes.get("late"), outcomes.get("late alone")]).toMatchObject([late, late]);
  expect((outcomes.get("late alone") as Error).message).not.toMatch(/insert/);
  await free();
  await patient;
  expect(await rows()).toEqual(["patient"]);
});

test("a call whose client has left while it waited does not begin its work, nor does it take a connection from others", async () => {
  const client = {};
  const free = await takeAll();
  const parentCtx = { options: { parentCtx: client } };
  const left = [write({ id: "left" }, { parentCtx }), write({ id: "left alone", alone: true }, { parentCtx })];
  const patient = write({ id: "patient" });
  await until("all wait", () => waiting() === 3);
  abandon(client);
  await free();
  await Promise.all([...left, patient]);
  expect([outcomes.get("left"), outcomes.get("left alone")]).toMatchObject([late, late]);
  expect(await rows()).toEqual(["patient"]);
});

test("calls that give up at any moment leak no connection, and what was not answered is not written", async () => {
  const ids = Array.from({ length: 400 }, (_, i) => `row ${i}`);
  const calls = ids.map((id, i) => write({ id, alone: i % 3 === 0 }, { timeout: 1 + (i % 40) }));
  await Promise.all(calls);
  await until("every query has ended", () => outcomes.size === ids.length);
  const written = ids.filter(id => outcomes.get(id) === "written");
  const failed = ids.filter(id => outcomes.get(id) !== "written");
  expect(failed.length).toBeGreaterThan(0);
  for (const id of failed) expect(outcomes.get(id)).toMatchObject(late);
  expect(await rows()).toEqual(written.sort());
  await until("all are given back", () => pool().numUsed() + pool().numPendingAcquires() === 0);
  // A connection that was lost to the pool would be missing now.
  const free = await takeAll();
  await free();
});

test("what a call has started and not awaited outlives its deadline", async () => {
  const { promise: freed, resolve: freeNow } = Promise.withResolvers<void>();
  await broker.call("narrow.begin", { after: freed }, { timeout: 20 });
  await new Promise(resolve => setTimeout(resolve, 25));
  const free = await takeAll();
  freeNow();
  await until("it waits", () => waiting() === 1);
  await free();
  await until("it is written", async () => (await rows()).includes("afterwards"));
});
