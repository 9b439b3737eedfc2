// Money when something goes wrong: a provider that is slow, does not answer or refuses us, a customer who has to ask
// their bank, a capture that can never succeed, refunds. The provider's own ledger is the witness, and at rest no
// invariant of the shop is broken.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceSchema } from "moleculer";
import { newId } from "@valence/runtime/kernel";
import { defineService } from "@valence/runtime/contract";
import { Sagas } from "@valence/runtime/saga/mixin";
import api from "../../../services/api/api.service.ts";
import carts from "../../../services/carts/carts.service.ts";
import catalog from "../../../services/catalog/catalog.service.ts";
import { seedProducts } from "../../../services/catalog/products.seed.ts";
import { Checkout } from "../../../services/checkout/checkout.saga.ts";
import { contract as checkoutContract } from "../../../services/checkout/contract.ts";
import { Refund } from "../../../services/checkout/refund.saga.ts";
import inventory from "../../../services/inventory/inventory.service.ts";
import ops from "../../../services/ops/ops.service.ts";
import orders from "../../../services/orders/orders.service.ts";
import payments from "../../../services/payments/payments.service.ts";
import { startProvider, type LedgerEntry, type Provider } from "../../../services/payments/provider/provider.ts";
import shipping from "../../../services/shipping/shipping.service.ts";
import { until } from "@valence/runtime/testing";
import { startBroker, type TestBroker } from "@valence/runtime/testing/broker";
import { freePort } from "@valence/runtime/testing/servers";
import { invariantsBrokenAtRest } from "../support/shop-invariants.ts";
import { ADDRESS } from "../support/shop.ts";

const SECRET = "between the two of us";
const PENDING_MS = 1_500;
/** The shop's own saga waits half a minute for an authorization. */
const GIVES_UP_MS = 1_200;
/** Milliseconds of a request to the provider: 0.8 of this. */
const REQUEST_TIMEOUT_MS = 1_000;

type Verb = "authorize" | "capture" | "void" | "find" | "refund";
interface Said {
  readonly status: number;
  readonly body: object | string;
}
/** Decides about a request: `pass` forwards it to the provider, and answers its answer. */
type Rule = (pass: () => Promise<Said>, key: string) => Promise<Said> | Said;

const VERBS: [RegExp, Verb][] = [
  [/\/capture$/, "capture"],
  [/\/void$/, "void"],
  [/\/refunds$/, "refund"],
  [/^\/authorizations$/, "authorize"],
];

let folder: string;
let provider: Provider;
let between: Server;
let shop: TestBroker;
let apiUrl: string;
let products: { id: string; sku: string; price: { amount: number } }[];
const rules = new Map<Verb, Rule>();
const asked: { verb: Verb; key: string }[] = [];
const lines: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "money-"));
  const port = await freePort();
  apiUrl = `http://127.0.0.1:${port}`;
  provider = await startProvider({
    filename: join(folder, "ledger.sqlite"),
    pendingMs: 0,
    webhookUrl: `${apiUrl}/api/v1/payments/webhook`,
    webhookSecret: SECRET,
  });
  between = createServer((request, response) => {
    const path = request.url!;
    const verb = VERBS.find(([pattern]) => pattern.test(path))?.[1] ?? "find";
    const serve = async (): Promise<void> => {
      const body = await text(request);
      const key = String(request.headers["idempotency-key"]);
      asked.push({ verb, key });
      const pass = async (): Promise<Said> => {
        const answer = await fetch(provider.url + path, {
          method: request.method!,
          headers: { "content-type": "application/json", "idempotency-key": key },
          ...(request.method === "POST" && { body }),
        });
        return { status: answer.status, body: await answer.text() };
      };
      const said = await (rules.get(verb) ?? (pass => pass()))(pass, key);
      if (!response.destroyed)
        response.writeHead(said.status).end(typeof said.body === "string" ? said.body : JSON.stringify(said.body));
    };
    serve().catch(() => response.destroy());
  }).listen(0, "127.0.0.1");
  await once(between, "listening");
  const steps = Checkout.steps.map(step => (step.name === "authorize" ? { ...step, timeoutMs: GIVES_UP_MS } : step));
  const impatient = defineService(checkoutContract, {
    mixins: [Sagas([{ ...Checkout, steps }, Refund], { limits: { retryCapMs: 200 } })],
  });
  shop = await startBroker(
    [catalog, carts, orders, inventory, payments, shipping, impatient, ops, api as ServiceSchema],
    {
      PAYMENT_PROVIDER_URL: `http://127.0.0.1:${(between.address() as AddressInfo).port}`,
      PAYMENT_WEBHOOK_SECRET: SECRET,
      PAYMENT_PENDING_MS: `${PENDING_MS}`,
      REQUEST_TIMEOUT_MS: `${REQUEST_TIMEOUT_MS}`,
      PORT: `${port}`,
    },
  );
  const service = shop.broker.getLocalService("payments") as unknown as { broker: { logger: object } };
  Object.assign(service.broker.logger, { error: (line: unknown) => void lines.push(String(line)) });
  const free = { ...seedProducts[1]!, price: { amount: 0, currency: seedProducts[0]!.price.currency } };
  await shop.call("catalog.seed", { products: [seedProducts[0]!, free] });
  const { rows } = await shop.call("catalog.list", {});
  products = rows.toSorted((a, b) => b.price.amount - a.price.amount);
  for (const { sku } of products) await shop.call("inventory.receive", { id: sku, quantity: 100 });
}, 60_000);
afterEach(() => rules.clear());
afterAll(async () => {
  await shop?.stop();
  between?.close().closeAllConnections();
  await provider?.close();
  await rm(folder, { recursive: true });
});

async function place(token = "tok_ok", quantity = 1, product = 0): Promise<string> {
  const id = newId();
  await shop.call("orders.place", {
    id,
    customer: newId(),
    lines: [{ productId: products[product]!.id, quantity }],
    shippingAddress: ADDRESS,
    payment: { method: "card", token },
  });
  return id;
}
const statusOf = async (id: string): Promise<string> => (await shop.call("orders.view", { id })).status;
const becomes = (id: string, ...statuses: string[]) =>
  until(`the order is ${statuses.join(" or ")}`, async () => statuses.includes(await statusOf(id)), 15_000);
const stuck = (id: string) =>
  until("its saga is stuck", async () => {
    const { sagas } = await shop.broker.call<{ sagas: { id: string }[] }, object>("checkout.sagas", { state: "stuck" });
    return sagas.some(saga => saga.id === `checkout.${id}`);
  });
const saga = (id: string): Promise<{ state: string; reason: string | null }> =>
  shop.broker.call("checkout.saga", { id: `checkout.${id}` });
async function entries(id: string): Promise<LedgerEntry[]> {
  const response = await fetch(`${provider.url}/ledger`);
  const { entries } = (await response.json()) as { entries: LedgerEntry[] };
  return entries.filter(({ key }) => key.split(":")[0] === id);
}
const held = async (id: string) => {
  const sum = (field: "authorized" | "captured" | "voided" | "refunded") => (all: LedgerEntry[]) =>
    all.reduce((total, entry) => total + entry[field], 0);
  const all = await entries(id);
  return {
    held: sum("authorized")(all) - sum("voided")(all) - sum("captured")(all),
    charged: sum("captured")(all) - sum("refunded")(all),
  };
};
const timesAsked = (verb: Verb, id: string): number =>
  asked.filter(request => request.verb === verb && request.key.split(":")[0] === id).length;
const settle = (key: string, status: string) =>
  fetch(`${provider.url}/authorizations/${key}/settle`, { method: "POST", body: JSON.stringify({ status }) });
const inProgress: Said = { status: 409, body: { error: "in progress" } };

describe("the body decides, not the status code", () => {
  /** The first request is answered late; a repetition meanwhile hears that it is in progress. */
  const slow = (verb: Verb, lateMs: number): void => {
    let first: Promise<Said> | undefined;
    let isDone = false;
    rules.set(verb, async pass => {
      if (isDone) return pass();
      if (first) return inProgress;
      first = sleep(lateMs)
        .then(pass)
        .finally(() => (isDone = true));
      return first;
    });
  };

  test("an authorization that is answered after our time-out, its repetitions with 409 in progress: it is found and ships", async () => {
    slow("authorize", 950);
    const id = await place();
    await becomes(id, "shipped", "rejected");
    expect(await statusOf(id)).toBe("shipped");
    expect(await held(id)).toEqual({ held: 0, charged: products[0]!.price.amount });
  });

  test("likewise for longer than the saga waits: the order is rejected once its void is confirmed, and nothing is held", async () => {
    slow("authorize", 3_000);
    rules.set("find", () => ({ status: 405, body: "" }));
    const id = await place();
    await becomes(id, "shipped", "rejected");
    expect(await statusOf(id)).toBe("rejected");
    await sleep(2_500);
    expect(timesAsked("void", id)).toBeGreaterThan(0);
    expect(await held(id)).toEqual({ held: 0, charged: 0 });
  });

  test("a capture in progress is no refusal: it is asked for again, and ships", async () => {
    let times = 0;
    rules.set("capture", async pass => {
      const said = await pass();
      return ++times < 4 ? inProgress : said;
    });
    rules.set("find", () => ({ status: 404, body: { error: "no such resource" } }));
    const id = await place();
    await becomes(id, "shipped");
    expect(await held(id)).toEqual({ held: 0, charged: products[0]!.price.amount });
  });

  test.each<[string, Said]>([
    ["409 in progress", inProgress],
    ["404", { status: 404, body: { error: "no such resource" } }],
    ["200 authorized", { status: 200, body: { status: "authorized", authorizationId: "auth_1" } }],
    ["200 and nothing", { status: 200, body: "" }],
    ["401", { status: 401, body: "" }],
  ])("a void that is answered %s is none: the order is not rejected until one is confirmed", async (_what, said) => {
    let voids = 0;
    rules.set("authorize", async pass => {
      await pass();
      return { status: 503, body: "" };
    });
    rules.set("find", () => ({ status: 503, body: "" }));
    rules.set("void", pass => (++voids < 4 ? said : pass()));
    const id = await place();
    await until("three voids", async () => {
      if (voids > 0 && voids < 4) expect(await statusOf(id)).toBe("stock_reserved");
      return voids >= 3;
    });
    await becomes(id, "rejected");
    expect(voids).toBe(4);
    expect(await held(id)).toEqual({ held: 0, charged: 0 });
  });

  test.each([400, 401, 403])(
    "%i is our own mistake: the order is held, the alarm says so, and the order goes on once it is mended",
    async code => {
      const refuse: Rule = () => ({ status: code, body: { error: "wrong API key" } });
      for (const verb of ["authorize", "find", "void", "capture"] as const) rules.set(verb, refuse);
      const [id, other] = [await place(), await place("tok_declined")];
      await sleep(GIVES_UP_MS + 1_000);
      expect([await statusOf(id), await statusOf(other)]).toEqual(["stock_reserved", "stock_reserved"]);
      // The alarm is logged once a minute, however many requests are refused.
      expect(lines.filter(line => /provider refuses our requests.*HTTP/.test(line))).toHaveLength(1);
      expect(await shop.call("payments.provider", {})).toMatchObject({
        misconfigured: true,
        reason: expect.stringContaining(`HTTP ${code}`),
      });
      rules.clear();
      await becomes(id, "shipped");
      await becomes(other, "rejected");
      expect((await shop.call("orders.view", { id: other })).reason).toBe("PAYMENT_DECLINED");
      expect(await shop.call("payments.provider", {})).toEqual({ misconfigured: false, refused: 0 });
    },
  );

  test("only a decline declines: after a 402 whose body says otherwise the provider is asked again", async () => {
    let times = 0;
    rules.set("authorize", pass => (++times < 3 ? { status: 402, body: "<html>pay the proxy</html>" } : pass()));
    const id = await place();
    await becomes(id, "shipped");
  });
});

describe("a payment that its customer has to agree to", () => {
  /** `settle` triggers the bundled provider's own webhook; without it the shop would ask by itself. */
  const onlyTheWebhook = () => rules.set("find", () => ({ status: 503, body: "" }));
  const waits = async () => {
    const id = await place("tok_pending");
    await until("it is pending", async () => (await shop.call("payments.get", { id })).state.status === "pending");
    return id;
  };
  const post = (body: string, signature: string) =>
    fetch(`${apiUrl}/api/v1/payments/webhook`, {
      method: "POST",
      headers: { "content-type": "application/json", "webhook-signature": signature },
      body,
    });
  const signed = (body: string, ageMs = 0, secret = SECRET) => {
    const seconds = Math.floor((Date.now() - ageMs) / 1_000);
    return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;
  };

  test("waits, and ships once the webhook says that they have", async () => {
    onlyTheWebhook();
    const id = await waits();
    expect(await statusOf(id)).toBe("stock_reserved");
    await settle(id, "authorized");
    await becomes(id, "shipped");
    expect(await held(id)).toEqual({ held: 0, charged: products[0]!.price.amount });
  });

  test("is rejected when they decline", async () => {
    onlyTheWebhook();
    const id = await waits();
    await settle(id, "declined");
    await becomes(id, "rejected");
    expect((await shop.call("orders.view", { id })).reason).toBe("PAYMENT_DECLINED");
  });

  test("is asked for where no webhook comes", async () => {
    const id = await waits();
    const seen = timesAsked("find", id);
    await until("it is looked up", () => asked.filter(({ verb }) => verb === "find").length > seen);
    await settle(id, "authorized");
    await becomes(id, "shipped");
  });

  test("has a deadline: past it the order is rejected and voided, and a late yes of the customer holds nothing", async () => {
    const id = await waits();
    await becomes(id, "rejected");
    expect((await shop.call("orders.view", { id })).reason).toBe("PAYMENT_EXPIRED");
    await settle(id, "authorized");
    expect(await held(id)).toEqual({ held: 0, charged: 0 });
  });

  test("believes no webhook but the provider's: forged, changed and old ones are 401 and change nothing", async () => {
    const id = await waits();
    const body = JSON.stringify({ key: id, status: "authorized", authorizationId: "auth_forged" });
    for (const [sent, signature] of [
      [body, ""],
      [body, "t=1,v1=00"],
      [body, signed(body, 0, "guessed")],
      [body.replace("auth_forged", "auth_other"), signed(body)],
      [body, signed(body, 600_000)],
      [body, signed(body, -600_000)],
      ["{}", signed("{}")],
      ["null", signed("null")],
    ] as const)
      expect((await post(sent, signature)).status).toBe(401);
    const unknown = JSON.stringify({ key: newId(), status: "authorized", authorizationId: "auth_1" });
    expect((await post(unknown, signed(unknown))).status).toBe(404);
    expect((await shop.call("payments.get", { id, consistent: true })).state.status).toBe("pending");
    await becomes(id, "rejected");
    // Sent again within the window, after the void: the payment is voided once more, and stays so.
    expect((await post(body, signed(body))).status).toBe(200);
    expect((await post(body, signed(body))).status).toBe(200);
    await until("it is voided again", async () => {
      const { state } = await shop.call("payments.get", { id, consistent: true });
      return state.status === "voided";
    });
    expect(await held(id)).toEqual({ held: 0, charged: 0 });
  });
});

test.each(["tok_ok", "tok_declined"])("a total of nothing is not asked for, and ships, by %s", async token => {
  const id = await place(token, 3, 1);
  await becomes(id, "shipped");
  expect(await entries(id)).toEqual([]);
  expect(asked.filter(({ key }) => key.startsWith(id))).toEqual([]);
});

test("the number of a card is refused as a token, by name, and is in no record", async () => {
  const token = "4242424242424242";
  const authorization = { id: newId(), amount: { amount: 100, currency: "EUR" }, token };
  const field = (name: string) => ({ type: "VALIDATION_ERROR", data: [{ field: name }] });
  await expect(place(token)).rejects.toMatchObject(field("payment.token"));
  await expect(shop.call("payments.authorize", authorization)).rejects.toMatchObject(field("token"));
  await expect(shop.call("payments.request", authorization)).rejects.toMatchObject(field("token"));
  await expect(shop.call("payments.reauthorize", { id: newId(), token })).rejects.toMatchObject(field("token"));
  expect(lines.join("\n")).not.toContain(token);
});

describe("a capture that can never succeed", () => {
  /** The authorization expires between the confirmation and its capture. */
  const expires = () =>
    rules.set("capture", async (pass, key) => {
      rules.delete("capture");
      await fetch(`${provider.url}/authorizations/${encodeURIComponent(key)}/void`, { method: "POST", body: "{}" });
      return pass();
    });
  const operate = (action: string, params: object): Promise<any> => shop.broker.call(action, params);
  const level = () => shop.call("inventory.level", { sku: products[0]!.sku });

  test("is authorized anew by an operator, and charged once", async () => {
    expires();
    const id = await place();
    await stuck(id);
    expect((await saga(id)).reason).toMatch(/PAYMENT_VOIDED.*holds nothing any more/);
    const key = { id: `checkout.${id}` };
    await expect(operate("ops.compensateSaga", key)).rejects.toMatchObject({ type: "SAGA_PAST_PIVOT" });
    expect(await operate("payments.reauthorize", { id })).toEqual({ paymentId: id, status: "authorized" });
    // Once: the second reauthorization finds the payment authorized.
    await operate("ops.retrySaga", key);
    await becomes(id, "shipped");
    await expect(operate("payments.reauthorize", { id })).rejects.toMatchObject({ type: "PAYMENT_CAPTURED" });
    expect(await held(id)).toEqual({ held: 0, charged: products[0]!.price.amount });
    expect((await entries(id)).map(({ key }) => key)).toEqual([id, `${id}:2`]);
  });

  test("by another card, after that one was declined", async () => {
    expires();
    const id = await place();
    await stuck(id);
    await expect(operate("payments.reauthorize", { id, token: "tok_declined" })).rejects.toMatchObject({
      type: "PAYMENT_DECLINED",
    });
    expect(await operate("payments.reauthorize", { id, token: "tok_ok" })).toMatchObject({ status: "authorized" });
    await operate("ops.retrySaga", { id: `checkout.${id}` });
    await becomes(id, "shipped");
    expect(await held(id)).toEqual({ held: 0, charged: products[0]!.price.amount });
  });

  test("or the order is taken back: cancelled, its stock released, nothing held", async () => {
    const before = await level();
    expires();
    const id = await place("tok_ok", 2);
    await stuck(id);
    expect((await level()).reserved).toBe(before.reserved + 2);
    await operate("ops.compensateSaga", { id: `checkout.${id}`, pastPivot: true, note: "the customer gave up" });
    await becomes(id, "cancelled");
    await until("its saga has ended", async () => (await saga(id)).state === "compensated");
    expect(await level()).toEqual(before);
    expect(await held(id)).toEqual({ held: 0, charged: 0 });
  });

  test("if it had succeeded after all, what was charged is refunded", async () => {
    rules.set("capture", async pass => {
      await pass();
      return { status: 409, body: { status: "voided" } };
    });
    const id = await place();
    await stuck(id);
    expect(await held(id)).toEqual({ held: 0, charged: products[0]!.price.amount });
    await operate("ops.compensateSaga", { id: `checkout.${id}`, pastPivot: true });
    await becomes(id, "cancelled");
    await until("its saga has ended", async () => (await saga(id)).state === "compensated");
    expect(await entries(id)).toMatchObject([
      { captured: products[0]!.price.amount, refunded: products[0]!.price.amount },
    ]);
  });

  test("authorizing anew never holds twice: what had been captured is recorded instead", async () => {
    rules.set("capture", async pass => {
      rules.delete("capture");
      await pass();
      return { status: 409, body: { status: "voided" } };
    });
    const id = await place();
    await stuck(id);
    expect(await operate("payments.reauthorize", { id })).toEqual({ paymentId: id, status: "captured" });
    await operate("ops.retrySaga", { id: `checkout.${id}` });
    await becomes(id, "shipped");
    expect(await held(id)).toEqual({ held: 0, charged: products[0]!.price.amount });
  });
});

describe("refunds", () => {
  const refund = (id: string, params: object) =>
    shop.call("orders.refund", { id, refundId: newId(), restock: true, ...params });
  const ended = async (id: string, ...statuses: string[]) =>
    until(`its refunds are ${statuses.join(", ")}`, async () => {
      const { refunds = [] } = await shop.call("orders.view", { id });
      return refunds.map(({ status }) => status).join() === statuses.join();
    });

  test("by line with its goods, then all that is left without them; never more, and once a key", async () => {
    const price = products[0]!.price.amount;
    const { available } = await shop.call("inventory.level", { sku: products[0]!.sku });
    const id = await place("tok_ok", 3);
    await becomes(id, "shipped");
    const lines = [{ productId: products[0]!.id, quantity: 1 }];
    const refundId = newId();
    const commandId = "client:refund-1";
    const first = await shop.call("orders.refund", { id, refundId, lines, restock: true }, { commandId });
    expect(first).toMatchObject({ refundId, amount: { amount: price } });
    expect(await shop.call("orders.refund", { id, refundId, lines, restock: true }, { commandId })).toEqual(first);
    await ended(id, "refunded");
    expect(await held(id)).toEqual({ held: 0, charged: 2 * price });
    expect((await shop.call("inventory.level", { sku: products[0]!.sku })).available).toBe(available - 2);
    await expect(refund(id, { lines: [{ productId: products[0]!.id, quantity: 3 }] })).rejects.toMatchObject({
      type: "REFUND_TOO_LARGE",
    });
    await refund(id, { restock: false, reason: "never arrived" });
    await ended(id, "refunded", "refunded");
    expect(await held(id)).toEqual({ held: 0, charged: 0 });
    expect((await shop.call("inventory.level", { sku: products[0]!.sku })).available).toBe(available - 2);
    await expect(refund(id, {})).rejects.toMatchObject({ type: "REFUND_TOO_LARGE" });
  });

  test("a refund whose answer is lost is paid once; one that the provider declines brings no goods back, and may be tried again", async () => {
    const id = await place("tok_ok", 2);
    await becomes(id, "shipped");
    const lines = [{ productId: products[0]!.id, quantity: 1 }];
    let times = 0;
    rules.set("refund", async pass => {
      const said = await pass();
      return ++times < 3 ? { status: 503, body: "" } : said;
    });
    await refund(id, { lines });
    await ended(id, "refunded");
    rules.set("refund", () => ({ status: 409, body: { status: "declined" } }));
    await refund(id, {});
    await ended(id, "refunded", "failed");
    rules.clear();
    await refund(id, {});
    await ended(id, "refunded", "failed", "refunded");
    expect(await held(id)).toEqual({ held: 0, charged: 0 });
  });

  test("of goods that cost nothing: the provider is not asked, and the goods come back", async () => {
    const { available } = await shop.call("inventory.level", { sku: products[1]!.sku });
    const id = await place("tok_ok", 2, 1);
    await becomes(id, "shipped");
    await refund(id, {});
    await ended(id, "refunded");
    expect((await shop.call("inventory.level", { sku: products[1]!.sku })).available).toBe(available);
    expect(await entries(id)).toEqual([]);
  });
});

test("after all that no invariant of the shop is broken", async () => {
  expect(await invariantsBrokenAtRest(shop.call, provider.url)).toEqual([]);
});
