// The commands that people type, as processes.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { migrate, openDatabase } from "../database/mixin.ts";
import { migrations } from "../stream/migrations.ts";
import { until } from "../testing/index.ts";
import { Child } from "../testing/servers.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "scripts-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const VALENCE = join(import.meta.dirname, "valence.mjs");
const environment = (extra: Record<string, string>) => ({
  PATH: process.env["PATH"],
  DATA_DIR: folder,
  PORT: "0",
  ...extra,
});
function run(command: string, extra: Record<string, string> = {}, args: readonly string[] = []) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [VALENCE, command, ...args], {
    env: environment(extra),
    encoding: "utf8",
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

test.each([
  ["PORT", "seventy"],
  ["LOGLEVEL", "loud"],
  ["SEED", "maybe"],
  ["ORDERS_DATABASE_URL", "mysql://x"],
  ["ORDERS_DATABASE_URL", "sqlite:"],
  ["ODRERS_DATABASE_URL", "sqlite:x"],
  ["ORDERS_DATABASE_URL", "sqlite:/"],
  ["DATA_DIR", "/etc/passwd"],
  ["DATA_DIR", "/proc/x/y"],
  ["ADMIN_EMAIL", "admin@localhost"],
  ["FAILPOINTS", "garbage"],
  ["FAILPOINTS", "relay:published=kill"],
  ["PORTT", "0"],
  ["PAYMENT_PROVIDER_URL", "ftp://x"],
  ["SERVICES", "orders,odrers"],
  ["SERVICEDIR", "nowhere"],
])("a wrong %s stops the start with one line that names it", (variable, value) => {
  const { status, stdout, stderr } = run("start", { [variable]: value });
  expect(status).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toMatch(new RegExp(`^${variable}="[^\\n]*\\n$`));
  expect(existsSync(join(folder, "orders.sqlite"))).toBe(false);
});

test.each(["--version", "-v", "version"])("start %s says the version and ends", flag => {
  expect(run("start", {}, [flag])).toEqual({
    status: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    stderr: "",
  });
});

test.each(["PORT", "HEALTH_PORT"])("a taken %s stops the start with one line that names it", async variable => {
  const other = createServer().listen(0);
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const { status, stdout, stderr } = run("start", { [variable]: `${port}` });
  other.close();
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(new RegExp(`^${variable}="[^\\n]*EADDRINUSE[^\\n]*\\n$`));
});

test.each(["reset", "migrate", "doctor", "reshard", "docs"])(
  "%s --help says what it does, and does nothing",
  async name => {
    const file = join(folder, "orders.sqlite");
    new DatabaseSync(file).exec("create table store_schema (version integer)");
    const before = await readFile(file);
    expect(run(name, {}, ["--help"])).toEqual({
      status: 0,
      stdout: expect.stringContaining("npx valence "),
      stderr: "",
    });
    expect(run(name, {}, ["--nonsense"])).toMatchObject({ status: 1, stdout: "" });
    expect(await readdir(folder)).toEqual(["orders.sqlite"]);
    expect(await readFile(file)).toEqual(before);
  },
);

/** A shop of the services named; resolves when it has written `ready`. */
async function startShop(ready: string, extra: Record<string, string>) {
  const shop = spawn(process.execPath, [VALENCE, "start"], {
    env: environment(extra),
    stdio: ["ignore", "pipe", 2],
  });
  let written = "";
  shop.stdout!.on("data", chunk => (written += String(chunk)));
  const ended = new Promise<number | null>(resolve => shop.once("exit", resolve));
  for (const end = Date.now() + 20_000; !written.includes(ready); await sleep(20))
    if (Date.now() > end || shop.exitCode !== null) throw new Error(`no "${ready}" in: ${written}`);
  return { written, stop: () => (shop.kill("SIGTERM"), ended) };
}

test.each(["an empty folder", "a file"])("SERVICEDIR that is %s stops the start", async what => {
  const root = join(folder, "services");
  await (what === "a file" ? writeFile(root, "") : mkdir(join(root, "orders"), { recursive: true }));
  const { status, stdout, stderr } = run("start", { SERVICEDIR: root });
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^SERVICEDIR="[^\n]*\n$/);
});

test("a folder whose service has another name stops a start that asks for it by SERVICES", async () => {
  const root = join(folder, "services");
  await mkdir(join(root, "greeter"), { recursive: true });
  await writeFile(join(root, "greeter", "greeter.service.ts"), 'export default { name: "greeting" };');
  const { status, stderr } = run("start", { SERVICEDIR: root, SERVICES: "greeter" });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^SERVICES="greeter": [^\n]*\n$/);
});

test("a start checks the variables that a service declares, and gives them to it", async () => {
  const root = join(folder, "services");
  const kernel = JSON.stringify(new URL("../kernel/index.ts", import.meta.url).href);
  await mkdir(join(root, "greeter"), { recursive: true });
  await writeFile(
    join(root, "greeter", "environment.ts"),
    `import { defineEnvironment, oneOf } from ${kernel};
     const GREETING = oneOf(["hello", "hola"], { default: "hello", says: "how guests are greeted" });
     export const greeterEnvironment = defineEnvironment("Greeter", { GREETING });`,
  );
  await writeFile(
    join(root, "greeter", "greeter.service.ts"),
    `import { greeterEnvironment } from "./environment.ts";
     export default { name: "greeter", started() { this.logger.info(greeterEnvironment.of(this.broker).GREETING, "guests"); } };`,
  );
  for (const [variable, value] of [
    ["GREETING", "moin"],
    ["GREETINGG", "hola"],
  ] as const)
    expect(run("start", { SERVICEDIR: root, [variable]: value })).toEqual({
      status: 1,
      stdout: "",
      stderr: expect.stringMatching(new RegExp(`^${variable}="${value}": expected [^\\n]*\\n$`)),
    });
  const { stop } = await startShop("hola guests", { SERVICEDIR: root, GREETING: "hola" });
  expect(await stop()).toBe(0);
});

test("an argument that is no flag stops the start", () => {
  expect(run("start", {}, ["services/orders"])).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^services\/orders: [^\n]*SERVICES\n$/),
  });
});

test.each(["20.1.0", "24.0.0", "24.9.1", "24.18.0"])("on Node %s one line says what helps, in production too", node => {
  const old = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${node}' } })`;
  const args = ["--import", `data:text/javascript,${encodeURIComponent(old)}`, VALENCE, "start"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { env: environment({}), encoding: "utf8" });
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^Node [\d.]+ is too old, 24\.18\.1 [^\n]*NODE_ENV=production: npm ci --include=dev[^\n]*\n$/);
});

test("the Node that `npm ci` brings is one that a start takes", async () => {
  const { devDependencies } = JSON.parse(await readFile(join(import.meta.dirname, "../../package.json"), "utf8"));
  const [, least = ""] = /NODE_MIN = "([\d.]+)"/.exec(await readFile(VALENCE, "utf8")) ?? [];
  expect(least).toMatch(/^\d+\.\d+\.\d+$/);
  expect(devDependencies.node.localeCompare(least, "en", { numeric: true })).toBeGreaterThanOrEqual(0);
});

test("a command whose reader goes away goes on to its end", async () => {
  const migrate = spawn(process.execPath, [VALENCE, "migrate"], {
    env: environment({}),
    stdio: ["ignore", "pipe", "ignore"],
  });
  migrate.stdout.destroy();
  expect((await once(migrate, "exit"))[0]).toBe(0);
});

test("variables of other tools stop no start", async () => {
  const { stop } = await startShop("started successfully", {
    SERVICES: "ops",
    TEST_DATABASE_URL: "mysql://root@localhost/test",
    SHADOW_DATABASE_URL: "postgres://localhost",
    HTTP_PROXY: "http://127.0.0.1:9",
  });
  expect(await stop()).toBe(0);
});

const SECRET = "s3cr/3t@w0rd";
test.each([
  ["DATABASE_URL", `postgres://shop:${SECRET}@127.0.0.1:9/shop`],
  ["DATABASE_URL", `postgres://shop:${encodeURIComponent(SECRET)}@127.0.0.1:9/shop`],
  ["DATABASE_URL", `postgres://127.0.0.1:9/shop?user=shop&password=${encodeURIComponent(SECRET)}`],
  ["DATABASE_URL", `host=127.0.0.1 password=${SECRET} dbname=shop`],
  ["DATABASE_URL", `postgers://shop:${SECRET}@127.0.0.1:9/shop`],
  ["CATALOG_DATABASE_URL", `postgres://a:${SECRET}@127.0.0.1:9/a,postgres://a:${SECRET}@127.0.0.1:9/b`],
  ["CATALOG_DATABASE_URL", `postgres://a:${encodeURIComponent(SECRET)}@127.0.0.1:9/a`],
  ["REDIS_URL", `redis://:${SECRET}@127.0.0.1:9`],
  ["NATS_URL", `nats://shop:${SECRET}@127.0.0.1:9`],
  ["PAYMENT_PROVIDER_URL", `https://shop:${SECRET}@127.0.0.1:9`],
  ["SERVICES", `postgres://shop:${SECRET}@127.0.0.1:9/shop`],
])("a start that fails by %s=%s shows no part of the password", (variable, value) => {
  const { status, stdout, stderr } = run("start", { SERVICES: "catalog", [variable]: value });
  expect([status, `${stdout}${stderr}`]).toEqual([1, expect.not.stringMatching(/s3cr|cr.*3t|w0rd/)]);
  const last = stderr.trim().split("\n").at(-1);
  expect(last).toMatch(new RegExp(`^${variable}="|^the database of catalog cannot be reached`));
});

test("a server that is away shows no part of the password", async () => {
  const url = `redis://shop:${encodeURIComponent(SECRET)}@127.0.0.1:9`;
  const shop = new Child([VALENCE, "start"], { DATA_DIR: folder, SERVICES: "ops", REDIS_URL: url });
  await until("it says that it goes on without", () => shop.output.includes("Redis cannot be reached"));
  await shop.end("SIGTERM");
  expect(shop.output).not.toMatch(/s3cr|w0rd/);
});

test("SERVICES starts these services only", async () => {
  const { written, stop } = await startShop("started successfully", { SERVICES: "inventory,catalog" });
  expect(await stop()).toBe(0);
  const started = [...written.matchAll(/Service '(\w[\w-]*)' started/g)].map(([, name]) => name);
  expect(new Set(started)).toEqual(new Set(["catalog", "inventory"]));
});

test("DATABASE_URL moves every file, the payment provider's book too", async () => {
  const { stop } = await startShop("started successfully", {
    SERVICES: "payments",
    DATABASE_URL: `sqlite:${join(folder, "elsewhere")}`,
  });
  expect(await stop()).toBe(0);
  const files = [...(await readdir(folder)), ...(await readdir(join(folder, "elsewhere")))];
  expect(files.sort()).toEqual(["elsewhere", "payment-provider.sqlite", "payments.sqlite"]);
});

test("reset removes our files and no other, and nothing while a shop runs on them", async () => {
  const { stop } = await startShop("The shop is open", {});
  await writeFile(join(folder, "notes.txt"), "mine");
  const refused = run("reset");
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("a node is running on");
  expect(existsSync(join(folder, "orders.sqlite"))).toBe(true);
  expect(await stop()).toBe(0);

  new DatabaseSync(join(folder, "mine.sqlite")).exec("create table notes (text)");
  expect(run("reset").status).toBe(0);
  expect((await readdir(folder)).sort()).toEqual(["mine.sqlite", "notes.txt"]);
});

test("reset removes nothing when a file that is configured is not ours, and leaves that as it is", async () => {
  const mine = join(folder, "orders.sqlite");
  const database = new DatabaseSync(mine);
  database.exec("pragma journal_mode = wal; create table notes (text); insert into notes values ('mine')");
  database.close();
  await writeFile(join(folder, "photo.jpg"), "no database");
  const before = await readFile(mine);
  for (const extra of [{}, { ORDERS_DATABASE_URL: `sqlite:${join(folder, "photo.jpg")}` }] as Record<
    string,
    string
  >[]) {
    const { status, stderr } = run("reset", extra);
    expect([status, stderr]).toEqual([1, expect.stringContaining("not a database of these services")]);
  }
  expect(await readFile(mine)).toEqual(before);
  expect(existsSync(join(folder, "photo.jpg"))).toBe(true);
});

test("a database that was copied without its log stops the start in one line, until it is accepted", async () => {
  const filename = join(folder, "carts.sqlite");
  const database = await openDatabase({ kind: "sqlite", filename });
  await database.knex.schema.createTable("lost", table => void table.text("text"));
  await copyFile(filename, `${filename}.copy`);
  await database.close();
  await copyFile(`${filename}.copy`, filename);
  const { status, stdout, stderr } = run("start", { SERVICES: "carts" });
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(
    /^[^\n]*carts\.sqlite is a copy that was made without its write-ahead log[^\n]*npm run accept-copy\n$/,
  );
  expect(run("accept-copy").stderr).toContain("name one service");
  expect(run("accept-copy", {}, ["cart"]).stderr).toContain('there is no service "cart"');
  expect(run("accept-copy", {}, ["--help"]).stdout).toContain("npx valence accept-copy <service>");
  expect(run("accept-copy", {}, ["carts"]).stdout).toMatch(/carts\.sqlite is accepted/);
  expect(run("accept-copy", {}, ["carts"]).stdout).toContain("nothing is changed");
  await (await openDatabase({ kind: "sqlite", filename })).close();
});

test("a consumer that stands still is listed, and moved by its name, after a dry run", async () => {
  const filename = join(folder, "carts.sqlite");
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
  const consumer = (...args: string[]) => run("consumer", {}, args);
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
  expect(run("freeze", {}, ["--help"]).stdout).toContain("npx valence freeze <service>");
  expect(run("freeze", {}, ["catalog"])).toEqual({
    status: 0,
    stdout: "every shape is frozen already\n",
    stderr: "",
  });
  expect(run("freeze", {}, ["orders", "odrers"])).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(/^there is no service "odrers", but accounts, /),
  });
});
