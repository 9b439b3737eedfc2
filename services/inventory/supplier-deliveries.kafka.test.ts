// Stock deliveries of a supplier, sent by Kafka's own console producer.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { until } from "@valence/runtime/testing";
import { newBrokers, type TestBrokers } from "@valence/runtime/testing/broker";
import { Kafka } from "@valence/runtime/testing/servers";
import { typedCall, type Call } from "@valence/runtime/contract";
import catalog from "../catalog/catalog.service.ts";
import inventory from "./inventory.service.ts";

const TOPIC = "supplier.deliveries";
const COMPRESSIONS = ["gzip", "snappy", "lz4", "zstd"];
/** Milliseconds: a node starts in two seconds, and on a loaded machine in forty. */
const KILLED_WITHIN_MS = 90_000;
let kafka: Kafka;
let brokers: TestBrokers;
let call: Call;
let stop: () => Promise<void>;
/** Messages sent so far. */
let sent = 0;

beforeAll(async () => {
  kafka = await Kafka.start();
  brokers = await newBrokers({ KAFKA_BROKERS: kafka.servers, KAFKA_PARTITIONS: "4" });
  await start();
  await Promise.all(["MUG-001", "MUG-002"].map(productOf));
  await until(
    () => status(),
    ({ lagEvents }) => lagEvents !== null,
  );
});
afterAll(async () => {
  await brokers?.stop();
  await kafka?.stop();
});

async function start(): Promise<void> {
  const broker = await brokers.start(catalog, inventory);
  call = typedCall(broker);
  stop = () => broker.stop();
}
const productOf = (sku: string) =>
  call("catalog.create", { sku, name: sku, description: "", price: { amount: 100, currency: "EUR" }, category: "x" });
const anyCall = (action: string, params: object = {}): Promise<any> => (call as any)(action, params);
const status = async () => (await anyCall("inventory.ingresses")).ingresses[0];
const letters = async () => (await anyCall("inventory.deadLetters")).deadLetters as any[];
const available = async (sku: string) => (await call("inventory.level", { sku })).available;

interface Delivery {
  readonly sku: string;
  readonly quantity: number;
}
/** Sends deliveries, each under the id of a CloudEvent if one is given. */
async function deliver(
  messages: readonly { value: Delivery | string; key?: string; id?: string }[],
  ...args: string[]
): Promise<void> {
  await kafka.produce(
    TOPIC,
    messages.map(({ value, key, id }) => ({
      ...(key !== undefined && { key }),
      value: typeof value === "string" ? value : JSON.stringify(value),
      ...(id !== undefined && { headers: { ce_id: id, ce_source: "/supplier", ce_type: "goods.sent.v1" } }),
    })),
    args,
  );
  sent += messages.length;
}
/** Each was tried, and none waits for a service that has not started yet. */
const handled = () =>
  until(
    () => status(),
    ({ events, lagEvents, retryingStreams }) => events === sent && lagEvents === 0 && retryingStreams === 0,
  );

test("P3 deliveries are booked once, repeated and in whatever order they come", async () => {
  const mug = (quantity: number, id: string, sku = "MUG-001") => ({ value: { sku, quantity }, key: sku, id });
  await deliver([mug(5, "d-1"), mug(7, "d-2"), mug(5, "d-1"), mug(1, "d-3", "MUG-002")]);
  await deliver([mug(7, "d-2"), mug(5, "d-1"), mug(11, "d-4")]);
  // Without a key, and in another partition perhaps: it is the same delivery.
  await deliver([{ value: { sku: "MUG-001", quantity: 11 }, id: "d-4" }]);
  await handled();
  expect(await Promise.all(["MUG-001", "MUG-002"].map(available))).toEqual([23, 1]);
  expect(await letters()).toEqual([]);
});

test("malformed, too large, of an unknown SKU: dead letters; the others are booked, and a retry books what is mended", async () => {
  const key = "MUG-002";
  await deliver([
    { key, value: "{ broken" },
    { key, value: { sku: "MUG-002", quantity: -1 } },
    { key, value: JSON.stringify({ sku: "MUG-002", quantity: 1, note: "x".repeat(100_000) }) },
    { key, value: { sku: "MUG-404", quantity: 4 }, id: "d-404" },
    { key, value: { sku: "MUG-002", quantity: 2 } },
  ]);
  await handled();
  const found = await letters();
  expect(found.map(({ error }) => error.type)).toEqual([
    "MESSAGE_MALFORMED",
    "MESSAGE_UNFIT",
    "MESSAGE_TOO_LARGE",
    "PRODUCT_NOT_FOUND",
  ]);
  expect(found[0].event.data).toMatchObject({ payload: "{ broken", key });
  expect(found[3].event.data).toMatchObject({
    payload: { sku: "MUG-404", quantity: 4 },
    headers: { ce_id: "d-404", ce_source: "/supplier" },
  });
  expect(await available("MUG-002")).toBe(3);

  await productOf("MUG-404");
  await anyCall("inventory.retryDeadLetter", { id: found[3].id });
  await until(
    () => status(),
    ({ parkedStreams, retryingStreams }) => parkedStreams + retryingStreams === 3,
  );
  expect(await available("MUG-404")).toBe(4);
  for (const { id } of found.slice(0, 3)) await anyCall("inventory.discardDeadLetter", { id });
  expect(await letters()).toEqual([]);
});

test("a tombstone is a dead letter, and nothing waits behind it; every compression of Kafka's is read", async () => {
  const before = await available("MUG-001");
  await deliver([
    { key: "MUG-001", value: "<null>" },
    { key: "MUG-001", value: { sku: "MUG-001", quantity: 1 } },
  ]);
  const one = [{ key: "MUG-001", value: { sku: "MUG-001", quantity: 1 } }];
  await Promise.all(COMPRESSIONS.map(codec => deliver(one, "--compression-codec", codec)));
  await handled();
  expect(await available("MUG-001")).toBe(before + 1 + COMPRESSIONS.length);
  const [letter, ...others] = await letters();
  expect([letter.error.type, others]).toEqual(["MESSAGE_EMPTY", []]);
  await anyCall("inventory.discardDeadLetter", { id: letter.id });
});

test("while an operator has paused it nothing is booked and its lag grows; resumed, it goes on where it was", async () => {
  const before = await available("MUG-001");
  await anyCall("inventory.pauseIngress", { name: "supplier-deliveries", note: "a count is under way" });
  await until(
    () => status(),
    ({ state }) => state === "paused",
  );
  await deliver(["p-1", "p-2"].map(id => ({ value: { sku: "MUG-001", quantity: 3 }, key: "MUG-001", id })));
  await until(
    () => status(),
    ({ lagEvents }) => lagEvents === 2,
  );
  expect(await available("MUG-001")).toBe(before);
  await anyCall("inventory.resumeIngress", { name: "supplier-deliveries" });
  await handled();
  expect(await available("MUG-001")).toBe(before + 6);
});

test("partitions that the topic gets while it is read are read too", async () => {
  const before = await available("MUG-001");
  await kafka.run("org.apache.kafka.tools.TopicCommand", ["--alter", "--topic", TOPIC, "--partitions", "9"]);
  await deliver(Array.from({ length: 40 }, (_, i) => ({ key: `${i}`, value: { sku: "MUG-001", quantity: 1 } })));
  await handled();
  expect(await available("MUG-001")).toBe(before + 40);
});

test("two nodes share the topic, and what the first one had read stays booked once", async () => {
  const before = await available("MUG-001");
  const second = await brokers.start(catalog, inventory);
  try {
    const both = Array.from({ length: 40 }, (_, i) => ({
      key: `${i}`,
      value: { sku: "MUG-001", quantity: 1 },
      id: `shared-${i % 20}`,
    }));
    await deliver(both);
    await handled();
    expect(await available("MUG-001")).toBe(before + 20);
  } finally {
    await second.stop();
  }
});

test("P3 two nodes that both believe to have all partitions, again and again, book each delivery once", async () => {
  const before = await available("MUG-001");
  const second = await brokers.start(catalog, inventory);
  const file = new DatabaseSync(join(brokers.databases.folder, "inventory.sqlite"), { timeout: 5_000 });
  // Each takes what it finds free, and the other one goes on with it until its next look.
  const freeing = setInterval(() => file.exec("update leases set expires_at = 0"), 50);
  try {
    for (let round = 0; round < 3; round++) {
      await deliver(Array.from({ length: 60 }, (_, i) => ({ key: `${i}`, value: { sku: "MUG-001", quantity: 1 } })));
    }
    await handled();
    expect(await available("MUG-001")).toBe(before + 180);
    expect(await letters()).toEqual([]);
  } finally {
    clearInterval(freeing);
    file.close();
    await second.stop();
  }
});

test("P3 a node is killed between a booking and its place: the delivery is booked once", async () => {
  const before = await available("MUG-001");
  await stop();
  const own = Array.from({ length: 20 }, () => ({ key: "MUG-001", value: { sku: "MUG-001", quantity: 1 } }));
  await deliver(own);
  const child = spawn(process.execPath, [join(import.meta.dirname, "supplier-deliveries.fixture.ts")], {
    env: { ...process.env, ...brokers.variables, NODE_OPTIONS: "", FAILPOINTS: "ingress:after-calls=kill#7" },
    stdio: "ignore",
  });
  await until("the node is killed", () => child.exitCode !== null || child.signalCode !== null, KILLED_WITHIN_MS);
  expect(child.signalCode).toBe("SIGKILL");
  await start();
  await handled();
  expect(await available("MUG-001")).toBe(before + 20);
});
