// The declared lists of indexes are exactly those that a first start of the shop makes.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newDatabases, type Databases } from "../../../mixins/testing/servers.ts";
import { Shop } from "../support/shop.ts";
import { serviceFile, serviceNames } from "../../../mixins/operations/services.ts";
import { change, examined } from "../../../mixins/operations/doctor/examined.fixture.ts";
import { Connection } from "../../../mixins/operations/doctor/dialects/postgres/connection.ts";
import { expectedOf, indexRows } from "../../../mixins/operations/doctor/dialects/postgres/indexes.ts";
import { Schema } from "../../../mixins/operations/doctor/dialects/postgres/schema.ts";

let databases: Databases;
let connection: Connection;
beforeAll(async () => {
  databases = await newDatabases();
  const shop = await Shop.start(databases.env);
  await shop.stop();
  connection = await Connection.open(databases.env["DATABASE_URL"]!);
});
afterAll(async () => {
  await connection?.close();
  await databases.remove();
});

const openSchema = (service: string): Promise<Schema> => Schema.open(connection, service.replaceAll("-", "_"));

test.each(serviceNames("services"))("%s: the list is what a start makes", async service => {
  const schema = await openSchema(service);
  const made: Record<string, string[]> = {};
  // Knex keeps its own tables of migrations.
  for (const { table, definition } of await indexRows(schema))
    if (!table.startsWith("migrations_")) (made[table] ??= []).push(definition);
  const sorted = (lists: Readonly<Record<string, readonly string[]>>) =>
    Object.fromEntries(Object.entries(lists).map(([table, definitions]) => [table, definitions.toSorted()]));
  expect(sorted(made)).toEqual(sorted(await expectedOf(serviceFile("services", service, "indexes.json"), schema)));
});

const set = (service: string, sql: string) => change(databases.env, service, sql);
const indexes = async (service: string) =>
  (await examined(databases.env, { only: service })).of("indexes").filter(line => !line.startsWith("ok"));

test("an index that was dropped, with the statement that makes it", async () => {
  await set("orders", "drop index orders.events_log");
  const make = 'create index concurrently on "orders".events (xid, "position")';
  expect(await indexes("orders")).toEqual([
    `warn  orders          indexes      events (xid, "position") is missing → ${make}`,
  ]);
  await set("orders", make);
  expect(await indexes("orders")).toEqual([]);
});

test("a missing index that guards a promise is a failure", async () => {
  await set("orders", "alter table orders.events drop constraint events_pkey");
  expect(await indexes("orders")).toEqual([
    expect.stringMatching(/^FAIL .*events unique \(stream, version\) is missing → create unique index concurrently/),
  ]);
  await set("orders", "alter table orders.events add primary key (stream, version)");
  expect(await indexes("orders")).toEqual([]);
});

test("an index that was left half-made", async () => {
  // As an interrupted `create index concurrently` leaves it.
  const valid = (it: boolean) =>
    set("catalog", `update pg_index set indisvalid = ${it} where indexrelid = 'catalog.products_sku_unique'::regclass`);
  await valid(false);
  expect(await indexes("catalog")).toEqual([
    expect.stringMatching(
      /^FAIL .*products unique \(sku\) is not valid → drop index concurrently "catalog"\.products_sku_unique; create/,
    ),
  ]);
  await valid(true);
});

test("a table that was dropped", async () => {
  await set("carts", "drop table carts.leases");
  expect(await indexes("carts")).toEqual([expect.stringMatching(/^FAIL .*table leases is missing → a start/)]);
});

test("a build of a projection has the indexes of its version", async () => {
  const [{ version }] = await set(
    "order-views",
    "select max(version) as version from projection_builds where name = 'sales'",
  );
  const [live, next] = [`sales_v${version}_open`, `sales_v${version}_b2_open`];
  await set("order-views", `create table order_views.${next} (like order_views.${live})`);
  await set(
    "order-views",
    `insert into order_views.projection_builds (name, version, build, tables) values ('sales', ${version}, 2, '["${next}"]')`,
  );
  expect(await indexes("order-views")).toEqual([expect.stringContaining(`${next} unique (id) is missing`)]);
});
