// Whole orders per second: `POST /orders` over HTTP with authentication, the saga seeing each one through to its end, all
// projections on. The load keeps a bounded number of orders open, so what is accepted is also completed: the backlog at
// the end is no larger than after 10 s. Beside it, what is accepted when nobody waits for the sagas.
//
//   node benchmarks/orders.ts [--seconds 60] [--connections 64] [--open 400]
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { newId } from "../mixins/kernel/index.ts";
import { orderOf, Shop } from "../test/shop.ts";
import { option, quantile, report } from "./harness.ts";

const seconds = option("seconds", 60);
const connections = option("connections", 64);
const openMax = option("open", 400);
/** What the operations page answers at most: past it the backlog is only known to be larger. */
const ROWS = 500;

const folder = await mkdtemp(join(tmpdir(), "valence-orders-"));
const admin = { email: "admin@example.com", password: "benchmarks only" };
const shop = await Shop.start({ DATA_DIR: folder, ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password });
const agent = new Agent({ keepAlive: true, maxSockets: connections + 4 });
try {
  const adminToken = await shop.login(admin.email, admin.password);
  const token = await shop.customer("bench");
  const products: { id: string; sku: string }[] = [];
  for (let page = 1; page <= 2; page++)
    products.push(...(await shop.request("GET", `/api/v1/products?pageSize=100&page=${page}`)).body.rows);
  for (const { sku } of products) {
    const path = `/api/v1/inventory/${sku}/receive`;
    const { status } = await shop.request("POST", path, { token: adminToken, body: { quantity: 1_000_000 } });
    if (status >= 300) throw new Error(`${path}: ${status}`);
  }
  const bodies = products.map(({ id }, i) =>
    JSON.stringify(
      orderOf([
        { productId: id, quantity: 1 },
        { productId: products[(i + 1) % products.length]!.id, quantity: 2 },
      ]),
    ),
  );

  await run(5, openMax);
  const rows = [await run(seconds, openMax)];
  await until0();
  rows.push(await run(Math.min(10, seconds), Number.POSITIVE_INFINITY));
  await report("orders", rows);

  /** Milliseconds until the answer. */
  function post(body: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const began = performance.now();
      const request = httpRequest(`${shop.url}/api/v1/orders`, {
        agent,
        method: "POST",
        headers: {
          Authorization: `Bearer ${token}`,
          "Content-Type": "application/json",
          "Content-Length": Buffer.byteLength(body),
          "Idempotency-Key": newId(),
        },
      });
      request.on("response", response => {
        response.resume();
        response.on("end", () => {
          if (response.statusCode === 201) resolve(performance.now() - began);
          else reject(new Error(`status ${response.statusCode}`));
        });
      });
      request.on("error", reject);
      request.end(body);
    });
  }

  async function openSagas(): Promise<number> {
    const path = `/api/v1/ops/sagas?state=open&limit=${ROWS}`;
    const { status, body } = await shop.request("GET", path, { token: adminToken });
    if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
    return body.sagas.length;
  }

  async function until0(): Promise<void> {
    for (const end = Date.now() + 120_000; (await openSagas()) > 0; await sleep(200))
      if (Date.now() > end) throw new Error("the sagas did not end");
  }

  async function run(forSeconds: number, limit: number): Promise<Record<string, unknown>> {
    const start = performance.now();
    const end = start + forSeconds * 1_000;
    const latencies: number[] = [];
    let open = await openSagas();
    let accepted = 0;
    let after10: { accepted: number; open: number } | undefined;
    const cpu = process.cpuUsage();
    const watch = (async () => {
      while (performance.now() < end) {
        open = await openSagas();
        if (!after10 && performance.now() - start > Math.min(10, forSeconds / 2) * 1_000) after10 = { accepted, open };
        await sleep(100);
      }
    })();
    await Promise.all(
      Array.from({ length: connections }, async () => {
        while (performance.now() < end) {
          if (open >= limit) {
            await sleep(5);
            continue;
          }
          open++;
          latencies.push(await post(bodies[accepted++ % bodies.length]!));
        }
      }),
    );
    await watch;
    const elapsed = (performance.now() - start) / 1_000;
    const backlog = await openSagas();
    const { user, system } = process.cpuUsage(cpu);
    const completed = accepted - backlog;
    return {
      case: Number.isFinite(limit)
        ? `whole orders, at most ${limit} open`
        : "accepted only, nobody waits for the sagas",
      "accepted/s": Math.round(accepted / elapsed),
      "completed/s": backlog >= ROWS ? "(backlog grows)" : Math.round(completed / elapsed),
      "p50 ms": Number(quantile(latencies, 0.5).toFixed(1)),
      "p99 ms": Number(quantile(latencies, 0.99).toFixed(1)),
      "backlog after 10 s": after10?.open,
      "backlog at the end": backlog >= ROWS ? `≥ ${ROWS}` : backlog,
      "load generator CPUs": Number(((user + system) / 1e6 / elapsed).toFixed(2)),
    };
  }
} finally {
  agent.destroy();
  await shop.child.end("SIGTERM");
  await rm(folder, { recursive: true });
}
