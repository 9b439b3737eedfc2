// A node whose user may not hear a subject would be deaf: it starts, is seen, and no call ever reaches it.
import { afterEach, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
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

test("a node with the right to all starts", () => expect(startWith('subscribe: ">"')).resolves.toBeUndefined());
