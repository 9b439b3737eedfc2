// The doctor on the databases of a whole shop, of either kind: healthy, and with each trouble made on purpose.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { until } from "../../../mixins/testing/index.ts";
import { isOnPostgres, newDatabases, Postgres, query, type Databases } from "../../../mixins/testing/servers.ts";
import { orderOf, Shop } from "../support/shop.ts";
import { serviceNames } from "../../../mixins/operations/services.ts";
import { change, examined } from "../../../mixins/operations/doctor/examined.fixture.ts";

const VALENCE = join(import.meta.dirname, "../../../mixins/cli/valence.mjs");
const ORDERS = 3;

let server: Postgres | undefined;
let databases: Databases;
let shop: Shop;

/** Runs the command as people type it. */
function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [VALENCE, "doctor", ...args], {
    env: { PATH: process.env["PATH"], NODE_OPTIONS: "--disable-warning=ExperimentalWarning", ...databases.env },
    encoding: "utf8",
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

beforeAll(async () => {
  // The test run's own server does not wait for the disk, and the doctor would report that.
  server = isOnPostgres() ? await Postgres.start() : undefined;
  databases = await newDatabases(server?.url());
});
afterAll(async () => {
  await shop?.stop();
  await databases?.remove();
  await server?.stop();
});

test("where no shop has been, nothing is wrong, and nothing is made", async () => {
  const word = await examined(databases.env, { deep: true });
  expect(word.troubles).toEqual([]);
  expect(word.of("database")).toHaveLength(serviceNames("services").length);
  expect(readdirSync(databases.folder)).toEqual([]);
  if (isOnPostgres()) {
    const schemas = await query(
      databases.env["DATABASE_URL"]!,
      "select nspname from pg_namespace where nspname !~ '^pg_|^information'",
    );
    expect(schemas).toEqual([{ nspname: "public" }]);
  }
});

describe("a shop", () => {
  beforeAll(async () => {
    shop = await Shop.start(databases.env);
    const token = await shop.customer("ada");
    const products = await shop.request("GET", "/api/v1/products?pageSize=1");
    const body = orderOf([{ productId: products.body.rows[0].id, quantity: 1 }]);
    for (let i = 0; i < ORDERS; i++)
      await shop.request("POST", "/api/v1/orders", {
        body,
        token,
        headers: { "Idempotency-Key": `order-number-${i}` },
      });
    await until("the orders are shipped", async () => {
      const { body } = await shop.request("GET", "/api/v1/orders", { token });
      return body.rows.filter(({ status }: { status: string }) => status === "shipped").length === ORDERS;
    });
  });

  test("that runs and is well has no FAIL, and the doctor exits with 0", () => {
    const { status, stdout, stderr } = run("--deep");
    expect(stderr).toBe("");
    expect(stdout.split("\n").filter(line => line.startsWith("FAIL"))).toEqual([]);
    expect(stdout).toMatch(/\n\d+ checks: \d+ ok, \d+ warn, 0 FAIL\n$/);
    for (const service of serviceNames("services")) expect(stdout).toContain(` ${service} `);
    expect(stdout).toMatch(/ok +order-views +lag +order-list@\d+ on orders: /);
    expect(stdout).toMatch(/ok +inventory +gaps +0 in 120 streams/);
    expect(stdout).toMatch(/ok +orders +shapes +\d+ events as today's contract has them/);
    expect(status).toBe(0);
  });

  test("one service alone, with the answer in JSON", () => {
    const { status, stdout } = run("order-views", "--json");
    const { counts, findings } = JSON.parse(stdout);
    expect(counts.ok + counts.warn).toBe(findings.length);
    const subjects = new Set(findings.map((finding: { subject: string }) => finding.subject));
    expect([...subjects].filter(subject => serviceNames("services").includes(subject as string))).toEqual([
      "order-views",
    ]);
    expect(status).toBe(0);
  });

  // Arguments are read before a database is: on Postgres they count as skipped.
  (isOnPostgres() ? test.skip : test)("wrong arguments are refused with a word, and help is given", () => {
    for (const [args, word] of [
      [["nope"], 'there is no service "nope"'],
      [["orders", "payments"], "name one service"],
      [["--frob"], "Unknown option '--frob'"],
    ] as const) {
      const { status, stdout, stderr } = run(...args);
      expect([args, status, stdout, stderr]).toEqual([args, 1, "", expect.stringContaining(word)]);
    }
    expect(run("--help").stdout).toContain("npx valence doctor");
  });
});

describe("a shop that has been stopped", () => {
  beforeAll(async () => {
    await shop.child.end("SIGTERM");
  });
  const env = (): Record<string, string> => databases.env;
  const set = (service: string, sql: string) => change(env(), service, sql);

  test("is well, and the doctor changes no byte of it", async () => {
    const bytes = () =>
      readdirSync(databases.folder)
        .filter(file => file.endsWith(".sqlite"))
        .map(file =>
          createHash("sha256")
            .update(readFileSync(join(databases.folder, file)))
            .digest("hex"),
        );
    const before = bytes();
    expect((await examined(env(), { deep: true })).troubles).toEqual([]);
    expect(bytes()).toEqual(before);
  });

  test("P4 a consumer that is behind, and since when", async () => {
    const [{ cursor }] = await set("carts", "select cursor from checkpoints where consumer = 'empty-cart'");
    const [{ events }] = await set("orders", "select count(*) as events from events");
    await set("carts", "update checkpoints set cursor = '' where consumer = 'empty-cart'");
    await set("orders", "update events set recorded_at = recorded_at - 60000");
    const lag = async () =>
      (await examined(env(), { only: "carts" })).of("lag").find(line => line.includes("empty-cart"));
    expect(await lag()).toMatch(
      new RegExp(
        `^warn .* empty-cart on orders: ${events} events, the oldest waits for \\d+ (?:s|min) → no process runs it`,
      ),
    );
    await set("orders", "update events set recorded_at = recorded_at - 3600000");
    expect(await lag()).toMatch(/^FAIL .*the oldest waits for 6\d min/);
    await set("carts", `update checkpoints set cursor = '${cursor}' where consumer = 'empty-cart'`);
    await set("orders", "update events set recorded_at = recorded_at + 3660000");
    expect(await lag()).toMatch(/^ok .* 0 events$/);
  });

  test("P4 a consumer that has read more than its owner's log has", async () => {
    const [{ cursor }] = await set("carts", "select cursor from checkpoints where consumer = 'empty-cart'");
    const beyond = String(cursor).replace(/\d+$/, position => `${Number(position) + 1_000}`);
    await set("carts", `update checkpoints set cursor = '${beyond}' where consumer = 'empty-cart'`);
    const word = await examined(env());
    expect(word.troubles).toEqual([
      expect.stringMatching(
        /^FAIL +carts +lag +empty-cart on orders: its place is not in the log, .* past the log's end/,
      ),
    ]);
    await set("carts", `update checkpoints set cursor = '${cursor}' where consumer = 'empty-cart'`);
  });

  test("P4 a consumer whose owner's log is an older copy that has grown since, and one that has stopped for it", async () => {
    const [{ data, position }] = await set(
      "orders",
      "select data, position from events order by position desc limit 1",
    );
    const write = (text: string) =>
      set("orders", `update events set data = '${text.replaceAll("'", "''")}' where position = ${position}`);
    await write('{"of":"another order"}');
    const { troubles } = await examined(env(), { only: "carts" });
    await write(data);
    expect(troubles).toEqual([
      expect.stringMatching(
        /^FAIL +carts +lag +empty-cart on orders: .*: order\.\S+@\d+ is another one there → .*npm run consumer/,
      ),
    ]);
    const stopped = JSON.stringify({ reason: "it was so", head: "", actor: "order", at: "2030-01-01T00:00:00Z" });
    await set("carts", `update checkpoints set stopped = '${stopped}' where consumer = 'empty-cart'`);
    const word = await examined(env(), { only: "carts" });
    await set("carts", "update checkpoints set stopped = null");
    expect(word.troubles).toEqual([expect.stringMatching(/^FAIL +carts +lag +empty-cart on orders: .*: it was so/)]);
  });

  test("P4 a parked stream, with its dead letters", async () => {
    const error = JSON.stringify({ type: "TEAPOT", message: "short and stout" });
    await set(
      "shipping",
      `insert into parked_streams (consumer, actor_stream, source, partition, state, attempts, next_at, error)
       values ('tell-order', 'shipment.1', 'shipping', '0', 'retrying', 3, 0, '${error}')`,
    );
    await set(
      "shipping",
      "insert into dead_letters (consumer, actor_stream, version, event, at) values ('tell-order', 'shipment.1', 1, '{}', '')",
    );
    const parked = async () => (await examined(env(), { only: "shipping" })).of("parked");
    expect(await parked()).toEqual([
      expect.stringMatching(/^warn .*tell-order on shipping: 0 streams parked, 1 being retried, 1 dead letter/),
    ]);
    await set("shipping", "update parked_streams set state = 'parked'");
    const [line] = await parked();
    expect(line).toMatch(
      /^FAIL .*tell-order on shipping: 1 stream parked, 0 .*, the first shipment\.1 with TEAPOT → .*dead-letters/,
    );
    expect(line).not.toContain("stout");
    await set("shipping", "delete from dead_letters");
    await set("shipping", "delete from parked_streams");
  });

  test("a quarantined stream", async () => {
    await set("inventory", "update streams set quarantined_at = 1, quarantine_reason = 'x' where id = 7");
    const [{ name }] = await set("inventory", "select name from streams where id = 7");
    const { troubles } = await examined(env());
    expect(troubles).toEqual([expect.stringContaining(`1 stream, the first ${name} → GET /ops/quarantine`)]);
    expect(troubles[0]).toMatch(/^FAIL +inventory +quarantine/);
    await set("inventory", "update streams set quarantined_at = null, quarantine_reason = null");
  });

  test("P5 a stuck saga, and one that no process drives", async () => {
    const rows = await set("checkout", "select id, stream from sagas order by id");
    const [first, second] = rows.length > 1 ? rows : await addSagas();
    await set(
      "checkout",
      `update sagas set state = 'stuck', updated_at = updated_at - 7200000 where id = '${first.id}'`,
    );
    await set(
      "checkout",
      `update sagas set state = 'running', updated_at = updated_at - 7200000 where id = '${second.id}'`,
    );
    expect((await examined(env())).troubles).toEqual([
      expect.stringMatching(
        /^FAIL +checkout +sagas +1 saga stuck, the first for \d+ (min|h) → .*retry or \/compensate/,
      ),
      expect.stringMatching(/^warn +checkout +sagas +1 saga open and still for more than 20 min/),
    ]);
    await set("checkout", `delete from sagas where id in ('${first.id}', '${second.id}')`);
  });

  test("an audit whose records are not signed, or whose checkpoints have no second place", async () => {
    const day = 86_400_000;
    const [{ last }] = await set("audit", "select max(number) as last from audit_checkpoints");
    await set("audit", `update audit_checkpoints set at_ms = at_ms - ${day}`);
    const [head] = await set(
      "audit",
      "select partition, seq from audit_heads where seq > 1 order by partition limit 1",
    );
    // A record that the newest checkpoint does not know, from yesterday.
    const [{ at }] = await set("audit", `select at from audit_records where partition = ${head.partition} and seq = 1`);
    const yesterday = new Date(Date.parse(at) - day).toISOString();
    const [{ text }] = await set("audit", `select text from audit_checkpoints where number = ${last}`);
    const older = JSON.stringify({ ...JSON.parse(text), heads: [] });
    await set("audit", `update audit_checkpoints set text = '${older}' where number = ${last}`);
    await set("audit", `update audit_records set at = '${yesterday}' where partition = ${head.partition} and seq = 1`);
    expect((await examined(env())).of("audit", "audit")).toEqual([
      expect.stringMatching(/^FAIL +audit +audit +\d+ records without a checkpoint for 24 h → .*audit verify/),
    ]);
    await set("audit", `update audit_checkpoints set text = '${text}' where number = ${last}`);
    await set("audit", `update audit_records set at = '${at}' where partition = ${head.partition} and seq = 1`);
    const anchored = { ...env(), AUDIT_ANCHOR: "/mnt/elsewhere/audit.ndjson" };
    expect((await examined(anchored)).of("audit", "audit").at(-1)).toMatch(
      /^FAIL +audit +audit +\d+ checkpoints? not in AUDIT_ANCHOR, the first for 24 h → mend/,
    );
    await set("audit", `update audit_checkpoints set at_ms = at_ms + ${day}`);
    expect((await examined(env())).of("audit", "audit")).toEqual([expect.stringMatching(/^ok .* checkpoint \d+ /)]);
  });

  test("mails that the server does not take, that nobody sends, and that were given up; not those that are held", async () => {
    const now = Date.now();
    const hour = 3_600_000;
    const mail = (id: string, createdAt: number, nextAt: number | null, attempts: number, failedAt: number | null) =>
      set(
        "notifications",
        `insert into mails (id, kind, event, order_id, created_at, next_at, attempts, failed_at) values ('${id}', 'order.placed', 'order.1@1', '1', ${createdAt}, ${nextAt}, ${attempts}, ${failedAt})`,
      );
    await mail("held", now - 24 * hour, now + hour, 20, null);
    expect((await examined(env())).of("mails", "notifications")).toEqual([expect.stringMatching(/^ok .* \d+ wait/)]);
    await mail("refused", now - 2 * hour, now + 60_000, 30, null);
    await mail("due", now - hour, now - hour, 0, null);
    await mail("given-up", now - hour, null, 1, now - hour);
    expect((await examined(env())).of("mails", "notifications")).toEqual([
      expect.stringMatching(/^FAIL .* 1 mail that the server does not take, the first for 2 h → .*SMTP_URL/),
      expect.stringMatching(/^FAIL .* 1 mail due and not tried, the first for 60 min → does a process/),
      expect.stringMatching(/^warn .* 1 mail given up within 24 h → /),
    ]);
    await set("notifications", "delete from mails where id in ('held', 'refused', 'due', 'given-up')");
  });

  async function addSagas() {
    const streams = await set("checkout", "select id from streams order by id limit 2");
    for (const { id } of streams)
      await set(
        "checkout",
        `insert into sagas (id, stream, state, started_at, updated_at) values ('s${id}', ${id}, 'running', ${Date.now()}, ${Date.now()})`,
      );
    return set("checkout", "select id, stream from sagas order by id");
  }

  test("events that today's contract does not read, only when it is told to look", async () => {
    const [placed] = await set("orders", "select position, data from events where type = 'order.placed' limit 1");
    const [paid] = await set("orders", "select position from events where type = 'order.paid' limit 1");
    const { customer: _, ...data } = JSON.parse(placed.data);
    const write = (text: string) =>
      set("orders", `update events set data = '${text.replaceAll("'", "''")}' where position = ${placed.position}`);
    await write(JSON.stringify(data));
    await set("orders", `update events set schema_version = 2 where position = ${paid.position}`);
    expect((await examined(env())).troubles).toEqual([]);
    const { troubles } = await examined(env(), { deep: true });
    await write("{");
    const [torn] = (await examined(env(), { deep: true })).of("shapes", "orders");
    await write(placed.data);
    await set("orders", `update events set schema_version = 1 where position = ${paid.position}`);
    expect(troubles).toEqual([
      expect.stringMatching(/^FAIL +orders +shapes +2 events of \d+ that today's contract does not accept/),
    ]);
    expect(troubles[0]).toMatch(/order\.placed v1: customer is required \(1, the first order\.\S+@1\)/);
    expect(troubles[0]).toContain("order.paid: stored in version 2, this code knows 1");
    expect(torn).toContain("order.placed v1: cannot be read");
  });

  test("a gap in a stream, only when it is told to look", async () => {
    const [stream] = await set("orders", "select id, name, version from streams where version > 2 order by id limit 1");
    await set("orders", `delete from events where stream = ${stream.id} and version = 2`);
    expect((await examined(env())).troubles).toEqual([]);
    const looked = await examined(env(), { deep: true });
    expect(looked.troubles).toEqual([
      expect.stringContaining(
        `1 stream of ${ORDERS}: ${stream.name} has ${stream.version - 1} of ${stream.version} events, the newest ${stream.version} →`,
      ),
    ]);
    expect(looked.troubles[0]).toMatch(/^FAIL +orders +gaps/);
    await set("orders", `delete from events where stream = ${stream.id} and version = ${stream.version}`);
    expect((await examined(env(), { deep: true })).of("gaps", "orders")[0]).toContain(
      `the newest ${stream.version - 1} →`,
    );
    const { status, stdout } = run("orders", "--deep");
    expect(stdout).toMatch(/, 1 FAIL\n$/);
    expect(status).toBe(1);
  });

  test("a database that cannot be reached is a line without the password, and the others are examined", async () => {
    const broken = { ...env(), PAYMENTS_DATABASE_URL: "postgres://shop:geheim@127.0.0.1:9/shop" };
    const word = await examined(broken);
    const [line] = word.of("database", "payments");
    expect(line).toMatch(/^FAIL +payments +database +127\.0\.0\.1:9\/shop: connect ECONNREFUSED/);
    expect(word.of("lag", "order-views")).toHaveLength(3);
    expect(JSON.stringify(word.findings)).not.toContain("geheim");
  });
});
