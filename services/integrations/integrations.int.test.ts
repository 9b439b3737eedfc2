// A completed order as a program outside gets it: the bundled example, run as it is.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { typedCall, type Call } from "@valence/runtime/contract";
import { newId } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { newBrokers, type TestBrokers } from "@valence/runtime/testing/broker";
import { freePort } from "@valence/runtime/testing/servers";
import catalog from "../catalog/catalog.service.ts";
import { seedProducts } from "../catalog/products.seed.ts";
import orders from "../orders/orders.service.ts";
import integrations from "./integrations.service.ts";

const EXAMPLE = join(import.meta.dirname, "../../examples/receive-webhooks/receive-webhooks.mjs");
const ADDRESS = { name: "Ada Lovelace", line1: "1 Main St", city: "London", postalCode: "N1", country: "GB" };

let brokers: TestBrokers;
let broker: ServiceBroker;
let call: Call;
let url: string;
let secret: string;
let receiver: ChildProcess;
let printed = "";
const ask = (action: string, params: object = {}): Promise<any> => broker.call(`integrations.${action}`, params);

beforeAll(async () => {
  brokers = await newBrokers({ SEED: "off", WEBHOOK_NETWORKS: "127.0.0.0/8" });
  broker = await brokers.start(catalog, orders, integrations);
  call = typedCall(broker);
  url = `http://127.0.0.1:${await freePort()}/`;
  ({ secret } = await ask("addWebhook", { url, events: ["shop.order.completed"] }));
  receiver = spawn(process.execPath, [EXAMPLE, new URL(url).port], {
    env: { ...process.env, NODE_OPTIONS: "", WEBHOOK_SECRET: secret },
    stdio: ["ignore", "pipe", "inherit"],
  });
  receiver.stdout!.on("data", chunk => void (printed += chunk));
  await until("it listens", () =>
    fetch(url).then(
      () => true,
      () => false,
    ),
  );
});
afterAll(async () => {
  receiver?.kill("SIGKILL");
  await brokers.stop();
});

test("a shipped order is told once, with lines and total, and of the customer nothing but the id", async () => {
  await call("catalog.seed", { products: seedProducts.slice(0, 1) });
  const [product] = (await call("catalog.list", {})).rows;
  const [id, customer] = [newId(), newId()];
  const lines = [{ productId: product!.id, quantity: 2 }];
  const payment = { method: "card", token: "tok_ok" } as const;
  await call("orders.place", { id, customer, lines, shippingAddress: ADDRESS, payment });
  await call("orders.markReserved", { id });
  await call("orders.markPaid", { id, paymentId: "p1" });
  await call("orders.confirm", { id });
  await call("orders.markShipped", { id, trackingId: "track-1" });
  const event = JSON.parse(await until("it is printed", () => printed.trim()));
  const { sku, name, price } = product!;
  expect(event).toMatchObject({ type: "shop.order.completed.v1", source: "/integrations", subject: `order.${id}` });
  expect(event.data).toEqual({
    orderId: id,
    customerId: customer,
    lines: [{ productId: product!.id, sku, name, quantity: 2, unitPrice: price }],
    total: { ...price, amount: 2 * price.amount },
    placedAt: expect.any(String),
    completedAt: event.time,
  });
  expect(printed).not.toMatch(/Lovelace|Main St|tok_ok|track-1/);

  // The same again, as after an answer that was lost: the receiver knows its id.
  const { webhooks } = await ask("webhooks");
  const since = new Date(0).toISOString();
  await ask("replayWebhook", { id: webhooks[0].id, since });
  const deliveries = () => ask("webhookDeliveries", { state: "delivered" });
  await until("it is delivered again", async () => (await deliveries()).deliveries[0]?.status === 204);
  expect(printed.trim().split("\n")).toHaveLength(1);
});

test("the example believes nothing without a signature of these minutes", async () => {
  const headers = { "webhook-id": "1", "webhook-timestamp": `${Math.floor(Date.now() / 1_000)}` };
  for (const wrong of [{}, headers, { ...headers, "webhook-signature": "v1,AAAA" }])
    expect((await fetch(url, { method: "POST", headers: wrong, body: "{}" })).status).toBe(401);
});
