// Records that were damaged while no process ran: a record that cannot be read stops its own stream, with an error that
// says so, and no other.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "@valence/runtime/testing";
import { Child } from "@valence/runtime/testing/servers";
import { orderOf, Shop, type Answer } from "../support/shop.ts";

const ADMIN = { email: "root@example.org", password: "correct horse battery" };
let folder: string;
let shop: Shop;
let customer: string;
let admin: string;
let product: { id: string; sku: string };
/** The data of `order.placed` of the unfoldable order before the damage. */
let placed: string;
/** Orders by the damage done to their records. */
let orders: Record<
  "brokenSnapshot" | "oddSnapshot" | "snapshotAhead" | "unknownType" | "unfoldable" | "brokenEvent" | "untouched",
  string
>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "corruption-"));
  shop = await Shop.start({ DATA_DIR: folder, ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password });
  customer = await shop.customer("ann");
  [product] = (await shop.request("GET", "/api/v1/products?pageSize=1")).body.rows;
  const [brokenSnapshot, oddSnapshot, snapshotAhead, unknownType, unfoldable, brokenEvent, untouched] =
    await Promise.all(Array.from({ length: 7 }, shipped));
  orders = {
    brokenSnapshot,
    oddSnapshot,
    snapshotAhead,
    unknownType,
    unfoldable,
    brokenEvent,
    untouched,
  } as typeof orders;
  expect(await shop.child.end("SIGTERM")).toBe(0);
  damage(new DatabaseSync(join(folder, "orders.sqlite")));
  await shop.start();
  admin = await shop.login(ADMIN.email, ADMIN.password);
}, 60_000);
afterAll(async () => {
  await shop?.stop();
  await rm(folder, { recursive: true });
});

function damage(database: DatabaseSync): void {
  const streamOf = (order: string): number =>
    (database.prepare("select id from streams where name = ?").get(`order.${order}`) as { id: number }).id;
  const append = (order: string, type: string, data: string): void => {
    const stream = streamOf(order);
    database.prepare("update streams set version = 6 where id = ?").run(stream);
    database
      .prepare(
        "insert into events (stream, version, type, schema_version, data, metadata, recorded_at) values (?, 6, ?, 1, ?, '{}', ?)",
      )
      .run(stream, type, data, Date.now());
  };
  const snapshot = (order: string, state: string, version = 3): void =>
    void database.prepare("insert into snapshots values (?, ?, 1, ?)").run(streamOf(order), version, state);
  snapshot(orders.brokenSnapshot, '{"status":"pa');
  snapshot(orders.oddSnapshot, "[42]");
  snapshot(orders.snapshotAhead, '{"lines":[],"status":"placed"}', 99);
  append(orders.unknownType, "order.teleported", "{}");
  append(orders.brokenEvent, "order.cancelled", '{"reason":');
  const unfoldable = streamOf(orders.unfoldable);
  const first = database.prepare("select data from events where stream = ? and version = 1").get(unfoldable);
  placed = (first as { data: string }).data;
  database.prepare("update events set data = 'null' where stream = ? and version = 1").run(unfoldable);
  database.close();
}

async function shipped(): Promise<string> {
  const body = orderOf([{ productId: product.id, quantity: 1 }]);
  const placed = await shop.request("POST", "/api/v1/orders", { token: customer, body });
  expect(placed.status).toBe(201);
  await until("the order has shipped", async () => (await show(placed.body.id)).body.status === "shipped");
  return placed.body.id;
}
const show = (id: string, rest = ""): Promise<Answer> =>
  shop.request("GET", `/api/v1/orders/${id}${rest}`, { token: customer });
const ops = (path: string, method = "GET"): Promise<Answer> =>
  shop.request(method, `/api/v1/ops/${path}`, { token: admin });

test("a snapshot that cannot be read is as good as none", async () => {
  for (const id of [orders.brokenSnapshot, orders.oddSnapshot, orders.snapshotAhead]) {
    const { status, body } = await show(id);
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { version: 5, status: "shipped", trackingId: expect.any(String) },
    });
  }
});

test("an order whose events cannot be read is unavailable, and its error says why, to every caller", async () => {
  const types = [
    [orders.unknownType, "unreadable-here"],
    [orders.unfoldable, "stream-quarantined"],
    [orders.brokenEvent, "stream-quarantined"],
  ] as const;
  for (const [id, type] of types) {
    for (const answer of [
      await show(id),
      await show(id),
      await show(id, "/history"),
      await shop.request("POST", `/api/v1/orders/${id}/cancel`, { token: customer, body: {} }),
      await ops(`actors/order/${id}`),
    ])
      expect({ status: answer.status, body: answer.body }).toMatchObject({
        status: 503,
        body: { type: `/problems/${type}` },
      });
  }
});

test("an operator sees which and why, and releases one once it is mended", async () => {
  expect(shop.child.output).toMatch(/cannot be read and is put into quarantine/);
  const { quarantined } = (await ops("quarantine")).body as { quarantined: { id: string; reason: string }[] };
  const reasons = new Map(quarantined.map(({ id, reason }) => [id, reason]));
  // An unknown event is no damage: a newer release may have written it.
  expect(shop.child.output).toMatch(
    /cannot be read by this node, another may: .*unknown event type "order.teleported"/,
  );
  expect(reasons.size).toBe(2);
  expect(reasons.get(orders.unfoldable)).toContain("null");
  expect(reasons.get(orders.brokenEvent)).toContain("JSON");

  const release = () => ops(`actors/order/${orders.unfoldable}/release`, "POST");
  expect((await release()).status).toBe(200);
  expect((await show(orders.unfoldable)).status).toBe(503);
  const database = new DatabaseSync(join(folder, "orders.sqlite"), { timeout: 5_000 });
  database.prepare("update events set data = ? where data = 'null'").run(placed);
  database.close();
  expect((await show(orders.unfoldable)).status).toBe(503);
  expect((await release()).status).toBe(200);
  expect(await show(orders.unfoldable)).toMatchObject({ status: 200, body: { status: "shipped", version: 5 } });
});

test("the others go on: old orders are there, new ones ship", async () => {
  expect((await show(orders.untouched)).body.status).toBe("shipped");
  await Promise.all([shipped(), shipped(), shipped()]);
});

test("a consumer that meets an event that it cannot read parks that stream alone, for an operator to see", async () => {
  let deadLetters: { service: string; stream: string }[] = [];
  await until("the stream is parked", async () => {
    ({ deadLetters } = (await ops("dead-letters")).body);
    return deadLetters.some(({ service }) => service === "order-views");
  });
  expect(new Set(deadLetters.map(({ stream }) => stream))).toEqual(new Set([`order.${orders.brokenEvent}`]));
  expect(deadLetters).toContainEqual(
    expect.objectContaining({
      service: "order-views",
      version: 6,
      error: expect.objectContaining({ type: "EVENT_BROKEN" }),
    }),
  );
  const list = await shop.request("GET", "/api/v1/orders?pageSize=100", { token: customer });
  expect(list.body.rows).toHaveLength(10);
});

test.each(["catalog", "checkout", "payment-provider"])(
  "%s.sqlite that is no database stops the start and is named",
  async name => {
    const other = await mkdtemp(join(tmpdir(), "garbage-"));
    const file = join(other, `${name}.sqlite`);
    await writeFile(file, "no database, whatever its name says\n".repeat(300));
    const child = new Child(["mixins/cli/valence.mjs", "start"], { DATA_DIR: other, PORT: "0", LOGLEVEL: "fatal" });
    await until("it has ended", () => !child.running, 20_000);
    expect(child.process.exitCode).toBe(1);
    expect(child.output).toContain(`${file}: `);
    expect(child.output).toContain("file is not a database");
    await rm(other, { recursive: true });
  },
);
