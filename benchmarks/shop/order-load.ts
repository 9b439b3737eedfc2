// Whole orders as load: `POST /orders` over HTTP with authentication, while a bounded number of sagas is open. So
// accepted orders are also completed: the backlog at the end is no larger than after 10 s.
import { Agent, request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { newId } from "@valence/runtime/kernel";
import { orderOf, type Shop } from "../../test/shop/support/shop.ts";
import { quantile, rounded } from "../harness.ts";

/** Sagas that the operations page answers at most: beyond that the backlog is only known to be larger. */
const ROWS = 500;
/** Milliseconds until an accepted order has its saga; until then the order itself counts as open. */
const STARTED_WITHIN_MS = 500;

export interface Tokens {
  readonly admin: string;
  readonly customer: string;
}

export interface OrderRun {
  readonly accepted: number;
  readonly acceptedPerSecond: number;
  /** Undefined when the backlog grew beyond what the operations page answers. */
  readonly completedPerSecond: number | undefined;
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  readonly backlogAfter10s: number | undefined;
  readonly backlog: number;
  readonly isBacklogKnown: boolean;
  /** CPU seconds of this process, which is the load generator, per wall second. */
  readonly cpus: number;
}

/** Fills the stock of every product, so that no order is rejected; answers bodies of orders, two lines each. */
export async function stock(shop: Shop, admin: string): Promise<string[]> {
  const products: { id: string; sku: string }[] = [];
  for (let page = 1; page <= 2; page++)
    products.push(...(await shop.request("GET", `/api/v1/products?pageSize=100&page=${page}`)).body.rows);
  for (const { sku } of products) {
    const path = `/api/v1/inventory/${sku}/receive`;
    const { status } = await shop.request("POST", path, { token: admin, body: { quantity: 1_000_000 } });
    if (status >= 300) throw new Error(`${path}: ${status}`);
  }
  return orderBodies(products);
}

export const orderBodies = (products: readonly { readonly id: string }[]): string[] =>
  products.map(({ id }, i) =>
    JSON.stringify(
      orderOf([
        { productId: id, quantity: 1 },
        { productId: products[(i + 1) % products.length]!.id, quantity: 2 },
      ]),
    ),
  );

export class OrderLoad {
  readonly #shop: Shop;
  readonly #tokens: Tokens;
  readonly #bodies: readonly string[];
  readonly #connections: number;
  readonly #agent: Agent;

  constructor(shop: Shop, tokens: Tokens, bodies: readonly string[], connections: number) {
    this.#shop = shop;
    this.#tokens = tokens;
    this.#bodies = bodies;
    this.#connections = connections;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections + 4 });
  }

  close(): void {
    this.#agent.destroy();
  }

  async run(forSeconds: number, openMax: number): Promise<OrderRun> {
    const start = performance.now();
    const end = start + forSeconds * 1_000;
    const latencies: number[] = [];
    const before = await this.#openSagas();
    let open = before;
    let accepted = 0;
    /** Time at which each order was sent. */
    const sentAt: number[] = [];
    let after10: number | undefined;
    const cpu = process.cpuUsage();
    const watch = (async () => {
      while (performance.now() < end) {
        const since = performance.now() - STARTED_WITHIN_MS;
        const sagas = await this.#openSagas();
        open = sagas + sentAt.length - (sentAt.findLastIndex(at => at < since) + 1);
        if (performance.now() - start > Math.min(10, forSeconds / 2) * 1_000) after10 ??= sagas;
        await sleep(100);
      }
    })();
    await Promise.all(
      Array.from({ length: this.#connections }, async () => {
        while (performance.now() < end) {
          if (open >= openMax) {
            await sleep(5);
            continue;
          }
          open++;
          sentAt.push(performance.now());
          latencies.push(await this.#post(this.#bodies[accepted++ % this.#bodies.length]!));
        }
      }),
    );
    await watch;
    const elapsed = (performance.now() - start) / 1_000;
    const backlog = await this.#openSagas();
    const isBacklogKnown = backlog < ROWS;
    const { user, system } = process.cpuUsage(cpu);
    return {
      accepted,
      acceptedPerSecond: accepted / elapsed,
      completedPerSecond: isBacklogKnown ? (before + accepted - backlog) / elapsed : undefined,
      latencyMs: { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) },
      backlogAfter10s: after10,
      backlog,
      isBacklogKnown,
      cpus: (user + system) / 1e6 / elapsed,
    };
  }

  #post(body: string): Promise<number> {
    return post(this.#shop.url, this.#tokens.customer, this.#agent, body);
  }

  /** Waits for the sagas to end. */
  async rest(): Promise<void> {
    for (const end = Date.now() + 120_000; (await this.#openSagas()) > 0; await sleep(200))
      if (Date.now() > end) throw new Error("the sagas did not end");
  }

  async #openSagas(): Promise<number> {
    const path = `/api/v1/ops/sagas?state=open&limit=${ROWS}`;
    const { status, body } = await this.#shop.request("GET", path, { token: this.#tokens.admin });
    if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
    return body.sagas.length;
  }
}

/** Places one order. Resolves with the milliseconds until its answer; rejects unless it is accepted. */
export function post(url: string, token: string, agent: Agent, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const request = httpRequest(`${url}/api/v1/orders`, {
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

export const orderRow = (name: string, run: OrderRun): Record<string, unknown> => ({
  case: name,
  "accepted/s": Math.round(run.acceptedPerSecond),
  "completed/s": run.completedPerSecond === undefined ? "(backlog grows)" : Math.round(run.completedPerSecond),
  "p50 ms": rounded(run.latencyMs.p50, 1),
  "p99 ms": rounded(run.latencyMs.p99, 1),
  "backlog after 10 s": run.backlogAfter10s,
  "backlog at the end": run.isBacklogKnown ? run.backlog : `≥ ${ROWS}`,
  "load generator CPUs": rounded(run.cpus, 2),
});
