// A list of a hundred thousand products, on a real database: a page by cursor costs what the first one costs, however deep it is.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startBroker, type TestBroker } from "@valence/runtime/testing/broker";
import type { Knex } from "knex";

import catalog from "./catalog.service.ts";

const ROWS = 100_000;
const PAGE = 20;
let shop: TestBroker;
const service = (): any => shop.broker.getLocalService("catalog");

/** Rows with the number `n` from 1 to ROWS, in one statement. */
const numbers = (knex: Knex): string =>
  isPostgres(knex)
    ? `(select n from generate_series(1, ${ROWS}) n) numbers`
    : `(with recursive c(n) as (select 1 union all select n + 1 from c where n < ${ROWS}) select n from c) numbers`;
const isPostgres = (knex: Knex): boolean => (knex.client as { dialect: string }).dialect === "postgresql";
/** `007`, from an expression. */
const padded = (knex: Knex, n: string): string =>
  isPostgres(knex) ? `lpad((${n})::text, 6, '0')` : `printf('%06d', ${n})`;

beforeAll(async () => {
  shop = await startBroker([catalog]);
  const { knex } = service().database as { knex: Knex };
  const place = padded(knex, "(n * 7919) % 100000");
  const id = `'0190a0a0-0000-7000-8000-000000' || ${padded(knex, "n")}`;
  await knex.raw(
    `insert into products (id, sku, name, name_folded, description, price_amount, price_currency, category, created_at, updated_at)
     select ${isPostgres(knex) ? `(${id})::uuid` : id}, 'SKU-' || ${padded(knex, "n")}, 'Thing ' || ${place}, 'thing ' || ${place}, '',
       n % 1000, 'EUR', 'things', '2026-01-01T00:00:00.' || ${padded(knex, "n")} || 'Z', '2026-01-01T00:00:00.000Z'
     from ${numbers(knex)}`,
  );
  // Their words are not asked for: their marks would be worked off by the first read.
  await knex("products_changed").del();
  if (isPostgres(knex)) await knex.raw("analyze products");
}, 120_000);
afterAll(() => shop.stop());

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

const page = (asked: object): Promise<any> => service().adapter.page({ limit: PAGE, query: {}, ...asked });

test.each(["name", "-name", "price.amount", "-price.amount", "createdAt", "-createdAt"])(
  "sorted by %s: the last page costs what the first one costs",
  async sort => {
    // From the other end: the last row but thirty of this order is one of the first of the reversed one.
    const reversed = sort.startsWith("-") ? sort.slice(1) : `-${sort}`;
    const near = await page({ sort: reversed, limit: 31 });
    const cursor = await cursorOfRow(near.rows.at(-1), sort);
    const deep = await page({ sort, cursor });
    expect(deep.rows).toHaveLength(PAGE);
    const first = await leastMs(() => page({ sort }));
    const last = await leastMs(() => page({ sort, cursor }));
    expect({ sort, first, last, isFlat: last < 4 * first + 2 }).toMatchObject({ isFlat: true });
  },
);

/** The cursor that a page gives which ends with this row: asked of the list itself, one row before. */
async function cursorOfRow(row: { id: string }, sort: string): Promise<string> {
  const { adapter } = service();
  const { knex } = service().database as { knex: Knex };
  const stored = await knex("products").where({ id: row.id }).first();
  const keys = adapter.sortKeys({ sort }) as { name: string; column: string; descending: boolean }[];
  const order = keys.map(({ name, descending }) => (descending ? `-${name}` : name)).join();
  const values = keys.map(({ column }) => (column === "price_amount" ? Number(stored[column]) : stored[column]));
  return Buffer.from(JSON.stringify([order, ...values])).toString("base64url");
}
