// The commands that people type, on the shop's services and their files.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Commands, VALENCE } from "../../mixins/cli/commands.fixture.ts";
import { migrate, openDatabase } from "../../mixins/database/mixin.ts";
import { migrations } from "../../mixins/stream/migrations.ts";
import { until } from "../../mixins/testing/index.ts";
import { Child } from "../../mixins/testing/servers.ts";

let commands: Commands;
beforeEach(async () => void (commands = await Commands.open()));
afterEach(() => commands.close());

// One of each part that reads variables, and those that only the command looks at: configuration.test.ts refuses the
// others as the start does, without a process.
test.each([
  ["PORT", "seventy"],
  ["SEED", "maybe"],
  ["ORDERS_DATABASE_URL", "sqlite:/"],
  ["DATA_DIR", "/etc/passwd"],
  ["DATA_DIR", "/proc/x/y"],
  ["FAILPOINTS", "relay:published=kill"],
  ["PORTT", "0"],
  ["SERVICES", "orders,odrers"],
  ["SERVICEDIR", "nowhere"],
])("a wrong %s stops the start with one line that names it", (variable, value) => {
  const { status, stdout, stderr } = commands.run("start", { [variable]: value });
  expect(status).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toMatch(new RegExp(`^${variable}="[^\\n]*\\n$`));
  expect(existsSync(join(commands.folder, "orders.sqlite"))).toBe(false);
});

test.each(["PORT", "HEALTH_PORT"])("a taken %s stops the start with one line that names it", async variable => {
  const other = createServer().listen(0);
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const { status, stdout, stderr } = commands.run("start", { [variable]: `${port}` });
  other.close();
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(new RegExp(`^${variable}="[^\\n]*EADDRINUSE[^\\n]*\\n$`));
});

test("a command whose reader goes away goes on to its end", async () => {
  const migrate = spawn(process.execPath, [VALENCE, "migrate"], {
    env: commands.environment({}),
    stdio: ["ignore", "pipe", "ignore"],
  });
  migrate.stdout.destroy();
  expect((await once(migrate, "exit"))[0]).toBe(0);
});

test("a database that cannot be reached ends migrate with one line", () => {
  expect(commands.run("migrate", { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" })).toEqual({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(/^the database of accounts cannot be reached, [^\n]+\n$/),
  });
});

test("variables of other tools stop no start", async () => {
  const { stop } = await commands.start("started successfully", {
    SERVICES: "ops",
    TEST_DATABASE_URL: "mysql://root@localhost/test",
    SHADOW_DATABASE_URL: "postgres://localhost",
    HTTP_PROXY: "http://127.0.0.1:9",
  });
  expect(await stop()).toBe(0);
});

const SECRET = "s3cr/3t@w0rd";
// One that the start refuses, and those of which a server, or its driver, says what is wrong. Every variable and every
// mistake is in secrets.test.ts, without a process.
test.each([
  ["DATABASE_URL", `postgres://shop:${SECRET}@127.0.0.1:9/shop`],
  ["DATABASE_URL", `postgres://shop:${encodeURIComponent(SECRET)}@127.0.0.1:9/shop`],
  ["DATABASE_URL", `postgres://127.0.0.1:9/shop?user=shop&password=${encodeURIComponent(SECRET)}`],
  ["NATS_URL", `nats://shop:${SECRET}@127.0.0.1:9`],
])("a start that fails by %s=%s shows no part of the password", (variable, value) => {
  const { status, stdout, stderr } = commands.run("start", { SERVICES: "catalog", [variable]: value });
  expect([status, `${stdout}${stderr}`]).toEqual([1, expect.not.stringMatching(/s3cr|cr.*3t|w0rd/)]);
  const last = stderr.trim().split("\n").at(-1);
  expect(last).toMatch(new RegExp(`^${variable}="|^the database of catalog cannot be reached`));
});

test("a server that is away shows no part of the password", async () => {
  const url = `redis://shop:${encodeURIComponent(SECRET)}@127.0.0.1:9`;
  const shop = new Child([VALENCE, "start"], { DATA_DIR: commands.folder, SERVICES: "ops", REDIS_URL: url });
  await until("it says that it goes on without", () => shop.output.includes("Redis cannot be reached"));
  await shop.end("SIGTERM");
  expect(shop.output).not.toMatch(/s3cr|w0rd/);
});

test("SERVICES starts these services only", async () => {
  const { written, stop } = await commands.start("started successfully", { SERVICES: "inventory,catalog" });
  expect(await stop()).toBe(0);
  const started = [...written.matchAll(/Service '(\w[\w-]*)' started/g)].map(([, name]) => name);
  expect(new Set(started)).toEqual(new Set(["catalog", "inventory"]));
});

test("DATABASE_URL moves every file, the payment provider's book too", async () => {
  const { stop } = await commands.start("started successfully", {
    SERVICES: "payments",
    DATABASE_URL: `sqlite:${join(commands.folder, "elsewhere")}`,
  });
  expect(await stop()).toBe(0);
  const files = [...(await readdir(commands.folder)), ...(await readdir(join(commands.folder, "elsewhere")))];
  expect(files.sort()).toEqual(["elsewhere", "payment-provider.sqlite", "payments.sqlite"]);
});

test("reset removes our files and no other, and nothing while a shop runs on them", async () => {
  const { stop } = await commands.start("The shop is open", {});
  await writeFile(join(commands.folder, "notes.txt"), "mine");
  const refused = commands.run("reset");
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("a node is running on");
  expect(existsSync(join(commands.folder, "orders.sqlite"))).toBe(true);
  expect(await stop()).toBe(0);

  new DatabaseSync(join(commands.folder, "mine.sqlite")).exec("create table notes (text)");
  expect(commands.run("reset").status).toBe(0);
  expect((await readdir(commands.folder)).sort()).toEqual(["mine.sqlite", "notes.txt"]);
});

test("reset removes nothing when a file that is configured is not ours, and leaves that as it is", async () => {
  const mine = join(commands.folder, "orders.sqlite");
  const database = new DatabaseSync(mine);
  database.exec("pragma journal_mode = wal; create table notes (text); insert into notes values ('mine')");
  database.close();
  await writeFile(join(commands.folder, "photo.jpg"), "no database");
  const before = await readFile(mine);
  for (const extra of [{}, { ORDERS_DATABASE_URL: `sqlite:${join(commands.folder, "photo.jpg")}` }] as Record<
    string,
    string
  >[]) {
    const { status, stderr } = commands.run("reset", extra);
    expect([status, stderr]).toEqual([1, expect.stringContaining("not a database of these services")]);
  }
  expect(await readFile(mine)).toEqual(before);
  expect(existsSync(join(commands.folder, "photo.jpg"))).toBe(true);
});

test("a database that was copied without its log stops the start in one line, until it is accepted", async () => {
  const filename = join(commands.folder, "carts.sqlite");
  const database = await openDatabase({ kind: "sqlite", filename });
  await database.knex.schema.createTable("lost", table => void table.text("text"));
  await copyFile(filename, `${filename}.copy`);
  await database.close();
  await copyFile(`${filename}.copy`, filename);
  const { status, stdout, stderr } = commands.run("start", { SERVICES: "carts" });
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(
    /^[^\n]*carts\.sqlite is a copy that was made without its write-ahead log[^\n]*npm run accept-copy\n$/,
  );
  expect(commands.run("accept-copy").stderr).toContain("name one service");
  expect(commands.run("accept-copy", {}, ["cart"]).stderr).toContain('there is no service "cart"');
  expect(commands.run("accept-copy", {}, ["--help"]).stdout).toContain("npx valence accept-copy <service>");
  expect(commands.run("accept-copy", {}, ["carts"]).stdout).toMatch(/carts\.sqlite is accepted/);
  expect(commands.run("accept-copy", {}, ["carts"]).stdout).toContain("nothing is changed");
  await (await openDatabase({ kind: "sqlite", filename })).close();
});

test("a consumer that stands still is listed, and moved by its name, after a dry run", async () => {
  const filename = join(commands.folder, "carts.sqlite");
  const database = await openDatabase({ kind: "sqlite", filename });
  await migrate(database, "stream", migrations);
  const stopped = { reason: "it is another log", head: "7", actor: "order", at: "2030-01-01T00:00:00.000Z" };
  const place = { consumer: "mails", partition: "0", revision: 3, events: 9 };
  await database.knex("checkpoints").insert([
    { ...place, source: "orders", cursor: "9", mark: "{}", stopped: JSON.stringify(stopped) },
    { ...place, source: "payments", cursor: "5", mark: "{}", stopped: null },
  ]);
  const versions = [
    ["order.a", 4],
    ["order.b", 5],
    ["order-list.c", 2],
    ["payment.a", 1],
  ].map(([actor_stream, version]) => ({ consumer: "mails", actor_stream, version }));
  await database.knex("consumer_versions").insert(versions);
  const consumer = (...args: string[]) => commands.run("consumer", {}, args);
  expect(consumer().stdout).toBe("carts  mails on orders, since 2030-01-01T00:00:00.000Z: it is another log\n");
  expect(consumer("--help").stdout).toContain("npx valence consumer reset <name> --to start");
  expect(consumer("reset", "mails").stderr).toContain("--to head or --to start");
  expect(consumer("reset", "nobody", "--to", "head").stderr).toBe('no service has a consumer "nobody"\n');
  expect(consumer("reset", "mails", "--to", "start", "--dry-run").stdout).toMatch(
    /^mails on orders would go to the start of the log, from 9: 2 streams and 0 dead letters/,
  );
  expect(await database.knex("consumer_versions")).toHaveLength(4);
  expect(consumer("reset", "mails", "--to", "head").stdout).toMatch(/^mails on orders goes to the head of the log/);
  const left = await database.knex("consumer_versions").orderBy("actor_stream");
  expect(left.map(({ actor_stream }) => actor_stream)).toEqual(["order-list.c", "payment.a"]);
  expect(await database.knex("checkpoints").orderBy("source")).toMatchObject([
    { cursor: "", mark: null, stopped: null, passes_over: 1, revision: 4 },
    { cursor: "5", mark: "{}", stopped: null, passes_over: null, revision: 3 },
  ]);
  const again = consumer("reset", "mails", "--to", "head");
  expect([again.status, again.stderr]).toEqual([1, expect.stringContaining("has not stopped")]);
  expect(consumer().stdout).toBe("No consumer stands still.\n");
  await database.close();
});

test("freeze says what it does, and names a service that is not there", () => {
  expect(commands.run("freeze", {}, ["--help"]).stdout).toContain("npx valence freeze <service>");
  expect(commands.run("freeze", {}, ["catalog"])).toEqual({
    status: 0,
    stdout: "every shape is frozen already\n",
    stderr: "",
  });
  expect(commands.run("freeze", {}, ["orders", "odrers"])).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(/^there is no service "odrers", but accounts, /),
  });
});
