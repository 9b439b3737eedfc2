// Changes of a service's rows, told to a network: after the commit, and at least once.
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { Service, ServiceBroker, ServiceSchema } from "moleculer";
import { Sql } from "../database/mixin.ts";
import type { Database } from "../database/index.ts";
import { dependencyReports } from "../kernel/index.ts";
import { until } from "../testing/index.ts";
import { metricOf, newBrokers, type TestBrokers } from "../testing/broker.ts";
import { limits } from "./limits.ts";
import { cdnMetrics } from "./metrics.ts";
import { Purges, type Purging } from "./mixin.ts";
import { startNetwork, type NetworkServer } from "./network.fixture.ts";
import { PurgeLog } from "./purge-log.ts";

type Books = Service & Purging & { database: Database };
const Books: ServiceSchema = {
  name: "books",
  mixins: [Sql({ migrations: [] }), Purges()],
};

let network: NetworkServer;
let brokers: TestBrokers;
let broker: ServiceBroker;
let books: Books;
let log: PurgeLog;
beforeAll(async () => {
  network = await startNetwork();
  brokers = await newBrokers({ CDN_PURGE_URL: network.url, CDN_PURGE_TOKEN: "test-token" });
  broker = await brokers.start(Books);
  books = broker.getLocalService("books") as Books;
  log = new PurgeLog(books.database);
});
beforeEach(async () => {
  await books.database.knex("cdn_purges").delete();
  network.asked.length = 0;
  network.answer = { status: 200, body: "" };
});
afterAll(async () => {
  await brokers.stop();
  await network.stop();
});
const change = async (...tags: string[]) => {
  await books.database.transaction(trx => books.purges.note(trx, tags));
  books.purges.wake();
};
/** The keys of each purge that has this one. The second purge of a test before may still come. */
const purgesOf = (key: string) =>
  network.asked.map(({ headers }) => String(headers["xkey"]).split(" ")).filter(keys => keys.includes(key));
const sent = (key: string, times = 1) => until("a purge", () => purgesOf(key).length >= times);
const rows = () => books.database.knex("cdn_purges").orderBy("id");
const ofBooks = { service: "books" };

test("changes within a moment are one purge, which has each key once", async () => {
  const before = await metricOf(broker, cdnMetrics.duration, ofBooks);
  await books.database.transaction(async trx => {
    await books.purges.note(trx, ["books", "book:7"]);
    await books.purges.note(trx, ["books", "book:8, the second"]);
  });
  books.purges.wake();
  await sent("books");
  expect(purgesOf("books")[0]!.toSorted()).toEqual(["book:7", "book:8%2C%20the%20second", "books"]);
  const counted = () => metricOf(broker, cdnMetrics.duration, ofBooks);
  await until("it is counted", async () => (await counted()) === (before ?? 0) + 1);
});

test("a change that is rolled back is told to nobody, and holds up none", async () => {
  const failing = books.database.transaction(async trx => {
    await books.purges.note(trx, ["book:1"]);
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  await change("book:2");
  await sent("book:2");
  expect(purgesOf("book:1")).toEqual([]);
});

test("a change is told once more after a while, since an old answer may have been on its way to the network", async () => {
  await change("book:3");
  await sent("book:3");
  await until("it is noted", async () => (await rows())[0]?.rounds === 1);
  const [row] = await rows();
  const dueAt = Number(row.due_at);
  expect(dueAt - Number(row.changed_at)).toBeGreaterThanOrEqual(limits.againMs);
  expect(await log.claim(dueAt - 1)).toBeUndefined();
  const due = (await log.claim(dueAt))!;
  // Both the test and the service may take it.
  expect(due).toMatchObject({ keys: ["book:3"], changedAt: undefined });
  await log.sent(due, dueAt);
  expect(await rows()).toEqual([]);
});

test("a node that dies with a purge in its hands leaves it to the others", async () => {
  const now = await books.database.now();
  await books.database.transaction(trx => books.purges.note(trx, ["book:4"]));
  const dueAt = now + 60_000;
  const first = (await log.claim(dueAt))!;
  expect(first.keys).toEqual(["book:4"]);
  expect(await log.claim(dueAt)).toBeUndefined();
  expect((await log.claim(dueAt + limits.leaseMs))?.keys).toEqual(["book:4"]);
});

test("a purge that fails is tried again until it is done, and is seen meanwhile", async () => {
  const failedBefore = (await metricOf(broker, cdnMetrics.purges, { outcome: "failed" })) ?? 0;
  network.answer = { status: 503, body: "starting" };
  await change("book:5");
  await sent("book:5", 2);
  expect(await metricOf(broker, cdnMetrics.purges, { outcome: "failed" })).toBeGreaterThan(failedBefore);
  expect(await metricOf(broker, cdnMetrics.age, ofBooks)).toBeGreaterThan(0);
  // As old as one that a retry does not mend.
  await books.database.knex("cdn_purges").update({ changed_at: (await books.database.now()) - limits.lateMs });
  const report = async () => (await dependencyReports(broker, 1_000)).find(({ kind }) => kind === "cdn");
  expect(await report()).toMatchObject({ status: "warn", message: expect.stringMatching(/for 1\d s: .*503 starting/) });
  network.answer = { status: 200, body: "" };
  await until("it is done", async () => (await log.age()) === 0);
  expect(await report()).toMatchObject({ status: "ok" });
});

test("without a network nothing is written, nor any table made", async () => {
  const alone = await newBrokers();
  const quiet = (await alone.start(Books)).getLocalService("books") as Books;
  await quiet.database.transaction(trx => quiet.purges.note(trx, ["book:1"]));
  quiet.purges.wake();
  expect(await quiet.database.knex.schema.hasTable("cdn_purges")).toBe(false);
  await alone.stop();
});
