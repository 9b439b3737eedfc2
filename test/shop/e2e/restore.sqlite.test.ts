// Databases that an operator restores: what a shop reports, and how it goes on. On SQLite, where a database is a file;
// the event store's tests cover checkpoints after a dump of Postgres.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { copyFileSync, cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "@valence/runtime/testing";
import { Child, Nats } from "@valence/runtime/testing/servers";
import { orderOf, Shop } from "../support/shop.ts";

const ADMIN = { ADMIN_EMAIL: "root@example.com", ADMIN_PASSWORD: "correct horse" };

let folder: string;
let shop: Shop;
let customer: string;
let admin: string;
let productId: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "restore-"));
  shop = await Shop.start({ DATA_DIR: folder, ...ADMIN });
  await logIn();
  productId = (await shop.request("GET", "/api/v1/products?pageSize=1")).body.rows[0].id;
});
afterEach(async () => {
  await shop.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function logIn(): Promise<void> {
  customer = await shop.customer("ada");
  admin = await shop.login(ADMIN.ADMIN_EMAIL, ADMIN.ADMIN_PASSWORD);
}
async function restart(change: () => void = () => {}): Promise<void> {
  expect(await shop.child.end("SIGTERM")).toBe(0);
  change();
  await shop.start();
}
async function order(key: string = crypto.randomUUID()): Promise<string> {
  const headers = { "Idempotency-Key": key };
  const body = orderOf([{ productId, quantity: 1 }]);
  const answer = await shop.request("POST", "/api/v1/orders", { body, token: customer, headers });
  expect(answer.status).toBe(201);
  return answer.body.id;
}
const orders = async (count: number): Promise<string[]> => {
  const ids = [];
  for (let i = 0; i < count; i++) ids.push(await order());
  return ids;
};
const statusOf = async (id: string): Promise<string> =>
  (await shop.request("GET", `/api/v1/orders/${id}`, { token: customer })).body.status;
const shipped = (ids: readonly string[]) =>
  until("the orders are shipped", async () => {
    for (const id of ids) if ((await statusOf(id)) !== "shipped") return false;
    return true;
  });
const listed = async (): Promise<string[]> =>
  (await shop.request("GET", "/api/v1/orders?pageSize=100", { token: customer })).body.rows.map(({ id }: any) => id);
const ops = (method: string, path: string, body?: unknown) =>
  shop.request(method, `/api/v1/ops/${path}`, { token: admin, ...(body !== undefined && { body }) });
async function run(
  command: string,
  args: string[] = [],
  env = { DATA_DIR: folder },
): Promise<{ status: number | null; output: string }> {
  const child = new Child(["mixins/cli/valence.mjs", command, ...args], env);
  await until(`${command} has ended`, () => !child.running);
  return { status: child.process.exitCode, output: child.output };
}

test("P4 P5 one service put back from a backup, on JetStream, whose log grows past it: reported within a minute, and no new order is lost", async () => {
  const nats = await Nats.start();
  try {
    await restart(() => (shop.env["NATS_URL"] = nats.url));
    await walk();
  } finally {
    await shop.child.end("SIGTERM");
    await nats.stop();
  }
});

/** The way of docs/restore.md: back, told, reset, and on. */
async function walk(): Promise<void> {
  const backup = join(folder, "backup");
  await shipped(await orders(2));
  expect(await run("backup", [backup])).toMatchObject({ status: 0 });
  const key = crypto.randomUUID();
  const lost = [await order(key), ...(await orders(2))];
  await shipped(lost);
  expect(await shop.child.end("SIGTERM")).toBe(0);
  const report = join(folder, "report.json");
  const restored = await run("restore", [backup, "orders", "--replace", "--report", report]);
  expect(restored).toMatchObject({ status: 0, output: expect.stringMatching(/checkout on orders: its place is not/) });
  expect(restored.output).toMatch(/These consumers will stand still[^]*stay as they were/);
  const known = JSON.parse(readFileSync(report, "utf8")).lost;
  const bySaga = known.filter(({ consumer }: any) => consumer === "checkout").map(({ stream }: any) => stream);
  expect(bySaga.toSorted()).toEqual(lost.map(id => `order.${id}`).toSorted());
  await shop.start();
  const fresh = await orders(12);

  const ready = async (): Promise<any> => (await shop.request("GET", "/health/ready")).body;
  await until("every consumer of orders is told", async () => (await ready()).stopped?.length >= 3);
  expect((await ready()).stopped).toEqual(expect.arrayContaining(["checkout: checkout on orders"]));
  expect(shop.child.output).toMatch(/consumer checkout has stopped: its place is not in the log of orders: order\./);
  const { consumers } = (await ops("GET", "consumers")).body;
  const stopped = consumers.filter(({ state }: any) => state === "stopped");
  expect(stopped).toContainEqual(expect.objectContaining({ name: "checkout", service: "checkout", lagEvents: null }));
  const doctor = await run("doctor");
  expect(doctor.status).toBe(1);
  expect(doctor.output).toMatch(/FAIL +checkout +lag +checkout on orders: its place is not in the log/);
  for (const id of fresh) expect(await statusOf(id)).toBe("placed");

  const { body } = await ops("POST", "consumers/checkout/reset", { to: "start", dryRun: true });
  expect(body).toMatchObject({ consumer: "checkout", dryRun: true, places: [{ source: "orders" }] });
  expect((await ops("POST", "consumers/checkout/reset", { to: "end" })).status).toBe(422);
  for (const { name } of stopped.filter(({ name }: any) => name !== "empty-cart"))
    expect((await ops("POST", `consumers/${name}/reset`, { to: "start" })).status).toBe(200);
  // Read models are consumers as well: they stand in the list, and one is left for the command.
  const command = await run("consumer", ["reset", "empty-cart", "--to", "head"]);
  expect(command.output).toMatch(/empty-cart on orders goes to the head of the log/);
  await shipped(fresh);
  await until("the read model has them", async () => {
    const ids = await listed();
    return fresh.every(id => ids.includes(id)) && ids.length === 2 + fresh.length;
  });
  await until("nothing stands still", async () => {
    const { consumers } = (await ops("GET", "consumers")).body;
    // No bus is configured: an ingress is off.
    return consumers.every(({ state }: any) => state === "following" || state === "off");
  });
  expect((await run("doctor")).output).not.toMatch(/its place is not in the log/);

  // A client that repeats its request places a lost order again, under its id. The saga of the lost one has ended, and
  // stands: a person decides about it, and is told.
  expect((await shop.request("GET", `/api/v1/orders/${lost[0]}`, { token: customer })).status).toBe(404);
  expect(await order(key)).toBe(lost[0]);
  const saga = `checkout.${lost[0]}`;
  await until("the saga is parked", async () =>
    (await ops("GET", "sagas?state=stuck")).body.sagas?.some(({ id }: any) => id === saga),
  );
  expect(await statusOf(lost[0]!)).toBe("placed");
  expect((await run("doctor")).output).toMatch(/FAIL +checkout +sagas +1 saga stuck/);
  expect((await ops("GET", `sagas/${saga}`)).body).toMatchObject({ reason: expect.stringMatching(/^LOG_PUT_BACK: /) });
  const paid = async (): Promise<number> => (await ops("GET", `actors/payment/${lost[0]}`)).body.version;
  const events = await paid();
  expect(events).toBeGreaterThan(2);
  expect((await ops("POST", `sagas/${saga}/retry`, {})).status).toBe(200);
  await until("the order is where it was", async () => ["confirmed", "shipped"].includes(await statusOf(lost[0]!)));
  // Nothing was asked of the payment that it had not been asked before.
  expect(await paid()).toBe(events);
}

test("P1 a copy of the files without their logs, made under load, is refused; one of a stopped shop opens whole", async () => {
  const state = { isDone: false };
  const load = (async () => {
    const ids = [];
    while (!state.isDone) ids.push(await order());
    return ids;
  })();
  await sleep(1_500);
  const copy = mkdtempSync(join(tmpdir(), "restore-"));
  const copyAll = (pattern: string) => {
    for (const file of globSync(pattern, { cwd: folder })) copyFileSync(join(folder, file), join(copy, basename(file)));
  };
  try {
    copyAll("*.sqlite");
    state.isDone = true;
    const ids = await load;
    const torn = new Child(["mixins/cli/valence.mjs", "start"], { DATA_DIR: copy, PORT: "0" });
    await until("it has ended", () => !torn.running);
    expect(torn.process.exitCode).toBe(1);
    expect(torn.output).toMatch(/^[^\n]*\.sqlite is a copy that was made without its write-ahead log[^\n]*\n$/);

    expect(await shop.child.end("SIGTERM")).toBe(0);
    copyAll("*.sqlite");
    const whole = await Shop.start({ DATA_DIR: copy, ...ADMIN });
    try {
      const token = await whole.customer("ada");
      const rows = (await whole.request("GET", "/api/v1/orders?pageSize=100", { token })).body.rows;
      expect(rows).toHaveLength(Math.min(100, ids.length));
      expect((await whole.request("GET", "/health/ready")).body).toEqual({ status: "ready", missing: [] });
    } finally {
      await whole.stop();
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
});

test("P1 P4 a backup under load, put back elsewhere: of one moment, and everything in it goes on", async () => {
  const state = { isDone: false };
  const load = async (): Promise<string[]> => {
    const ids = [];
    while (!state.isDone) ids.push(await order());
    return ids;
  };
  const before = await orders(3);
  const loads = [load(), load()];
  const backup = join(folder, "backup");
  const made = await run("backup", [backup]);
  state.isDone = true;
  expect(made).toMatchObject({
    status: 0,
    output: expect.stringMatching(/\d+ databases as of .*; commits waited for/),
  });
  await Promise.all(loads);
  const { parts } = JSON.parse(readFileSync(join(backup, "manifest.json"), "utf8"));
  const heads = new Map(parts.map(({ name, positions: { log } }: any) => [name, log?.head]));
  const checkpoints = parts.flatMap(({ positions }: any) => positions.checkpoints);
  expect(checkpoints.length).toBeGreaterThan(10);
  for (const { source, cursor } of checkpoints)
    expect(Number(cursor)).toBeLessThanOrEqual(Number(heads.get(source.replace(/\.sagaJournals$/, ""))));

  const elsewhere = mkdtempSync(join(tmpdir(), "restore-"));
  try {
    const cutOff = join(elsewhere, "cut-off");
    cpSync(backup, cutOff, { recursive: true });
    truncateSync(join(cutOff, "payments.sqlite"), 8_192);
    const data = { DATA_DIR: join(elsewhere, "data") };
    expect(await run("restore", [cutOff], data)).toMatchObject({ status: 1, output: expect.stringMatching(/cut off/) });
    expect(existsSync(data.DATA_DIR)).toBe(false);
    expect(await run("restore", [backup], data)).toMatchObject({ status: 0 });
    const whole = await Shop.start({ ...data, ...ADMIN });
    try {
      const token = await whole.customer("ada");
      const rowsOf = async () => (await whole.request("GET", "/api/v1/orders?pageSize=100", { token })).body.rows;
      await until("every order is shipped", async () =>
        (await rowsOf()).every(({ status }: any) => status === "shipped"),
      );
      expect((await rowsOf()).map(({ id }: any) => id)).toEqual(expect.arrayContaining(before));
      expect((await whole.request("GET", "/health/ready")).body).toEqual({ status: "ready", missing: [] });
      const running = await run("restore", [backup, "orders", "--replace"], data);
      expect(running).toMatchObject({ status: 1, output: expect.stringMatching(/a node is running on .*orders/) });
    } finally {
      await whole.stop();
    }
    const taken = await run("restore", [backup, "orders"], data);
    expect(taken).toMatchObject({
      status: 1,
      output: expect.stringMatching(/orders\.sqlite: there is a database already/),
    });
    const replaced = await run("restore", [backup, "orders", "--replace"], data);
    expect(replaced).toMatchObject({
      status: 0,
      output: expect.stringMatching(/checkout on orders: its place is not/),
    });
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});

test("P1 a shop that is killed, idle and alone or busy in several processes, starts again", async () => {
  const kill = async (): Promise<void> => {
    await shop.child.end("SIGKILL");
    // The workers end when their supervisor has ended.
    await until("the port is free", () =>
      fetch(shop.url).then(
        () => false,
        () => true,
      ),
    );
    await sleep(1_000);
  };
  await orders(3);
  await sleep(1_500);
  await kill();
  shop.env["WORKERS"] = "2";
  await shop.start();
  await orders(3);
  await kill();
  delete shop.env["WORKERS"];
  await shop.start();
  await until("every order is listed", async () => (await listed()).length === 6);
});
