// The payment provider fails in every way that a network and a company can: the customer is charged at most once, and
// each order ends. The provider's own ledger is the witness.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { newId } from "@valence/runtime/kernel";
import { defineService } from "@valence/runtime/contract";
import { Sagas } from "@valence/runtime/saga/mixin";
import { seedProducts } from "../../../services/catalog/products.seed.ts";
import { Checkout } from "../../../services/checkout/checkout.saga.ts";
import { contract as checkoutContract } from "../../../services/checkout/contract.ts";
import type { LedgerEntry } from "../../../services/payments/provider/provider.ts";
import { until } from "@valence/runtime/testing";
import { startBroker, type TestBroker } from "@valence/runtime/testing/broker";
import { Child, freePort } from "@valence/runtime/testing/servers";
import { invariantsBrokenAtRest, readBooks } from "../support/shop-invariants.ts";
import { ADDRESS, orderOf, Shop } from "../support/shop.ts";

/** The provider as a process of its own, on a port and with a ledger that outlive it. */
class Provider {
  readonly url: string;
  readonly #args: readonly string[];
  #child: Child | undefined;
  private constructor(port: number, args: readonly string[]) {
    this.url = `http://127.0.0.1:${port}`;
    this.#args = args;
  }
  static async at(folder: string, ...options: readonly string[]): Promise<Provider> {
    const port = await freePort();
    const data = join(folder, "provider.sqlite");
    return new Provider(port, [
      "services/payments/provider/server.ts",
      "--port",
      `${port}`,
      "--data",
      data,
      ...options,
    ]);
  }
  async start(): Promise<void> {
    const child = (this.#child = new Child(this.#args, {}));
    await until("the provider listens", () => child.output.includes("payment provider on"));
  }
  async end(signal: NodeJS.Signals): Promise<void> {
    await this.#child?.end(signal);
  }
  async entry(key: string): Promise<LedgerEntry | undefined> {
    const response = await fetch(`${this.url}/ledger`);
    const { entries } = (await response.json()) as { entries: LedgerEntry[] };
    return entries.find(entry => entry.key === key);
  }
}

const servicesOf = (...names: string[]): Promise<ServiceSchema[]> =>
  Promise.all(names.map(async name => (await import(`../../../services/${name}/${name}.service.ts`)).default));

let folder: string;
let provider: Provider;

describe("the shop and its provider as processes", () => {
  let shop: Shop;
  let token: string;
  let products: { id: string; price: { amount: number } }[];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "provider-"));
    provider = await Provider.at(folder, "--slow-ms", "1500");
    shop = await Shop.start({ DATA_DIR: join(folder, "data"), PAYMENT_PROVIDER_URL: provider.url });
    token = await shop.customer("ann");
    products = (await shop.request("GET", "/api/v1/products?pageSize=10")).body.rows;
  }, 60_000);
  afterAll(async () => {
    await shop?.stop();
    await provider.end("SIGKILL");
    await rm(folder, { recursive: true });
  });

  const place = async (card: string, product = 0): Promise<string> => {
    const body = orderOf([{ productId: products[product]!.id, quantity: 1 }], card);
    const answer = await shop.request("POST", "/api/v1/orders", { token, body });
    expect(answer.status).toBe(201);
    return answer.body.id;
  };
  const placeMany = (count: number, card: string): Promise<string[]> =>
    Promise.all(Array.from({ length: count }, (_, i) => place(card, i % products.length)));
  const statusOf = async (id: string): Promise<string> =>
    (await shop.request("GET", `/api/v1/orders/${id}`, { token })).body.status;
  const become = (ids: readonly string[], ...statuses: string[]) =>
    until(
      `${ids.length} orders are ${statuses.join(" or ")}`,
      async () => (await Promise.all(ids.map(statusOf))).every(now => statuses.includes(now)),
      60_000,
    );

  test("down from the start: orders are taken and wait, and go through when it comes up", async () => {
    const ids = [...(await placeMany(3, "tok_ok")), await place("tok_declined")];
    await become(ids, "stock_reserved");
    // Longer than the first few attempts.
    await sleep(1_500);
    await become(ids, "stock_reserved");
    await provider.start();
    await become(ids.slice(0, 3), "shipped");
    await become(ids.slice(3), "rejected");
  }, 60_000);

  test("killed while it looks at slow tokens: they are asked for again under the same key", async () => {
    const ids = [...(await placeMany(5, "tok_slow")), ...(await placeMany(5, "tok_ok"))];
    await become(ids, "stock_reserved", "paid", "confirmed", "shipped");
    await provider.end("SIGKILL");
    await sleep(300);
    await provider.start();
    await become(ids, "shipped");
  }, 60_000);

  test("at rest no invariant of the shop is broken, by the provider's ledger", async () => {
    expect(await shop.child.end("SIGTERM")).toBe(0);
    const names = ["catalog", "carts", "orders", "inventory", "payments", "shipping", "checkout"];
    const embedded = await startBroker(await servicesOf(...names), {
      DATA_DIR: join(folder, "data"),
      PAYMENT_PROVIDER_URL: provider.url,
    });
    try {
      expect(await invariantsBrokenAtRest(embedded.call, provider.url)).toEqual([]);
      expect((await readBooks(embedded.call, provider.url)).ledger).toHaveLength(14);
    } finally {
      await embedded.stop();
    }
  });
});

// ---- late answers

type Verb = "authorize" | "capture" | "void";
/** Decides about a request on its way: `pass` forwards it, whenever it is called; the answer may be replaced. */
type Rule = (pass: () => Promise<Passed>) => Promise<Passed>;
interface Passed {
  readonly status: number;
  readonly text: string;
}

/** A network between shop and provider that loses and delays packets as a test asks. */
class Network {
  readonly rules = new Map<Verb, Rule>();
  readonly answers: { verb: Verb; status: number }[] = [];
  readonly #server: Server;
  private constructor(target: string) {
    this.#server = createServer((request, response) => {
      const path = request.url!;
      const verb: Verb = path.endsWith("/void") ? "void" : path.endsWith("/capture") ? "capture" : "authorize";
      const forward = async (): Promise<void> => {
        const body = await textOf(request);
        const pass = async (): Promise<Passed> => {
          const headers = {
            "content-type": "application/json",
            "idempotency-key": String(request.headers["idempotency-key"]),
          };
          const answer = await fetch(target + path, { method: "POST", headers, body });
          this.answers.push({ verb, status: answer.status });
          return { status: answer.status, text: await answer.text() };
        };
        const { status, text } = await (this.rules.get(verb) ?? (pass => pass()))(pass);
        // The client may have left.
        if (!response.destroyed) response.writeHead(status, { "content-type": "application/json" }).end(text);
      };
      // When the connection to the provider breaks, so does the one to the shop.
      forward().catch(() => response.destroy());
    });
  }
  static async before(target: string): Promise<Network> {
    const network = new Network(target);
    network.#server.listen(0, "127.0.0.1");
    await once(network.#server, "listening");
    return network;
  }
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  close(): void {
    this.#server.close().closeAllConnections();
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>(resolve => (open = resolve));
  return { opened, open };
}

describe("a saga that soon gives up", () => {
  const GIVES_UP_MS = 600;
  let network: Network;
  let shop: TestBroker;
  let product: { id: string; sku: string; price: { amount: number } };
  const gates: { open: () => void }[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "provider-late-"));
    provider = await Provider.at(folder);
    await provider.start();
    network = await Network.before(provider.url);
    // The shop's own saga, but it waits half a second for an authorization instead of half a minute.
    const steps = Checkout.steps.map(step => (step.name === "authorize" ? { ...step, timeoutMs: GIVES_UP_MS } : step));
    const impatient = defineService(checkoutContract, {
      mixins: [Sagas({ ...Checkout, steps }, { limits: { retryCapMs: 300 } })],
    });
    const services = await servicesOf("catalog", "carts", "orders", "inventory", "payments", "shipping");
    shop = await startBroker([...services, impatient], { PAYMENT_PROVIDER_URL: network.url });
    await shop.call("catalog.seed", { products: seedProducts.slice(0, 1) });
    product = (await shop.call("catalog.list", {})).rows[0]!;
    await shop.call("inventory.receive", { id: product.sku, quantity: 100 });
  }, 60_000);
  afterEach(() => {
    network.rules.clear();
    network.answers.length = 0;
    for (const { open } of gates.splice(0)) open();
  });
  afterAll(async () => {
    await shop?.stop();
    network?.close();
    await provider.end("SIGKILL");
    await rm(folder, { recursive: true });
  });

  const held = () => {
    const made = gate();
    gates.push(made);
    return made;
  };
  const place = async (token = "tok_ok"): Promise<string> => {
    const id = newId();
    await shop.call("orders.place", {
      id,
      customer: newId(),
      lines: [{ productId: product.id, quantity: 1 }],
      shippingAddress: ADDRESS,
      payment: { method: "card", token },
    });
    return id;
  };
  const statusOf = async (id: string): Promise<string> => (await shop.call("orders.view", { id })).status;
  const rejected = (id: string) => until("the order is rejected", async () => (await statusOf(id)) === "rejected");
  const events = async (id: string): Promise<string[]> =>
    (await shop.call("payments.history", { id })).events.map(({ type }) => type);
  const answered = (verb: Verb, status: number) =>
    until(`${verb} was answered ${status}`, () =>
      network.answers.some(answer => answer.verb === verb && answer.status === status),
    );
  const expectNothingHeld = async (id: string) => {
    const { authorized, voided, captured } = (await provider.entry(id))!;
    expect({ held: authorized - voided, captured }).toEqual({ held: 0, captured: 0 });
  };

  test("down for longer than the saga waits: the order is rejected and its stock released once the void is through", async () => {
    const down: Rule = async () => ({ status: 503, text: "" });
    network.rules.set("authorize", down).set("void", down);
    const id = await place();
    const compensating = () =>
      shop.broker.call<{ sagas: { id: string }[] }, object>("checkout.sagas", { state: "compensating" });
    await until("the saga compensates", async () => (await compensating()).sagas.length === 1);
    // It is not known yet whether the provider has authorized: until the payment is voided the order stays open.
    expect(await statusOf(id)).toBe("stock_reserved");
    network.rules.clear();
    await rejected(id);
    expect(await provider.entry(id)).toMatchObject({ authorized: 0, captured: 0 });
  });

  test("an authorization that arrives after the void meets its tombstone", async () => {
    const arrival = held();
    network.rules.set("authorize", async pass => {
      await arrival.opened;
      return pass();
    });
    const id = await place();
    await rejected(id);
    expect(await events(id)).toEqual(["payment.requested", "payment.void_requested", "payment.voided"]);
    arrival.open();
    await answered("authorize", 409);
    await expectNothingHeld(id);
    expect(await events(id)).toHaveLength(3);
  });

  test("an authorization whose yes arrives after the void is recorded as late, and voided once more", async () => {
    const arrival = held();
    network.rules.set("authorize", async pass => {
      const answer = await pass();
      await arrival.opened;
      return answer;
    });
    const id = await place();
    await rejected(id);
    await expectNothingHeld(id);
    arrival.open();
    await until("the late yes is recorded and voided", async () => (await events(id)).length === 5);
    expect((await events(id)).slice(2)).toEqual(["payment.voided", "payment.authorized_late", "payment.voided"]);
    await expectNothingHeld(id);
  });

  test("a provider that keeps no tombstone: what it authorizes after the void is voided", async () => {
    const arrival = held();
    network.rules
      .set("authorize", async pass => {
        await arrival.opened;
        return pass();
      })
      // The first void is acknowledged and lost.
      .set("void", async () => {
        network.rules.delete("void");
        return { status: 200, text: JSON.stringify({ status: "voided" }) };
      });
    const id = await place();
    await rejected(id);
    expect(await provider.entry(id)).toBeUndefined();
    arrival.open();
    await answered("authorize", 201);
    await answered("void", 200);
    await expectNothingHeld(id);
  });

  test("flaky: each of 30 orders is charged once, or rejected and not charged", async () => {
    const ids = await Promise.all(Array.from({ length: 30 }, () => place("tok_flaky")));
    const statuses = () => Promise.all(ids.map(statusOf));
    await until("all have ended", async () =>
      (await statuses()).every(status => ["shipped", "rejected"].includes(status)),
    );
    const ended = await statuses();
    expect(ended).toContain("shipped");
    const entries = await Promise.all(ids.map(id => provider.entry(id)));
    expect(entries.map(entry => entry?.captured ?? 0)).toEqual(
      ended.map(status => (status === "shipped" ? product.price.amount : 0)),
    );
  });

  test("after all that nothing is reserved, nothing held, and the next order ships", async () => {
    const id = await place();
    await until("it has shipped", async () => (await statusOf(id)) === "shipped");
    expect(await invariantsBrokenAtRest(shop.call, provider.url, { acknowledged: [id] })).toEqual([]);
  });
});
