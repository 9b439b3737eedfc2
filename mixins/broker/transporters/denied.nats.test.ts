// A node whose user may not hear a subject would be deaf: it starts, is seen, and no call ever reaches it.
import { afterEach, expect, test } from "@jest/globals";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { readEnvironment } from "../../kernel/index.ts";
import { Nats } from "../../testing/servers.ts";
import { brokerOptions } from "../index.ts";

let nats: Nats | undefined;
afterEach(() => nats?.stop());

async function startWith(permissions: string): Promise<void> {
  nats = await Nats.start(`authorization { users: [{ user: u, password: p, permissions: { ${permissions} } }] }`);
  const url = `nats://u:p@127.0.0.1:${nats.port}`;
  const broker = new ServiceBroker({
    ...brokerOptions(readEnvironment({ NATS_URL: url, NODEID: "node.1" })),
    logger: false,
  });
  try {
    await broker.start();
  } finally {
    await broker.stop().catch(() => {});
  }
}

test.each([
  ["calls", 'subscribe: { deny: "MOL.REQ.>" }', "hear MOL.REQ.node.1"],
  ["descriptions of nodes", 'subscribe: { deny: "MOL.INFO" }', "hear MOL.INFO"],
  ["questions for rivals", 'subscribe: { deny: "MOL.CLAIM.>" }', "hear MOL.CLAIM.node.1"],
  ["answers to its questions", 'subscribe: { deny: "_INBOX.>" }', "hear _INBOX.u."],
  ["its own arrival", 'publish: { deny: "MOL.DISCOVER" }', "publish MOL.DISCOVER"],
])("a start without the right to %s fails, and names the subject", async (_what, permissions, named) => {
  await expect(startWith(permissions)).rejects.toMatchObject({
    type: "SUBJECT_DENIED",
    message: expect.stringContaining(`does not let this node ${named}`),
  });
});

test("a call that the server denies after the start fails with the subject, and those to other nodes go on", async () => {
  const user = (name: string, permissions = "") =>
    `{ user: ${name}, password: p, permissions: { publish: { deny: [${permissions}] } } }`;
  nats = await Nats.start(`authorization { users: [${user("a", '"MOL.REQ.b.1"')}, ${user("b")}, ${user("c")}] }`);
  const start = async (name: string, services: ServiceSchema[]): Promise<ServiceBroker> => {
    const NATS_URL = `nats://${name}:p@127.0.0.1:${nats!.port}`;
    // Longer than the test may take: nobody waits for it.
    const environment = readEnvironment({ NATS_URL, NODEID: `${name}.1`, REQUEST_TIMEOUT_MS: "600000" });
    const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
    for (const service of services) broker.createService(service);
    await broker.start();
    return broker;
  };
  const answering = (name: string) => ({ name, actions: { ask: () => name } });
  const brokers = [await start("b", [answering("books")]), await start("c", [answering("cards")])];
  const caller = await start("a", []);
  brokers.push(caller);
  try {
    await caller.waitForServices(["books", "cards"], 10_000, 20);
    const denied = {
      type: "CALL_DENIED",
      data: { outcome: "unknown" },
      message: expect.stringContaining("MOL.REQ.b.1"),
    };
    const calls = [caller.call("books.ask"), caller.call("books.ask"), caller.call("cards.ask")];
    expect(await Promise.allSettled(calls)).toMatchObject([{ reason: denied }, { reason: denied }, { value: "cards" }]);
    await expect(caller.call("books.ask")).rejects.toMatchObject({ type: "CALL_DENIED", code: 504 });
  } finally {
    await Promise.all(brokers.map(broker => broker.stop()));
  }
});

test("a node with the right to all starts", () => expect(startWith('subscribe: ">"')).resolves.toBeUndefined());
