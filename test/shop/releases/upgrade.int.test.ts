// Today's runtime on the data of each earlier release, as freeze.ts has kept them: everything is there, interrupted
// work ends, and the tables become those of a new database.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdirSync } from "node:fs";
import { until } from "@valence/runtime/testing";
import { isOnPostgres, newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { orderOf, Shop } from "../support/shop.ts";
import { knownOf, releases, restoreDump, restoreFiles, tablesOfDatabase, tablesOfFiles, type Kind } from "./frozen.ts";

const kind: Kind = isOnPostgres() ? "postgres" : "sqlite";
const ENDS = ["shipped", "rejected", "cancelled"];

const tablesOf = async ({ env }: Databases): Promise<string[]> =>
  kind === "sqlite" ? tablesOfFiles(env["DATA_DIR"]!) : tablesOfDatabase(env["DATABASE_URL"]!);

async function startOn({ env }: Databases, version: string): Promise<Shop> {
  const dataDir = env["DATA_DIR"]!;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  restoreFiles(version, kind, dataDir);
  if (kind === "postgres") await restoreDump(version, env["DATABASE_URL"]!);
  return Shop.start({ ...env, ADMIN_PASSWORD: knownOf(version, kind).admin.password });
}

test("a release was frozen", () => expect(releases()).toContain("0.1.0"));

describe.each(releases())("data of %s", version => {
  const { account, admin, orders, cart } = knownOf(version, kind);
  let databases: Databases;
  let shop: Shop | undefined;
  beforeAll(async () => {
    databases = await newDatabases();
    shop = await startOn(databases, version);
  });
  afterAll(async () => {
    await shop?.stop();
    await databases?.remove();
  });
  const request: Shop["request"] = (...args) => shop!.request(...args);
  const login: Shop["login"] = (...args) => shop!.login(...args);

  test("P1 P3 P4 P5 customers, carts and orders are there, an order that was cut off ends, and new ones ship", async () => {
    const token = await login(account.email, account.password);
    const statusOf = async (id: string) => (await request("GET", `/api/v1/orders/${id}`, { token })).body.status;
    for (const [id, status] of Object.entries(orders)) {
      if (ENDS.includes(status)) expect([id, await statusOf(id)]).toEqual([id, status]);
      await until(`order ${id} has ended`, async () => ENDS.includes(await statusOf(id)));
    }
    const bob = await login(cart.email, account.password);
    const { items, lines = items } = (await request("GET", "/api/v1/cart", { token: bob })).body;
    expect(lines).toEqual([expect.objectContaining({ productId: cart.productId, quantity: cart.quantity })]);

    const placed = await request("POST", "/api/v1/orders", {
      token,
      body: orderOf([{ productId: cart.productId, quantity: 1 }]),
      headers: { "Idempotency-Key": '"after the upgrade"' },
    });
    expect(placed.status).toBe(201);
    await until("a new order has shipped", async () => (await statusOf(placed.body.id)) === "shipped");
    const listed = async () => (await request("GET", "/api/v1/orders?pageSize=100", { token })).body.rows;
    await until("the list has all", async () => (await listed()).length === Object.keys(orders).length + 1);
    expect(new Set((await listed()).map(({ id }: any) => id))).toEqual(
      new Set([...Object.keys(orders), placed.body.id]),
    );

    const boss = await login(admin.email, admin.password);
    expect((await request("GET", "/api/v1/ops/dead-letters", { token: boss })).body).toMatchObject({ deadLetters: [] });
    expect((await request("GET", "/api/v1/ops/sagas?state=stuck", { token: boss })).body).toMatchObject({ sagas: [] });
  });

  test("a repeated request gets the answer of the release before", async () => {
    const token = await login(account.email, account.password);
    const { rows: products } = (await request("GET", "/api/v1/products?pageSize=5")).body;
    const again = await request("POST", "/api/v1/orders", {
      token,
      body: orderOf([
        { productId: products[0].id, quantity: 2 },
        { productId: products[1].id, quantity: 1 },
      ]),
      headers: { "Idempotency-Key": '"first"' },
    });
    expect([again.status, again.body.id]).toEqual([201, Object.keys(orders)[0]]);
  });

  test("its tables become those of a new database", async () => {
    await shop!.child.end("SIGTERM");
    // A projection's rows of the version before are kept for a while, for a roll-back.
    const upgraded = (await tablesOf(databases)).filter(line => !/order_list_v1_/.test(line));
    const fresh = await newDatabases();
    try {
      const other = await Shop.start({ ...fresh.env });
      await other.child.end("SIGTERM");
      expect(upgraded).toEqual(await tablesOf(fresh));
    } finally {
      await fresh.remove();
    }
  });
});
