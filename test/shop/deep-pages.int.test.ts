// Lists of a hundred thousand products, SKUs and people, on real databases: a page by cursor costs what the first one costs,
// however deep it is.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { cursorOf, typedCall } from "@valence/runtime/contract";
import { locationOf } from "@valence/runtime/database";
import { openDatabase } from "@valence/runtime/database/mixin";
import type { EventStore } from "@valence/runtime/event-store";
import { readEnvironment } from "@valence/runtime/kernel";
import { newBrokers, type TestBrokers } from "@valence/runtime/testing/broker";
import type { Knex } from "knex";
import type { ServiceBroker } from "moleculer";
import accounts from "../../services/accounts/accounts.service.ts";
import catalog from "../../services/catalog/catalog.service.ts";
import inventory from "../../services/inventory/inventory.service.ts";

const ROWS = 100_000;
const PAGE = 20;
let brokers: TestBrokers;
let broker: ServiceBroker;
const serviceOf = (name: string): any => broker.getLocalService(name);

/** The SQL of one database. */
class Sql {
  readonly knex: Knex;
  readonly isPostgres: boolean;
  /** Rows with the number `n` from 1 to ROWS. */
  readonly numbers: string;
  constructor(knex: Knex) {
    this.knex = knex;
    this.isPostgres = (knex.client as { dialect: string }).dialect === "postgresql";
    this.numbers = this.isPostgres
      ? `(select n from generate_series(1, ${ROWS}) n) numbers`
      : `(with recursive c(n) as (select 1 union all select n + 1 from c where n < ${ROWS}) select n from c) numbers`;
  }

  /** `000007`, from an expression. */
  padded(n = "n"): string {
    return this.isPostgres ? `lpad((${n})::text, 6, '0')` : `printf('%06d', ${n})`;
  }
  /** Fills a table in one statement. */
  async fill(table: string, columns: Readonly<Record<string, string>>): Promise<void> {
    const [names, values] = [Object.keys(columns).join(), Object.values(columns).join()];
    await this.knex.raw(`insert into ${table} (${names}) select ${values} from ${this.numbers}`);
    if (this.isPostgres) await this.knex.raw(`analyze ${table}`);
  }
}

beforeAll(async () => {
  brokers = await newBrokers({ SEED: "off" });
  broker = await brokers.start(accounts, catalog, inventory);
  const products = new Sql(serviceOf("catalog").database.knex);
  const place = products.padded("(n * 7919) % 100000");
  const id = `'0190a0a0-0000-7000-8000-000000' || ${products.padded()}`;
  await products.fill("products", {
    id: products.isPostgres ? `(${id})::uuid` : id,
    sku: `'SKU-' || ${products.padded()}`,
    name: `'Thing ' || ${place}`,
    name_folded: `'thing ' || ${place}`,
    description: "''",
    price_amount: "n % 1000",
    price_currency: "'EUR'",
    category: "'things'",
    created_at: `'2026-01-01T00:00:00.' || ${products.padded()} || 'Z'`,
    updated_at: "'2026-01-01T00:00:00.000Z'",
  });
  // Their words are not asked for: their marks would be worked off by the first read.
  await products.knex("products_changed").del();

  const people = new Sql(serviceOf("accounts").database.knex);
  await people.fill("users", {
    id: `'0190a0a0-0000-7000-8000-000000' || ${people.padded()}`,
    email: `'p' || ${people.padded()} || '@example.org'`,
    email_key: `'p' || ${people.padded()} || '@example.org'`,
    name: "'P'",
    roles: `'["customer"]'`,
    password_hash: "''",
    created_at: "'2026-01-01T00:00:00.000Z'",
  });

  // Names alone: their events are not asked for.
  const stocked = await openDatabase(locationOf(readEnvironment(brokers.variables), "inventory"));
  const stock = new Sql(stocked.knex);
  await stock.fill("streams", {
    name: `'stock.' || ${stock.padded()}`,
    version: "1",
    ...(stock.isPostgres && { bucket: "(select min(bucket) from buckets where state = 'owned')" }),
  });
  await stocked.close();
}, 120_000);
afterAll(() => brokers?.stop());

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

/** Reads the first page, and pages of these places: none may cost more than the first. */
async function expectFlat<P>(read: (place?: P) => Promise<unknown>, places: readonly P[]): Promise<void> {
  const first = await leastMs(() => read());
  const deep: number[] = [];
  for (const place of places) deep.push(await leastMs(() => read(place)));
  expect({ first, deep, isFlat: Math.max(...deep) < 4 * first + 2 }).toMatchObject({ isFlat: true });
}

test.each(["name", "-name", "price.amount", "-price.amount", "createdAt", "-createdAt"])(
  "products by %s: the last page costs what the first one costs",
  async sort => {
    const { adapter } = serviceOf("catalog");
    const page = (asked: object): Promise<any> => adapter.page({ limit: PAGE, query: {}, ...asked });
    // From the other end: the last row but thirty of this order is one of the first of the reversed one.
    const reversed = sort.startsWith("-") ? sort.slice(1) : `-${sort}`;
    const near = await page({ sort: reversed, limit: 31 });
    const cursor = await cursorAfter(near.rows.at(-1).id, sort);
    expect((await page({ sort, cursor })).rows).toHaveLength(PAGE);
    await expectFlat((cursor?: string) => page({ sort, cursor }), [cursor]);
  },
);

/** The cursor that a page gives which ends with this product. */
async function cursorAfter(id: string, sort: string): Promise<string> {
  const { adapter, database } = serviceOf("catalog");
  const stored = await database.knex("products").where({ id }).first();
  const keys = adapter.sortKeys({ sort }) as { name: string; column: string; descending: boolean }[];
  const order = keys.map(({ name, descending }) => (descending ? `-${name}` : name)).join();
  const values = keys.map(({ column }) => (column === "price_amount" ? Number(stored[column]) : stored[column]));
  return cursorOf(order, values);
}

test("people: a page from the middle, and the last one, cost what the first one costs", async () => {
  const idOf = (n: number): string => `0190a0a0-0000-7000-8000-000000${String(n).padStart(6, "0")}`;
  const read = async (last?: number) =>
    typedCall(broker)("accounts.list", {
      pageSize: PAGE,
      ...(last !== undefined && { cursor: cursorOf("-id", [idOf(last)]) }),
    });
  const { rows, nextCursor } = await read(31);
  expect([rows[0]!.id, rows.length, nextCursor !== undefined]).toEqual([idOf(30), PAGE, true]);
  await expectFlat(read, [50_000, 31]);
});

test("SKUs: a page from the middle, and the last one, cost what the first one costs", async () => {
  const { store } = serviceOf("inventory").actors as { store: EventStore };
  const read = async (after?: string) => (await store.streamsByName(after, PAGE)).map(({ stream }) => stream);
  expect(await read("stock.099999")).toEqual(["stock.100000"]);
  expect(await read("stock.049999")).toEqual(expect.arrayContaining(["stock.050000", "stock.050019"]));
  expect(await store.streamCount()).toBe(ROWS);
  await expectFlat(read, ["stock.050000", "stock.099970"]);
});
