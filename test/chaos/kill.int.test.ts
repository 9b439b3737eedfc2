// `kill -9` under load, at every named failpoint and at random moments; then the laws of the shop must hold. The seed is
// printed; CHAOS_SEED runs it again.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { FAILPOINTS, newId } from "../../mixins/kernel/index.ts";
import { newDatabases, type Databases } from "../databases.ts";
import { startEmbedded } from "../embedded.ts";
import { lawsBrokenAtRest, readBooks } from "../laws.ts";
import { randomOf } from "../random.ts";
import { Child, freePort, orderOf, Shop, until } from "../shop.ts";

const seed = Number(process.env["CHAOS_SEED"] ?? Date.now() % 2 ** 31);
const random = randomOf(seed);
const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
const TOKENS = ["tok_ok", "tok_ok", "tok_ok", "tok_flaky", "tok_flaky", "tok_declined"];
const CALLERS = 8;
const RANDOM_KILLS = 4;
/** A failpoint that is not reached by then is a failpoint that tests nothing. */
const REACHED_WITHIN_MS = 20_000;

let databases: Databases;
let provider: Child | undefined;
let providerUrl: string;
let shop: Shop;
let token: string;
let products: string[];
/** What a client was told, by its idempotency key; and what it asked and was not told yet. */
const acknowledged = new Map<string, { id: string; answer: string }>();
const unanswered = new Map<string, object>();

beforeAll(async () => {
  console.log(`CHAOS_SEED=${seed}`);
  databases = await newDatabases();
  const port = await freePort();
  providerUrl = `http://127.0.0.1:${port}`;
  provider = new Child(
    ["services/payments/provider/server.ts", "--port", `${port}`, "--data", join(databases.folder, "provider.ledger")],
    {},
  );
  await until("the provider answers", () =>
    fetch(`${providerUrl}/ledger`).then(
      () => true,
      () => false,
    ),
  );
  const admin = { email: "admin@example.com", password: "for chaos only" };
  shop = await Shop.start({
    ...databases.env,
    PAYMENT_PROVIDER_URL: providerUrl,
    ADMIN_EMAIL: admin.email,
    ADMIN_PASSWORD: admin.password,
  });
  token = await shop.customer("chaos");
  const rows: { id: string; sku: string }[] = (await shop.request("GET", "/api/v1/products?pageSize=6")).body.rows;
  products = rows.map(({ id }) => id);
  // Few products, so that orders compete for their stock. Two run out; the others must not, or nothing would be paid.
  const adminToken = await shop.login(admin.email, admin.password);
  for (const { sku } of rows.slice(2)) {
    const path = `/api/v1/inventory/${sku}/receive`;
    expect((await shop.request("POST", path, { token: adminToken, body: { quantity: 100_000 } })).status).toBeLessThan(
      300,
    );
  }
});
afterAll(async () => {
  await shop?.stop();
  await provider?.end("SIGTERM");
  await databases.remove();
});

/** One order: placed, and asked again under its key until it is answered; what is cut off is asked after the restart. */
async function place(key: string, order: object): Promise<void> {
  unanswered.set(key, order);
  const { status, body } = await shop.request("POST", "/api/v1/orders", {
    body: order,
    token,
    headers: { "Idempotency-Key": key },
  });
  if (status >= 500) return; // unavailable: asked again
  const { requestId: _, ...answer } = body;
  const before = acknowledged.get(key);
  if (before) expect(JSON.stringify(answer)).toBe(before.answer);
  else if (status === 201) acknowledged.set(key, { id: body.id, answer: JSON.stringify(answer) });
  else expect(status).toBe(409);
  unanswered.delete(key);
}

/** Load until the process is gone or `done` says so. Cut connections are what we came for. */
async function load(done: () => boolean): Promise<void> {
  const stop = () => done() || !shop.child.running;
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      while (!stop()) {
        const [old] = unanswered;
        const repeat = random() < 0.2 ? pick([...acknowledged.keys(), undefined]) : undefined;
        const order = orderOf(
          Array.from({ length: 1 + Math.floor(random() * 3) }, () => ({
            productId: pick(products),
            quantity: 1 + Math.floor(random() * 2),
          })),
          pick(TOKENS),
        );
        const [key, body] =
          old && random() < 0.5 ? old : [repeat ?? `key-${newId()}`, repeat ? orders.get(repeat)! : order];
        orders.set(key, body);
        await place(key, body).catch((error: Error) => {
          // Cut off: by name, since fetch throws the TypeError of another realm.
          if (!["TypeError", "SyntaxError"].includes(error.name)) throw error;
        });
      }
    }),
  );
}
const orders = new Map<string, object>();

async function restart(failpoints: string): Promise<void> {
  await shop.child.end("SIGKILL");
  await shop.start(failpoints);
}

test(
  "P1 P3 P4 P5 killed at every failpoint and at random moments, every acknowledged order is there and reaches its end by itself",
  async () => {
    const survived: string[] = [];
    for (const name of FAILPOINTS) {
      // A few passes in, so that there is work at every stage when the process dies.
      await restart(`${name}=kill#${1 + Math.floor(random() * 12)}`);
      const end = Date.now() + REACHED_WITHIN_MS;
      await load(() => Date.now() > end);
      if (shop.child.running) survived.push(name);
    }
    for (let i = 0; i < RANDOM_KILLS; i++) {
      await restart("");
      const end = Date.now() + 300 + random() * 1_500;
      await load(() => Date.now() > end);
    }
    expect(survived).toEqual([]);

    await restart("");
    for (const [key, order] of unanswered) await place(key, order);
    expect([...unanswered.keys()]).toEqual([]);
    expect(acknowledged.size).toBeGreaterThan(50);
    // A repetition after all that gets the first answer.
    for (const key of [...acknowledged.keys()].slice(0, 20)) await place(key, orders.get(key)!);
    await until(
      "all orders have ended",
      async () => {
        const open = await shop.request("GET", "/api/v1/orders?pageSize=100", { token });
        const states: string[] = open.body.rows.map((row: { status: string }) => row.status);
        return states.every(status => ["shipped", "rejected", "cancelled"].includes(status));
      },
      60_000,
    );
    expect(await shop.child.end("SIGTERM")).toBe(0);
    await checkTheBooks();
  },
  8 * 60_000,
);

async function checkTheBooks(): Promise<void> {
  const names = ["catalog", "carts", "orders", "inventory", "payments", "shipping", "checkout", "order-views"];
  const services = await Promise.all(names.map(name => import(`../../services/${name}/${name}.service.ts`)));
  const embedded = await startEmbedded(
    services.map(module => module.default),
    { ...databases.env, PAYMENT_PROVIDER_URL: providerUrl },
  );
  try {
    const ids = [...acknowledged.values()].map(({ id }) => id);
    const broken = await lawsBrokenAtRest(embedded.call, providerUrl, { acknowledged: ids, withinMs: 60_000 });
    expect(broken).toEqual([]);
    const { orders } = await readBooks(embedded.call, providerUrl);
    const folded = new Map(
      orders.map(({ stream, type, version }) => [stream, `${type.slice("order.".length)}@${version}`]),
    );
    await sleep(1_000);
    const listed = new Map<string, string>();
    for (let page = 1; listed.size < folded.size; page++) {
      const { rows } = await embedded.call("order-views.list", { page, pageSize: 100 });
      if (rows.length === 0) break;
      for (const { id, status, version } of rows) listed.set(id, `${status}@${version}`);
    }
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(folded));
  } finally {
    await embedded.stop();
  }
}
