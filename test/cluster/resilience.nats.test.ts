// A broker whose peers answer badly or whose packets do not arrive: brokers in this process on a NATS server, one of
// them behind a proxy that drops packets as told.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { ServiceBroker, type Context, type Service, type ServiceSchema } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { readEnvironment, Unavailable } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { Nats, Proxy } from "@valence/runtime/testing/servers";

let nats: Nats;
const running: ServiceBroker[] = [];
beforeAll(async () => {
  nats = await Nats.start();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map(broker => broker.stop()));
});
afterAll(() => nats.stop());

let namespaces = 0;
const newNamespace = (): string => `resilience-${++namespaces}`;

/** One more broker, configured by its environment like any broker of the runtime. */
async function join(
  NAMESPACE: string,
  NODEID: string,
  service?: ServiceSchema,
  env: Record<string, string> = {},
): Promise<ServiceBroker> {
  const environment = readEnvironment({ NATS_URL: nats.url, NAMESPACE, NODEID, SHUTDOWN_TIMEOUT_MS: "200", ...env });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  if (service) broker.createService(service);
  running.push(broker);
  await broker.start();
  return broker;
}
/** Nodes that a broker would ask. */
const nodesOf = (broker: ServiceBroker): string[] =>
  (broker.registry.actions.get("oracle.ask")?.endpoints ?? [])
    .filter(({ isAvailable }) => isAvailable)
    .map(({ id }) => id);

const sees = (broker: ServiceBroker, ...ids: string[]): Promise<true> =>
  until(`${broker.nodeID} sees ${ids.join(", ")}`, () => ids.every(id => nodesOf(broker).includes(id)));

const oracle = (ask: (this: Service, ctx: Context) => unknown): ServiceSchema => ({ name: "oracle", actions: { ask } });
const silent = oracle(() => new Promise(() => {}));
const well = oracle(() => "42");
const tellingNode = oracle(function () {
  return this.broker.nodeID;
});

test.each(["REDIS_UNAVAILABLE", "NOT_CAUGHT_UP"])(
  "a lack that all nodes share opens no circuit: the caller gets %s",
  async type => {
    const space = newNamespace();
    const caller = await join(space, "caller");
    await join(
      space,
      "well",
      oracle(() => Promise.reject(new Unavailable(type))),
    );
    await sees(caller, "well");
    const ask = () => caller.call("oracle.ask").catch((error: unknown) => error);
    for (let round = 0; round < 3; round++)
      for (const error of await Promise.all(Array.from({ length: 20 }, ask)))
        expect(error).toMatchObject({ type, code: 503 });
    expect(nodesOf(caller)).toEqual(["well"]);
  },
);

test("time-outs open the circuit to a node that hangs, once more after it has come back under its name", async () => {
  const space = newNamespace();
  const caller = await join(space, "caller");
  await join(space, "well", well);
  const ask = () => caller.call("oracle.ask", {}, { timeout: 300 }).catch((error: unknown) => error);
  for (let life = 0; life < 2; life++) {
    const hanging = await join(space, "hangs", silent);
    await sees(caller, "well", "hangs");
    await until("the circuit is open", async () => {
      await Promise.all(Array.from({ length: 20 }, ask));
      return !nodesOf(caller).includes("hangs");
    });
    expect(await ask()).toBe("42");
    await hanging.stop();
  }
});

test("a reply that is too large when NATS is back costs its caller an answer, and the next outage is noticed too", async () => {
  const own = await Nats.start();
  try {
    const space = newNamespace();
    const caller = await join(space, "caller", undefined, { NATS_URL: own.url });
    let finish = (): void => {};
    const large = new Promise<string>(resolve => (finish = () => resolve("x".repeat(2_000_000))));
    let asked = false;
    const tell = (): Promise<string> => {
      asked = true;
      return large;
    };
    const server = await join(
      space,
      "server",
      { name: "oracle", actions: { ask: () => "42", tell } },
      { NATS_URL: own.url },
    );
    await sees(caller, "server");
    let outages = 0;
    server.localBus.on("$transporter.disconnected", () => outages++);
    const told = caller.call("oracle.tell").catch((error: unknown) => error);
    await until("the question has come", () => asked);
    for (const outage of [1, 2]) {
      await own.halt();
      await until("the outage is noticed", () => outages === outage);
      finish();
      await sleep(100);
      await own.start({ empty: true });
      await sees(caller, "server");
      await until("calls are answered", async () => (await caller.call("oracle.ask").catch(() => "")) === "42");
    }
    expect(await told).toBeInstanceOf(Error);
  } finally {
    await Promise.all(running.splice(0).map(broker => broker.stop()));
    await own.stop();
  }
});

test("the time that is left travels with the call", async () => {
  const space = newNamespace();
  const caller = await join(space, "caller");
  const first = await join(space, "first", {
    name: "first",
    actions: { ask: (ctx: Context) => ctx.call("oracle.ask") },
  });
  await join(
    space,
    "second",
    oracle(({ options }) => options.timeout),
  );
  await sees(first, "second");
  await until("the service is there", () => caller.registry.actions.get("first.ask") !== undefined);
  const left = await caller.call<number, object>("first.ask", {}, { timeout: 7_000 });
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThan(7_000);
});

test("a connection that is cut one way: each call ends in its time, and the node is found again by itself", async () => {
  const proxy = await Proxy.to(nats.url);
  try {
    const space = newNamespace();
    const caller = await join(space, "caller");
    await join(space, "near", well);
    await join(space, "far", well, { NATS_URL: proxy.url(nats.url) });
    await sees(caller, "near", "far");
    proxy.freeze();
    const ask = () => caller.call("oracle.ask", {}, { timeout: 500 }).catch((error: unknown) => error);
    const answers = await Promise.all(Array.from({ length: 50 }, ask));
    expect(answers).toContain("42");
    expect(answers.filter(answer => answer !== "42")).not.toEqual([]);
    await until("the node that does not answer gets no calls", () => !nodesOf(caller).includes("far"));
    expect(await ask()).toBe("42");
    proxy.heal();
    await sees(caller, "far");
  } finally {
    await proxy.close();
  }
});

test("a call that no node can answer fails with a typed error", async () => {
  const caller = await join(newNamespace(), "caller");
  await expect(caller.call("oracle.gone")).rejects.toMatchObject({
    type: "SERVICE_NOT_FOUND",
    code: 503,
    data: { family: "unavailable", outcome: "none" },
  });
});

test("a call that any node can answer stays in the zone while it can", async () => {
  const space = newNamespace();
  const caller = await join(space, "caller", undefined, { ZONE: "west" });
  await join(space, "east", tellingNode, { ZONE: "east" });
  const west = await join(space, "west", tellingNode, { ZONE: "west" });
  await sees(caller, "east", "west");
  const asked = async () => new Set(await Promise.all(Array.from({ length: 10 }, () => caller.call("oracle.ask"))));
  expect(await asked()).toEqual(new Set(["west"]));
  await west.stop();
  expect(await asked()).toEqual(new Set(["east"]));
});

test("a second process of the same NODEID does not start, and the first one and its callers notice nothing", async () => {
  const space = newNamespace();
  const first = await join(space, "same", tellingNode);
  const caller = await join(space, "caller");
  await sees(caller, "same");
  const lost: unknown[] = [];
  for (const { localBus } of [caller, first])
    for (const event of ["$node.disconnected", "$transporter.disconnected"])
      localBus.on(event, (payload: unknown) => lost.push(event, payload));
  const second = join(space, "same", well);
  await expect(second).rejects.toMatchObject({ type: "NODEID_TAKEN", message: expect.stringContaining("NODEID same") });
  // The farewell of the refused process does not remove the other one from the registry.
  await running.pop()!.stop();
  for (let i = 0; i < 20; i++) expect(await caller.call("oracle.ask")).toBe("same");
  expect(lost).toEqual([]);
  // Once the id is free a process gets it without waiting.
  await first.stop();
  running.splice(running.indexOf(first), 1);
  await join(space, "same", well);
  await sees(caller, "same");
  expect(await caller.call("oracle.ask")).toBe("42");
});

test("one of several processes that start at once with one NODEID lives", async () => {
  const space = newNamespace();
  const caller = await join(space, "caller");
  const started = await Promise.allSettled([1, 2, 3].map(() => join(space, "same", well)));
  const refused = started.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
  expect(refused.map(({ reason }) => reason.type)).toEqual(["NODEID_TAKEN", "NODEID_TAKEN"]);
  await sees(caller, "same");
  expect(await caller.call("oracle.ask")).toBe("42");
});
