// Stock of a hundred thousand SKUs, on a real database: a page of their names costs what the first one costs.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { locationOf } from "@valence/runtime/database";
import { openDatabase } from "@valence/runtime/database/mixin";
import type { EventStore } from "@valence/runtime/event-store";
import { readEnvironment } from "@valence/runtime/kernel";
import { newBrokers, type TestBrokers } from "@valence/runtime/testing/broker";
import catalog from "../catalog/catalog.service.ts";
import inventory from "./inventory.service.ts";

const ROWS = 100_000;
const PAGE = 20;
let brokers: TestBrokers;
let store: EventStore;

beforeAll(async () => {
  brokers = await newBrokers();
  const broker = await brokers.start(catalog, inventory);
  store = (broker.getLocalService("inventory") as unknown as { actors: { store: EventStore } }).actors.store;
  // Names alone, in one statement: their events are not asked for.
  const database = await openDatabase(locationOf(readEnvironment(brokers.variables), "inventory"));
  const isPostgres = (database.knex.client as { dialect: string }).dialect === "postgresql";
  await database.knex.raw(
    isPostgres
      ? `insert into streams (name, bucket, version)
         select 'stock.' || lpad(n::text, 6, '0'), (select min(bucket) from buckets where state = 'owned'), 1
         from generate_series(1, ${ROWS}) n`
      : `insert into streams (name, version)
         with recursive c(n) as (select 1 union all select n + 1 from c where n < ${ROWS})
         select 'stock.' || printf('%06d', n), 1 from c`,
  );
  if (isPostgres) await database.knex.raw("analyze streams");
  await database.close();
}, 120_000);
afterAll(() => brokers.stop());

/** The least of several measurements, in milliseconds: other processes only ever add to one. */
async function leastMs(read: () => Promise<unknown>): Promise<number> {
  let least = Infinity;
  for (let n = 0; n < 15; n++) {
    const startedAt = performance.now();
    await read();
    least = Math.min(least, performance.now() - startedAt);
  }
  return least;
}

test("a page from the middle, and the last one, cost what the first one costs", async () => {
  const read = async (after?: string) => (await store.streamsByName(after, PAGE)).map(({ stream }) => stream);
  expect(await read("stock.099999")).toEqual(["stock.100000"]);
  expect(await read("stock.049999")).toEqual(expect.arrayContaining(["stock.050000", "stock.050019"]));
  expect(await store.streamCount()).toBe(ROWS);
  const first = await leastMs(() => read());
  const [middle, last] = [await leastMs(() => read("stock.050000")), await leastMs(() => read("stock.099970"))];
  expect({ first, middle, last, isFlat: Math.max(middle, last) < 4 * first + 2 }).toMatchObject({ isFlat: true });
});
