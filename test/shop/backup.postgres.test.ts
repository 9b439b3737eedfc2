// Two services on two databases of Postgres, whose tables depend on each other, and a third one on SQLite.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { newDatabase, postgresUrl, query } from "../../mixins/testing/servers.ts";
import { Commands } from "../../mixins/cli/commands.fixture.ts";

let commands: Commands;
let backups: string;
const databases: Awaited<ReturnType<typeof newDatabase>>[] = [];
const database = async (): Promise<string> => {
  databases.push(await newDatabase(postgresUrl()));
  return databases.at(-1)!.url;
};
let env: Awaited<ReturnType<typeof place>>;

beforeAll(async () => {
  commands = await Commands.open();
  backups = mkdtempSync(join(tmpdir(), "backup-"));
  env = await place();
  const made = commands.run("migrate", { ...env, SERVICES: "orders,payments,carts" });
  expect(made.stderr).toBe("");
  for (const [schema, url] of [
    ["orders", env.ORDERS_DATABASE_URL],
    ["payments", env.PAYMENTS_DATABASE_URL],
  ] as const)
    await query(
      url,
      `create table ${schema}.counters (value integer); insert into ${schema}.counters values (0);
      alter table ${schema}.counters owner to ${schema}`,
    );
});
afterAll(async () => {
  rmSync(backups, { recursive: true, force: true });
  for (const one of databases) await one.drop();
  await commands.close();
});

const place = async () => ({
  ORDERS_DATABASE_URL: await database(),
  PAYMENTS_DATABASE_URL: await database(),
});
const valuesIn = async (env: Awaited<ReturnType<typeof place>>): Promise<readonly [number, number]> => {
  const [orders] = await query(env.ORDERS_DATABASE_URL, "select value from orders.counters");
  const [payments] = await query(env.PAYMENTS_DATABASE_URL, "select value from payments.counters");
  return [orders.value, payments.value];
};

/** Writes to one after the other, each time because of what it has written before, until `isOver`. */
async function write(isOver: () => boolean): Promise<void> {
  const orders = new pg.Client(env.ORDERS_DATABASE_URL);
  const payments = new pg.Client(env.PAYMENTS_DATABASE_URL);
  await orders.connect();
  await payments.connect();
  while (!isOver()) {
    await orders.query("update orders.counters set value = value + 1");
    await payments.query("update payments.counters set value = value + 1");
  }
  await orders.end();
  await payments.end();
}

test("databases of both kinds, under load, are of one moment; they go to other databases, and over others only when told", async () => {
  let isOver = false;
  const writing = write(() => isOver);
  const folder = join(backups, "first");
  const made = await commands.runMeanwhile("backup", env, [folder]);
  isOver = true;
  await writing;
  expect(made).toMatchObject({ status: 0, stdout: expect.stringMatching(/3 databases as of/) });
  const { parts } = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
  const orders = parts.find(({ name }: any) => name === "orders");
  expect(orders).toMatchObject({ kind: "postgres", shard: 0, positions: { log: { head: "0" } } });

  const elsewhere = { ...(await place()), DATA_DIR: join(backups, "data") };
  const restored = commands.run("restore", elsewhere, [folder]);
  expect(restored).toMatchObject({ status: 0, stderr: "" });
  const [first, second] = await valuesIn(elsewhere);
  expect(first).toBeGreaterThan(0);
  expect([0, 1]).toContain(first - second);
  expect(existsSync(join(elsewhere.DATA_DIR, "carts.sqlite"))).toBe(true);
  const [{ identity, owner }] = await query(
    elsewhere.ORDERS_DATABASE_URL,
    `select identity, (select tableowner from pg_tables where schemaname = 'orders' and tablename = 'events') as owner
     from orders.log_identity`,
  );
  expect({ identity, owner }).toEqual({ identity: orders.positions.log.identity, owner: "orders" });
  expect(commands.run("migrate", { ...elsewhere, SERVICES: "orders" })).toMatchObject({ status: 0 });

  const taken = commands.run("restore", elsewhere, [folder, "orders"]);
  expect(taken).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/schema orders: there is a database already/),
  });
  await query(elsewhere.ORDERS_DATABASE_URL, "update orders.counters set value = -1");
  const replaced = commands.run("restore", elsewhere, [folder, "orders", "--replace"]);
  const [, kept] = /what was there is schema (\w+)/.exec(replaced.stdout)!;
  expect((await valuesIn(elsewhere))[0]).toBe(first);
  expect(await query(elsewhere.ORDERS_DATABASE_URL, `select value from ${kept}.counters`)).toEqual([{ value: -1 }]);

  // Left alone: a database on which a node runs, one whose restore fails, and one of another kind.
  const node = new pg.Client({ connectionString: elsewhere.ORDERS_DATABASE_URL, application_name: "valence orders" });
  await node.connect();
  const running = commands.run("restore", elsewhere, [folder, "orders", "--replace"]);
  await node.end();
  expect(running).toMatchObject({ status: 1, stderr: expect.stringMatching(/a node is running on .*schema orders/) });
  const failing = commands.run("restore", { ...elsewhere, PATH: folder }, [folder, "orders", "--replace"]);
  expect(failing).toMatchObject({ status: 1, stderr: expect.stringMatching(/pg_restore is not on the PATH/) });
  const other = commands.run("restore", { DATA_DIR: elsewhere.DATA_DIR }, [folder, "orders"]);
  expect(other).toMatchObject({ status: 1, stderr: expect.stringMatching(/is of Postgres, but .* SQLite/) });
  expect((await valuesIn(elsewhere))[0]).toBe(first);
});
