// node test/shop/releases/freeze.ts <version> [checkout]: runs a small shop of the release, which is checked out in the folder
// given (default: this one), on both kinds of databases, and keeps them in test/shop/releases/<version>/.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { keepDump, keepFiles, writeKnown, type Known } from "./frozen.ts";
import { freePort, newDatabase, Postgres } from "@valence/runtime/testing/servers";
import { ADDRESS } from "../support/shop.ts";

const [version = "", given = join(import.meta.dirname, "../../..")] = process.argv.slice(2);
if (!/^\d+\.\d+\.\d+$/.test(version)) {
  console.error("usage: node test/shop/releases/freeze.ts <version> [checkout]");
  process.exit(2);
}
const checkout = resolve(given);
const target = join(import.meta.dirname, version);
if (existsSync(target)) {
  console.error(`${target} is there already: the tables of a release are frozen`);
  process.exit(1);
}
const COMMANDS = [["mixins/cli/valence.mjs", "start"], ["scripts/start.mjs"]];
const admin = { email: "admin@example.com", password: "administrators only" };
const account = { email: "ada@example.org", password: "correct horse battery" };

/** Uses the shop as clients do, and kills its process when the last order has been acknowledged. */
async function use(env: Record<string, string>): Promise<Known> {
  const port = await freePort();
  const command = COMMANDS.find(([file]) => existsSync(join(checkout, file!)))!;
  const shop: ChildProcess = spawn(process.execPath, command, {
    cwd: checkout,
    env: { PATH: process.env["PATH"], PORT: `${port}`, ADMIN_PASSWORD: admin.password, LOGLEVEL: "warn", ...env },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const url = `http://127.0.0.1:${port}`;
  const request = async (method: string, path: string, body?: unknown, token?: string, key?: string): Promise<any> => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        ...(body !== undefined && { "Content-Type": "application/json" }),
        ...(token && { Authorization: `Bearer ${token}` }),
        ...(key && { "Idempotency-Key": `"${key}"` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text && JSON.parse(text);
  };
  try {
    while ((await fetch(`${url}/health/ready`).catch(() => undefined))?.status !== 200) {
      if (shop.exitCode !== null) throw new Error("the shop did not start");
      await sleep(100);
    }
    await request("POST", "/auth/register", { ...account, name: "Ada" });
    const { accessToken: token } = await request("POST", "/auth/login", account);
    const { rows: products } = await request("GET", "/products?pageSize=5");
    const place = async (key: string, payment = "tok_ok"): Promise<string> => {
      const lines = [
        { productId: products[0].id, quantity: 2 },
        { productId: products[1].id, quantity: 1 },
      ];
      const order = { lines, shippingAddress: ADDRESS, payment: { method: "card", token: payment } };
      return (await request("POST", "/orders", order, token, key)).id;
    };
    const statusOf = async (id: string): Promise<string> =>
      (await request("GET", `/orders/${id}`, undefined, token)).status;
    const ended = async (id: string): Promise<string> => {
      for (;;) {
        const status = await statusOf(id);
        if (["shipped", "rejected", "cancelled"].includes(status)) return status;
        await sleep(50);
      }
    };
    const orders: Record<string, string> = {};
    for (const id of [await place("first"), await place("second"), await place("declined", "tok_declined")])
      orders[id] = await ended(id);
    const cart = { email: "bob@example.org", productId: products[2].id, quantity: 3 };
    const bob = { ...account, email: "bob@example.org" };
    await request("POST", "/auth/register", { ...bob, name: "Bob" });
    const { accessToken: bobs } = await request("POST", "/auth/login", bob);
    await request("PUT", `/cart/items/${cart.productId}`, { quantity: cart.quantity }, bobs);
    // Waits until read models and journals are at rest, except for the order that is cut off.
    await sleep(1_000);
    orders[await place("cut off")] = "placed";
    return { account, admin, orders, cart };
  } finally {
    const exit = once(shop, "exit");
    shop.kill("SIGKILL");
    await exit;
  }
}

const folder = mkdtempSync(join(tmpdir(), "freeze-"));
try {
  const dataDir = join(folder, "data");
  writeKnown(version, "sqlite", await use({ DATA_DIR: dataDir }));
  keepFiles(version, "sqlite", dataDir, folder);
  const server = await Postgres.start();
  try {
    const { url } = await newDatabase(server.url());
    writeKnown(version, "postgres", await use({ DATA_DIR: join(folder, "beside"), DATABASE_URL: url }));
    const dump = execFileSync("pg_dump", ["--inserts", url], { maxBuffer: 2 ** 30 });
    keepDump(version, dump.toString());
    keepFiles(version, "postgres", join(folder, "beside"), folder);
  } finally {
    await server.stop();
  }
} finally {
  rmSync(folder, { recursive: true });
}
