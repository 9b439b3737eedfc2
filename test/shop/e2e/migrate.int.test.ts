// @slow: it takes minutes, and begins first. The first process makes the tables, however many start at once; before a
// roll-out a command makes them.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import pg from "pg";
import { until } from "@valence/runtime/testing";
import { Child, isOnPostgres, Nats, newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { Shop } from "../support/shop.ts";

const ADMIN = { ADMIN_EMAIL: "root@example.com", ADMIN_PASSWORD: "correct horse" };

let databases: Databases;
let children: Child[] = [];
beforeEach(async () => {
  children = [];
  databases = await newDatabases();
});
afterEach(async () => {
  await Promise.all(children.map(child => child.end("SIGKILL")));
  await databases.remove();
});

async function migrate(env: Record<string, string> = {}): Promise<{ status: number | null; output: string }> {
  const child = new Child(["mixins/cli/valence.mjs", "migrate"], { ...databases.env, ...env });
  children.push(child);
  await until("it has ended", () => !child.running);
  return { status: child.process.exitCode, output: child.output };
}

async function onPostgres(sql: string): Promise<any[]> {
  const client = new pg.Client({ connectionString: databases.env["DATABASE_URL"] });
  await client.connect();
  const { rows } = await client.query(sql);
  await client.end();
  return rows;
}
function onSqlite(file: string, sql: string): any[] {
  const database = new DatabaseSync(join(databases.folder, file), { readOnly: true });
  const rows = database.prepare(sql).all();
  database.close();
  return rows;
}
async function count(service: string, table: string): Promise<number> {
  const rows = isOnPostgres()
    ? await onPostgres(`select count(*) as n from ${service}.${table}`)
    : onSqlite(`${service}.sqlite`, `select count(*) as n from ${table}`);
  return Number(rows[0].n);
}

/** All tables and indexes, without those of the provider's ledger. */
async function schema(): Promise<string[]> {
  const rows = isOnPostgres()
    ? await onPostgres(
        `select format('%s.%s', schemaname, tablename) as name from pg_tables where schemaname !~ '^(pg_|information_)'
         union all select indexdef from pg_indexes where schemaname !~ '^pg_'`,
      )
    : readdirSync(databases.folder)
        .filter(file => /(?<!provider)\.sqlite$/.test(file))
        .flatMap(file =>
          onSqlite(file, "select name from sqlite_master").map(({ name }) => ({ name: `${file} ${name}` })),
        );
  return rows.map(({ name }) => name as string).sort();
}

test("after migrate a start finds every table, alone or as one of several nodes, and makes none", async () => {
  // Servers beside the databases do not keep it from its end.
  const { status, output } = await migrate({ REDIS_URL: "redis://127.0.0.1:1", HEALTH_PORT: "0" });
  expect({ status, output }).toEqual({ status: 0, output: expect.stringContaining("orders: up to date") });
  const made = await schema();
  expect(made.filter(name => name.includes("store_schema")).length).toBeGreaterThan(1);
  expect(made.filter(name => name.includes("order_list")).length).toBeGreaterThan(1);
  const shop = await Shop.start({ ...databases.env, SEED: "off" });
  children.push(shop.child);
  expect(await schema()).toEqual(made);
  expect((await migrate()).status).toBe(0);
  expect(await schema()).toEqual(made);
  await shop.stop();

  const nats = await Nats.start();
  try {
    const node = await Shop.start({ ...databases.env, SEED: "off", NATS_URL: nats.url });
    children.push(node.child);
    expect(await schema()).toEqual(made);
    await node.stop();
  } finally {
    await nats.stop();
  }
});

test("where no streams can be made it says so after the tables: a roll-out tries again", async () => {
  const { status, output } = await migrate({ NATS_URL: "nats://127.0.0.1:1" });
  expect([status, output]).toEqual([
    1,
    expect.stringMatching(/NATS_URL: the streams cannot be made .*; the tables are$/m),
  ]);
});

test("two that migrate an empty database at once both succeed", async () => {
  expect(await Promise.all([migrate(), migrate()])).toEqual([
    expect.objectContaining({ status: 0 }),
    expect.objectContaining({ status: 0 }),
  ]);
});

test("two first starts at once on an empty database both open, with one administrator and one catalog", async () => {
  const env = { ...databases.env, ...ADMIN, SERVICES: "accounts,catalog,inventory,order-views,seed", LOGLEVEL: "warn" };
  children.push(
    new Child(["mixins/cli/valence.mjs", "start"], env),
    new Child(["mixins/cli/valence.mjs", "start"], env),
  );
  await until("both are open", () => {
    for (const { running, output } of children) if (!running) throw new Error(output);
    return children.every(({ output }) => output.includes("The shop is open"));
  });
  expect(await count("accounts", "users")).toBe(1);
  expect(await count("catalog", "products")).toBe(120);
});
