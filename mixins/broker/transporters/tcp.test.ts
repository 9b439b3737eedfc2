import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { brokerOptions } from "../index.ts";
import { PAYLOAD_BYTES, readEnvironment } from "../../kernel/index.ts";
import { TcpTransporter } from "./tcp.ts";

const brokers: ServiceBroker[] = [];
/** The test tells each worker of the others, as the supervisor does, and ignores what they report. */
const send = Object.getOwnPropertyDescriptor(process, "send");
beforeAll(() => void Reflect.deleteProperty(process, "send"));
afterAll(async () => {
  await Promise.all(brokers.map(broker => broker.stop()));
  if (send) Object.defineProperty(process, "send", send);
});

async function join(nodeID: string, actions: ServiceSchema["actions"] = {}): Promise<ServiceBroker> {
  // Megabytes take long on a busy machine: a late answer is accepted.
  const environment = readEnvironment({ REQUEST_TIMEOUT_MS: "60000" });
  const options = { ...brokerOptions(environment), transporter: new TcpTransporter() as never };
  const broker = new ServiceBroker({ ...options, nodeID, logger: false });
  broker.createService({ name: nodeID, actions });
  brokers.push(broker);
  await broker.start();
  const { tx } = broker.transit as unknown as { tx: { opts: { port: number } } };
  process.emit("message", { peer: { nodeId: nodeID, port: tx.opts.port } }, undefined);
  return broker;
}

test("a frame that is too large is not sent, its sender gets an error, and no connection closes: other calls in flight are answered", async () => {
  const slow = Promise.withResolvers<string>();
  const worker = await join("worker", {
    slow: () => slow.promise,
    text: ctx => "x".repeat(ctx.params.length),
    length: ctx => ctx.params.text.length,
  });
  const front = await join("front");
  await front.waitForServices("worker");
  const lost: unknown[] = [];
  for (const { localBus } of [worker, front])
    localBus.on("$node.disconnected", (payload: unknown) => lost.push(payload));
  const inFlight = front.call("worker.slow");
  const tooLarge = { code: 413, data: { family: "refusal" } };
  await expect(front.call("worker.text", { length: 3_000_000 })).rejects.toMatchObject({
    ...tooLarge,
    type: "ANSWER_TOO_LARGE",
  });
  await expect(front.call("worker.length", { text: "x".repeat(3_000_000) })).rejects.toMatchObject({
    ...tooLarge,
    type: "REQUEST_TOO_LARGE",
  });
  slow.resolve("answered");
  expect(await inFlight).toBe("answered");
  expect(lost).toEqual([]);
});

test("the largest frames that are allowed arrive, several at once and others between them", async () => {
  const [, front] = brokers as [ServiceBroker, ServiceBroker];
  const length = PAYLOAD_BYTES - 1_000;
  const large = Array.from({ length: 4 }, () => front.call("worker.text", { length }));
  const small = Array.from({ length: 50 }, (_, i) => front.call("worker.text", { length: i }));
  const sent = Array.from({ length: 4 }, () => front.call("worker.length", { text: "x".repeat(length) }));
  const lengths = async (texts: Promise<unknown>[]) => (await Promise.all(texts)).map(text => (text as string).length);
  expect(await lengths(large)).toEqual(large.map(() => length));
  expect(await lengths(small)).toEqual(small.map((_, i) => i));
  expect(await Promise.all(sent)).toEqual(sent.map(() => length));
});
