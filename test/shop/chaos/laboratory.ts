// Shared by the fault tests: a shop with its payment provider, customers that repeat a request under its key until it
// is answered, and the check of all records when the faults are over. In a run that is for Kafka, the shop's events go by a Kafka.
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { newId } from "@valence/runtime/kernel";
import { randomOf, until } from "@valence/runtime/testing";
import { startBroker } from "@valence/runtime/testing/broker";
import { Child, freePort, isOnKafka, Kafka } from "@valence/runtime/testing/servers";
import { invariantsBrokenAtRest, readBooks } from "../support/shop-invariants.ts";
import { orderOf, Shop, type Answer } from "../support/shop.ts";

/** The administrator of a shop that is opened here. */
const CHAOS = { email: "admin@example.com", password: "for chaos only" };
type Credentials = typeof CHAOS;
const TOKENS = ["tok_ok", "tok_ok", "tok_ok", "tok_flaky", "tok_flaky", "tok_declined"];
const ENDS = ["shipped", "rejected", "cancelled"];
/** Milliseconds until a refused request is repeated: without a pause, callers of a shop that is down only use CPU. */
const PAUSE_MS = 50;
/** Characters of a process' output that an error tells. */
const TOLD_OUTPUT = 4_000;
/** The last line of a process that could not start since the database had no turn for it. A cluster begins it again. */
export const WITHOUT_DATABASE = /the database\b.* (is busy|cannot be reached)\b.*\s*$/;

/** The moments of faults come from a seed, which is printed; CHAOS_SEED repeats a run. */
export function seeded(): { random: () => number; pick: <T>(from: readonly T[]) => T } {
  const seed = Number(process.env["CHAOS_SEED"] ?? Date.now() % 2 ** 31);
  console.log(`CHAOS_SEED=${seed}`);
  const random = randomOf(seed);
  return { random, pick: from => from[Math.floor(random() * from.length)]! };
}

/**
 * So many callers that repeat this, with a pause in between. The function that is answered ends them, and rejects with
 * the first error of any caller.
 */
export function repeatedly(callers: number, work: () => Promise<void>, pauseMs = 0): () => Promise<void> {
  const state = { isOver: false };
  const call = async (): Promise<void> => {
    for (; !state.isOver; await sleep(pauseMs)) await work();
  };
  const all = Promise.allSettled(Array.from({ length: callers }, call));
  return async () => {
    state.isOver = true;
    for (const ended of await all) if (ended.status === "rejected") throw ended.reason;
  };
}

/** Whether this is `npm run test:chaos`, or the part of `npm run test:kafka` that is the laboratory: they may take their time. */
export const isLong = process.env["CHAOS"] === "all" || isOnKafka();
// Takes minutes: an ordinary run counts it as skipped.
export const longTest = isLong ? test : test.skip;

/** Milliseconds without a further order after which there is no progress. A run of its own may be on a machine that others use as well. */
const PROGRESS_WITHIN_MS = isLong ? 5 * 60_000 : 60_000;

export class Laboratory {
  readonly shop: Shop;
  /** Carries the shop's events, over a network that `partition` cuts; undefined where another carrier does. */
  readonly kafka: Kafka | undefined;
  /** Answers that a client got, by its idempotency key. */
  readonly acknowledged = new Map<string, { id: string; answer: string }>();
  /** How often the shop said to try again, by status. */
  readonly putOff = new Map<number, number>();
  /** How many receipts of stock the shop has answered with success. */
  receipts = 0;
  /** Requests that have no answer yet, by key; and every request that was sent. */
  readonly #unanswered = new Map<string, object>();
  readonly #orders = new Map<string, object>();
  /** Undefined where others run it. */
  readonly #provider: Child | undefined;
  readonly #providerUrl: string;
  readonly #administrator: Credentials;
  readonly #chance: ReturnType<typeof seeded>;
  readonly #token: string;
  readonly #products: readonly string[];
  readonly #skus: readonly string[];
  #admin: string | undefined;
  /** Orders that a program outside was told of, at its webhook; as long as nobody listens there is none. */
  readonly #told = new Set<string>();
  #receiver: Server | undefined;

  private constructor(
    shop: Shop,
    kafka: Kafka | undefined,
    provider: { child?: Child; url: string },
    chance: ReturnType<typeof seeded>,
    administrator: Credentials,
    customer: { token: string; products: readonly { id: string; sku: string }[] },
  ) {
    this.shop = shop;
    this.kafka = kafka;
    this.#provider = provider.child;
    this.#providerUrl = provider.url;
    this.#chance = chance;
    this.#administrator = administrator;
    this.#token = customer.token;
    this.#products = customer.products.map(({ id }) => id);
    this.#skus = customer.products.map(({ sku }) => sku);
  }

  /**
   * Opens a shop on the databases that `env` names; the provider's ledger is in `folder`. `alongside` starts further
   * processes in the same environment, before the shop.
   */
  static async open(
    folder: string,
    env: Readonly<Record<string, string>>,
    chance: ReturnType<typeof seeded>,
    alongside: (env: Record<string, string>) => Promise<void> = async () => {},
  ): Promise<Laboratory> {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const provider = new Child(
      ["services/payments/provider/server.ts", "--port", `${port}`, "--data", join(folder, "provider.ledger")],
      {},
    );
    let shop: Shop | undefined;
    let kafka: Kafka | undefined;
    try {
      kafka = isOnKafka() ? await Kafka.start({ partible: true }) : undefined;
      await until("the provider answers", () =>
        fetch(`${url}/ledger`).then(
          () => true,
          () => false,
        ),
      );
      const settings = {
        ...env,
        ...(kafka && { KAFKA_BROKERS: kafka.servers }),
        PAYMENT_PROVIDER_URL: url,
        ADMIN_EMAIL: CHAOS.email,
        ADMIN_PASSWORD: CHAOS.password,
        // One customer sends what hundreds do.
        RATE_LIMIT_PERCENT: "1000000",
        WEBHOOK_NETWORKS: "127.0.0.0/8",
      };
      await alongside(settings);
      shop = await Shop.start(settings);
      return await Laboratory.at(shop, { child: provider, url }, chance, CHAOS, kafka);
    } catch (error) {
      await shop?.stop();
      await kafka?.stop();
      await provider.end("SIGTERM");
      throw error;
    }
  }

  /** At a shop that runs, and has products. */
  static async at(
    shop: Shop,
    provider: { child?: Child; url: string },
    chance: ReturnType<typeof seeded>,
    administrator: Credentials,
    kafka?: Kafka,
  ): Promise<Laboratory> {
    const token = await shop.customer("chaos");
    const products = await stock(shop, administrator);
    return new Laboratory(shop, kafka, provider, chance, administrator, { token, products });
  }

  async close(): Promise<void> {
    await this.shop.stop();
    await this.kafka?.stop();
    await this.#provider?.end("SIGTERM");
    this.#receiver?.closeAllConnections();
    this.#receiver?.close();
  }

  /** Adds a webhook, to which the shop tells each order that has left the house. */
  async listens(): Promise<void> {
    this.#receiver = createServer((request, response) => {
      json(request)
        .then((event: any) => {
          this.#told.add(event.data.orderId);
          response.writeHead(204).end();
        })
        .catch(() => response.writeHead(400).end());
    });
    await once(this.#receiver.listen(0, "127.0.0.1"), "listening");
    const { port } = this.#receiver.address() as AddressInfo;
    const { status } = await this.shop.request("POST", "/api/v1/ops/webhooks", {
      token: await this.#adminToken(),
      body: { url: `http://127.0.0.1:${port}/`, events: ["shop.order.completed"] },
    });
    expect(status).toBe(200);
  }

  async #adminToken(): Promise<string> {
    return (this.#admin ??= await this.shop.login(this.#administrator.email, this.#administrator.password));
  }

  /**
   * Receives one more piece of a SKU. The connection may be cut, and the piece be there or not: the check counts what
   * is there.
   */
  async receive(): Promise<void> {
    const token = await this.#adminToken();
    const path = `/api/v1/inventory/${this.#skus.at(-1)}/receive`;
    const answer = await this.shop.request("POST", path, { token, body: { quantity: 1 } }).catch(() => undefined);
    if (answer && answer.status < 300) this.receipts++;
  }

  /** Reads as the customer of these orders. */
  get(path: string): Promise<Answer> {
    return this.shop.request("GET", path, { token: this.#token });
  }

  /**
   * One request for an order: a new one, one without an answer yet, or, one in five, one that is answered. When the
   * shop's process may go away meanwhile the connection may be cut; otherwise that is a failure.
   */
  async order({ mayBeCut }: { readonly mayBeCut: boolean }): Promise<void> {
    const { random, pick } = this.#chance;
    const [old] = this.#unanswered;
    const repeat = random() < 0.2 ? pick([...this.acknowledged.keys(), undefined]) : undefined;
    const order = orderOf(
      Array.from({ length: 1 + Math.floor(random() * 3) }, () => ({
        productId: pick(this.#products),
        quantity: 1 + Math.floor(random() * 2),
      })),
      pick(TOKENS),
    );
    const [key, body] =
      old && random() < 0.5 ? old : [repeat ?? `key-${newId()}`, repeat ? this.#orders.get(repeat)! : order];
    this.#orders.set(key, body);
    const isAnswered = await this.#place(key, body).catch((error: Error) => {
      // A cut connection is recognised by name, since fetch throws the TypeError of another realm.
      if (!mayBeCut && !this.shop.child.running)
        throw new Error(`the shop has ended:\n${this.shop.child.output.slice(-TOLD_OUTPUT)}`, { cause: error });
      if (!mayBeCut || !["TypeError", "SyntaxError"].includes(error.name)) throw error;
      return false;
    });
    if (!isAnswered) await sleep(PAUSE_MS);
  }

  /** Waits until so many further orders are acknowledged, for each of them as long as for one. */
  async moreOrders(count: number): Promise<void> {
    const before = this.acknowledged.size;
    for (let n = 1; n <= count; n++)
      await until(`${n} more orders of ${count}`, () => this.acknowledged.size >= before + n, PROGRESS_WITHIN_MS);
  }

  /**
   * Whether the shop said to try again. It must say so as a problem with Retry-After; any other 5xx fails the test, and
   * shows the log.
   */
  isPutOff({ status, body, headers }: Answer): boolean {
    // The gateway that had the first attempt died with it, a moment ago.
    if (status === 409 && body.type === "/problems/idempotency-key-in-progress") {
      expect(Number(headers.get("Retry-After"))).toBeGreaterThan(0);
      return true;
    }
    if (status !== 429 && status < 500) return false;
    const { requestId } = body;
    const log = (this.shop.child?.output ?? "").split("\n");
    const line = log.findIndex(text => text.includes(requestId));
    const said = { type: headers.get("content-type"), body, log: line < 0 ? [] : log.slice(line, line + 20) };
    if (![429, 503, 504].includes(status))
      throw new Error(`a fault of the shop: ${JSON.stringify(said, undefined, 2)}`);
    expect(said).toMatchObject({ type: "application/problem+json", body: { status } });
    expect(Number(headers.get("Retry-After"))).toBeGreaterThan(0);
    return true;
  }

  /** Sends the request for this order once. False when it has to be repeated, under the same key. */
  async #place(key: string, order: object): Promise<boolean> {
    this.#unanswered.set(key, order);
    const answer = await this.shop.request("POST", "/api/v1/orders", {
      body: order,
      token: this.#token,
      headers: { "Idempotency-Key": key },
    });
    if (this.isPutOff(answer)) {
      this.putOff.set(answer.status, (this.putOff.get(answer.status) ?? 0) + 1);
      return false;
    }
    const { status, body } = answer;
    const { requestId: _, ...rest } = body;
    const before = this.acknowledged.get(key);
    if (before) expect(JSON.stringify(rest)).toBe(before.answer);
    else {
      expect(answer).toMatchObject({ status: 201 });
      this.acknowledged.set(key, { id: body.id, answer: JSON.stringify(rest) });
    }
    this.#unanswered.delete(key);
    return status === 201;
  }

  /**
   * After the faults: every order gets its answer, a repetition gets the first answer, and each acknowledged order
   * reaches its end by itself; the program that listens is told of each one that has left the house.
   */
  async comesToRest(): Promise<void> {
    await until("every order is answered", async () => {
      for (const [key, order] of this.#unanswered) await this.#place(key, order);
      return this.#unanswered.size === 0;
    });
    for (const key of [...this.acknowledged.keys()].slice(0, 20)) await this.#place(key, this.#orders.get(key)!);
    // For each as long as for one: a busy machine has more of them to end.
    for (const { id } of this.acknowledged.values()) {
      let status = "";
      const hasEnded = async (): Promise<boolean> => {
        const answer = await this.get(`/api/v1/orders/${id}`);
        status = answer.body.status;
        return answer.status === 200 && ENDS.includes(status);
      };
      await until(`${id} has ended`, hasEnded, PROGRESS_WITHIN_MS);
      if (this.#receiver && status === "shipped")
        await until(`${id} is told`, () => this.#told.has(id), PROGRESS_WITHIN_MS);
    }
  }

  /** With the shop stopped: the invariants hold, and the list of orders agrees with the log. */
  async checkRecords(): Promise<void> {
    const names = ["catalog", "carts", "orders", "inventory", "payments", "shipping", "checkout", "order-views"];
    const services = await Promise.all(names.map(name => import(`../../../services/${name}/${name}.service.ts`)));
    const embedded = await startBroker(
      services.map(module => module.default),
      this.shop.env,
    );
    try {
      const acknowledged = [...this.acknowledged.values()].map(({ id }) => id);
      const broken = await invariantsBrokenAtRest(embedded.call, this.#providerUrl, { acknowledged, withinMs: 60_000 });
      expect(broken).toEqual([]);
      const { orders } = await readBooks(embedded.call, this.#providerUrl);
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
}

/**
 * Few products, so that orders compete for their stock. Two run out; the others must not, or no order would be paid.
 */
async function stock(shop: Shop, { email, password }: Credentials): Promise<{ id: string; sku: string }[]> {
  const rows: { id: string; sku: string }[] = (await shop.request("GET", "/api/v1/products?pageSize=6")).body.rows;
  const token = await shop.login(email, password);
  for (const { sku } of rows.slice(2)) {
    const path = `/api/v1/inventory/${sku}/receive`;
    // Pods that have just started may say that it is not the request's turn; it may be received twice.
    const { status } = await until(
      () => shop.request("POST", path, { token, body: { quantity: 100_000 } }),
      answer => ![503, 504].includes(answer.status),
    );
    expect(status).toBeLessThan(300);
  }
  return rows;
}
