// Actors as services of real brokers.
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ServiceBroker, type Context, type Service, type ServiceSchema } from "moleculer";
import { brokerOptions, versionCanary } from "../broker/index.ts";
import { until } from "../testing/index.ts";
import { metricOf } from "../testing/metric.ts";
import { newDatabases, type Databases } from "../testing/servers.ts";
import { defineService } from "../contract/index.ts";
import { appendOf, verdictOf } from "../event-store/event-store.conformance.ts";
import { COMMAND_ID, readEnvironment, REPEATED, REPLAYED } from "../kernel/index.ts";
import { defineReactor, type LogPage } from "../stream/index.ts";
import { Reactors } from "../stream/mixin.ts";
import { contract, Purse, quoting } from "./account.fixture.ts";
import { rendezvous, type Actor } from "./index.ts";
import { actorMetrics } from "./metrics.ts";
import { Actors, type HostingService } from "./mixin.ts";

let databases: Databases;
const brokers: ServiceBroker[] = [];

async function start({ actor = Purse, nodeId = "here" }: { actor?: Actor; nodeId?: string } = {}) {
  const broker = new ServiceBroker({
    ...brokerOptions(readEnvironment({ ...databases.env, NODEID: nodeId })),
    // In this process alone: brokers find each other by its memory.
    transporter: "Fake",
    namespace: databases.folder,
    logger: false,
    skipProcessEventRegistration: true,
  });
  brokers.push(broker);
  const service: HostingService = broker.createService(defineService(contract, { mixins: [Actors(actor)] }));
  broker.createService({
    name: "friends",
    actions: { giveTo: (ctx: Context<{ id: string }>) => ctx.call("purses.earn", { id: ctx.params.id, amount: 1 }) },
  });
  await broker.start();
  const call = <T = any>(action: string, params: object, options: object = {}): Promise<T> =>
    broker.call<T, object>(`purses.${action}`, params, options);
  return { broker, call, service };
}

beforeEach(async () => {
  databases = await newDatabases();
  quoting.times = 0;
  quoting.quote = async () => 1;
});
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.stop();
  await databases.remove();
});

test("timers of a service with a version fire, too", async () => {
  const { broker } = await start();
  broker.createService({ ...defineService(contract, { mixins: [Actors(Purse)] }), version: 2 });
  await broker.waitForServices({ name: "purses", version: 2 });
  await broker.destroyService(broker.getLocalService("purses"));
  await broker.call("v2.purses.later", { id: "a", amount: 5 });
  await until(async () => (await broker.call<any, object>("v2.purses.get", { id: "a" })).state.balance === 5);
});

test("events and refusals of the contract are counted from 0", async () => {
  const { broker, call } = await start();
  const earned = { service: "purses", type: "purse.earned" };
  const counts = async () => [
    await metricOf(broker, actorMetrics.events, earned),
    await metricOf(broker, actorMetrics.refusals, { service: "purses", code: "NOT_ENOUGH" }),
  ];
  expect(await counts()).toEqual([0, 0]);
  await call("earn", { id: "a", amount: 1 });
  expect(await counts()).toEqual([1, 0]);
});

test("a call that comes back to the actor that waits for it fails at once with the cycle, also by way of others", async () => {
  const { call } = await start();
  const ways = [
    ({ id, call }: any) => call("purses.earn", { id, amount: 1 }),
    ({ id, call }: any) => call("friends.giveTo", { id }),
    // It would wait behind the command that waits for it.
    ({ id, call }: any) => call("purses.get", { id, consistent: true }),
  ];
  for (const way of ways) {
    quoting.quote = way;
    await expect(call("quote", { id: "a", amount: 1 }, { timeout: 5_000 })).rejects.toMatchObject({
      type: "CALL_CYCLE",
      message: expect.stringContaining("purse.a > purse.a"),
    });
  }
});

test("P3 a command's id comes in the call's headers: repeated, it gets the first answer, and nobody else inherits it", async () => {
  const { call } = await start();
  const once = { headers: { [COMMAND_ID]: "client:u:1" } };
  const first = await call("earn", { id: "a", amount: 1 }, once);
  expect(await call("earn", { id: "a", amount: 1 }, once)).toEqual(first);
  quoting.quote = async ({ call }: any) => (await call("purses.earn", { id: "b", amount: 1 })).version;
  await call("quote", { id: "c", amount: 1 }, once);
  const { events } = await call("history", { id: "b" });
  expect(events).toMatchObject([{ version: 1, metadata: {} }]);
  expect(events[0].metadata.commandId).toBeUndefined();
});

test("a call that `prepare` makes ends with the deadline of its command, and nothing is decided", async () => {
  const { broker, call } = await start();
  let timeout: number | undefined;
  broker.createService({
    name: "prices",
    actions: {
      slow: (ctx: Context) => {
        timeout = (ctx.options as { timeout?: number }).timeout;
        return sleep(300);
      },
    },
  });
  quoting.quote = ({ call }: any) => call("prices.slow", {});
  await expect(call("quote", { id: "a", amount: 1 }, { timeout: 100 })).rejects.toMatchObject({ retryable: true });
  expect(timeout).toBeLessThanOrEqual(100);
  // Behind it in the mailbox, so its turn is over.
  expect(await call("earn", { id: "a", amount: 1 })).toEqual({ id: "a", version: 1 });
});

test("a durable timer set by a command fires through the broker, also after a restart", async () => {
  const first = await start();
  await first.call("later", { id: "a", amount: 5 });
  await first.broker.stop();
  const { call } = await start();
  await until(async () => (await call("get", { id: "a" })).state.balance === 5);
});

test("the log gives the actor's events, lifted to today's version; one that nobody can read says so", async () => {
  const old = await start();
  await old.call("earn", { id: "a", amount: 5 });
  await old.call("both", { id: "a", amount: 1 });
  await old.broker.stop();
  const { ["purse.noted"]: _gone, ...events } = contract.events;
  const { call } = await start({
    actor: {
      ...(Purse as Actor),
      contract: { ...contract, events, versions: { "purse.earned": 2 } },
      upcasters: { "purse.earned": { 1: ({ amount }: { amount: number }) => ({ amount: amount * 100 }) } },
    },
  });
  let page!: LogPage;
  // Transactions of others on the same server may hold events back for a while.
  await until(async () => (page = await call<LogPage>("readLog", { cursor: "", limit: 10 })).events.length === 3);
  expect(page.events).toMatchObject([
    { eventId: "purse.a@1", actor: "purse", stream: "a", version: 1, data: { amount: 500 } },
    { eventId: "purse.a@2", data: { amount: 100 } },
    { eventId: "purse.a@3", broken: expect.stringContaining("purse.noted"), isNewer: true },
  ]);
  const tail = await call<LogPage>("readLog", { cursor: "", limit: 10, stream: { id: "a", from: 2 } });
  expect(tail.events).toEqual(page.events.slice(1));
  expect(await call("readLog", { cursor: page.cursor, limit: 0 })).toMatchObject({ events: [], behind: 0 });
});

test("the log passes over the streams of others in the same store, and its cursor moves past them", async () => {
  const { call, service } = await start();
  const { store } = service.actors;
  const others = async (stream: string): Promise<void> => {
    for (let version = 0; version < 3; version++) await verdictOf(store, appendOf(stream, version));
  };
  await others("saga.1");
  await call("earn", { id: "a", amount: 1 });
  await others("purses.a");
  await call("earn", { id: "b", amount: 2 });
  await call("earn", { id: "a", amount: 3 });
  await others("saga.2");

  // On Postgres the newest events are held back while any older transaction on the server may still write.
  const end = (await store.head("")).cursor;
  const pages: string[][] = [];
  let cursor = "";
  await until(async () => {
    const page = await call<LogPage>("readLog", { cursor, limit: 2 });
    pages.push(page.events.map(({ eventId }) => eventId));
    cursor = page.cursor;
    return cursor === end;
  });
  expect(pages.flat()).toEqual(["purse.a@1", "purse.b@1", "purse.a@2"]);
});

test("P2 in a roll-out a node that cannot read an actor's events sends callers on to one that can", async () => {
  const Next = {
    ...(Purse as Actor),
    contract: { ...contract, events: { ...contract.events, "purse.melted": {} } },
    decide: { ...Purse.decide, clear: () => [{ type: "purse.melted", data: {} }] },
    evolve: { ...Purse.evolve, "purse.melted": () => ({ balance: 0, notes: 0 }) },
  } as never;
  const here = await start();
  const there = await start({ nodeId: "there", actor: Next });
  await until(() => here.broker.registry.actions.get("purses.get")!.endpoints.length === 2);
  const id = Array.from({ length: 100 }, (_, i) => `p${i}`).find(
    id => rendezvous(id, ["here", "there"], node => node) === "here",
  )!;
  await here.call("earn", { id, amount: 5 });
  await there.service.actors.execute(id, "clear", {});
  // Its owner by placement is the node of the release before.
  for (const { call } of [here, there]) {
    expect(await call("get", { id, consistent: true })).toMatchObject({ state: { balance: 0 } });
    expect(await call("earn", { id, amount: 1 })).toMatchObject({ id });
    expect((await call("history", { id })).events.map(({ type }: { type: string }) => type)).toContain("purse.melted");
    await call("clear", { id });
  }
  expect((await here.call("quarantined", {})).quarantined).toEqual([]);
  // Nobody else is there to be asked.
  await there.broker.stop();
  await until(() => here.broker.registry.actions.get("purses.get")!.endpoints.length === 1);
  await expect(here.call("get", { id })).rejects.toMatchObject({ type: "UNREADABLE_HERE", data: { outcome: "none" } });
});

test("an actor leaves memory when another node becomes its owner: idle ones at once, a busy one when it is done", async () => {
  const ids = Array.from({ length: 20 }, (_, i) => `p${i}`);
  const { call, service } = await start();
  const stay = ids.filter(id => rendezvous(id, ["here", "there"], node => node) === "here");
  const busy = ids.find(id => !stay.includes(id))!;
  for (const id of ids) await call("earn", { id, amount: 1 });
  expect(service.actors.resident).toBe(20);
  let answer = (_price: number): void => {};
  quoting.quote = () => new Promise(resolve => (answer = resolve));
  const quoted = call("quote", { id: busy, amount: 1 });
  await until(() => quoting.times === 1);

  const there = await start({ nodeId: "there" });
  await until(() => service.actors.resident === stay.length + 1);
  answer(2);
  expect(await quoted).toEqual({ id: busy, version: 2 });
  await until(() => service.actors.resident === stay.length);
  expect(await there.call("get", { id: busy })).toMatchObject({ version: 2, state: { balance: 3 } });
});

test("a second version of a service is tried with a tenth of its actors by hash; each event comes once", async () => {
  const { broker, service } = await start();
  const heard: string[] = [];
  const noted = defineReactor({
    name: "noted",
    on: { "purse.earned": ({ stream, version }) => void heard.push(`${stream}@${version}`) },
  });
  broker.createService({ name: "notes", mixins: [Reactors(noted)] });
  await broker.waitForServices("notes");
  const schema = { ...defineService(contract, { mixins: [Actors(Purse, { isCanary: true })] }), version: 2 };
  const routed = versionCanary({ service: "purses", version: 2, percent: 10 }).call.call(
    broker,
    broker.call.bind(broker),
  );

  // While nobody runs the version, the service has all of its actors.
  const ids = Array.from({ length: 100 }, (_, n) => `purse-${n}`);
  const earn = (): Promise<unknown> => Promise.all(ids.map(id => routed("purses.earn", { id, amount: 1 })));
  await earn();
  expect(service.actors.resident).toBe(ids.length);

  const second: HostingService = broker.createService(schema);
  await broker.waitForServices({ name: "purses", version: 2 });
  await earn();
  // An actor stays with its version, in reads too.
  const tried = second.actors.resident;
  await earn();
  expect(second.actors.resident).toBe(tried);
  expect(tried).toBeGreaterThan(ids.length * 0.05);
  expect(tried).toBeLessThan(ids.length * 0.15);
  for (const id of ids) expect(await routed("purses.get", { id })).toMatchObject({ version: 3, state: { balance: 3 } });

  // Back to one version: nothing is lost, and what the other has written is read.
  await broker.destroyService(second as unknown as Service);
  await earn();
  await until(() => heard.length >= 4 * ids.length);
  expect(new Set(heard).size).toBe(heard.length);
  expect(await routed("purses.get", { id: ids[0]! })).toMatchObject({ version: 4, state: { balance: 4 } });
});

test("two services that host one actor type: the second does not start, on this node or another, and both are named", async () => {
  const { call } = await start();
  const twin = (name: string, version?: number) => ({
    ...defineService(contract, { mixins: [Actors(Purse)] }),
    name,
    ...(version !== undefined && { version }),
  });
  const join = async (nodeId: string, ...schemas: ServiceSchema[]): Promise<void> => {
    const broker = new ServiceBroker({
      ...brokerOptions(readEnvironment({ ...databases.env, NODEID: nodeId })),
      transporter: "Fake",
      namespace: databases.folder,
      logger: false,
      skipProcessEventRegistration: true,
    });
    brokers.push(broker);
    for (const schema of schemas) broker.createService(schema);
    await broker.start();
  };
  await expect(join("there", twin("wallets"))).rejects.toMatchObject({
    type: "ACTOR_HOSTED_TWICE",
    message: expect.stringMatching(/^wallets hosts actors of type "purse", and so does purses on here/),
  });
  await expect(join("elsewhere", twin("pouches"), twin("bags"))).rejects.toMatchObject({ type: "ACTOR_HOSTED_TWICE" });
  // Another node of the same service, and another release of it.
  await join("there-2", twin("purses"));
  await join("there-3", twin("purses", 2));
  await call("earn", { id: "p", amount: 1 });
  expect(await call("get", { id: "p" })).toMatchObject({ version: 1 });
});

test("two services that host one actor type and start at once: one does not, or the log of either says so", async () => {
  const told: string[] = [];
  const join = async (name: string): Promise<void> => {
    const broker = new ServiceBroker({
      ...brokerOptions(readEnvironment({ ...databases.env, NODEID: name })),
      transporter: "Fake",
      namespace: databases.folder,
      logger: false,
      skipProcessEventRegistration: true,
    });
    brokers.push(broker);
    const { logger } = broker.createService({ ...defineService(contract, { mixins: [Actors(Purse)] }), name });
    logger.error = (message: unknown) => void told.push(String(message));
    await broker.start();
  };
  const names = ["bags", "pouches"];
  const started = await Promise.allSettled(names.map(join));
  const isRefused = started.some(result => result.status === "rejected" && result.reason.type === "ACTOR_HOSTED_TWICE");
  const isTold = (name: string) =>
    told.some(message => message.startsWith(`${name} hosts actors of type "purse", and so`));
  await until(() => isRefused || names.every(isTold));
});

test("P3 the answer to a client's repetition says that it is one, a refusal too; nothing else does", async () => {
  const { broker, service } = await start();
  broker.createService({
    name: "door",
    actions: {
      async ask(ctx: Context<{ command: string; params: object; headers: object }>) {
        const { command, params, headers } = ctx.params;
        const answer = await ctx
          .call(`purses.${command}`, params, { headers } as object)
          .catch((error: Error) => error);
        return { refused: answer instanceof Error, replayed: (ctx.meta as Record<string, unknown>)[REPLAYED] };
      },
    },
  });
  const ask = (command: string, id: string, headers = {}, amount = 1) =>
    broker.call("door.ask", { command, params: { id: "a", amount }, headers: { [COMMAND_ID]: id, ...headers } });
  const first = { refused: false, replayed: undefined };

  expect(await ask("earn", "client:u:1")).toEqual(first);
  expect(await ask("earn", "client:u:1")).toEqual({ refused: false, replayed: "client:u:1" });
  // The same id with other params is refused, and is no repetition.
  expect(await ask("earn", "client:u:1", {}, 2)).toEqual({ refused: true, replayed: undefined });
  expect(await ask("spend", "client:u:2", {}, 99)).toEqual({ refused: true, replayed: undefined });
  expect(await ask("spend", "client:u:2", {}, 99)).toEqual({ refused: true, replayed: "client:u:2" });
  expect(await ask("quote", "client:u:3")).toEqual(first);
  expect(await ask("quote", "client:u:3")).toEqual({ refused: false, replayed: "client:u:3" });

  // From the record as well, when nothing is in memory.
  service.actors.handOver(() => false);
  await until(() => service.actors.resident === 0);
  for (const command of ["earn", "quote"] as const)
    expect(await ask(command, `client:u:${command === "earn" ? 1 : 3}`)).toMatchObject({
      replayed: expect.any(String),
    });

  // Two at once: one is carried out.
  const twins = await Promise.all([ask("quote", "client:u:4"), ask("quote", "client:u:4")]);
  expect(twins).toEqual(expect.arrayContaining([first, { refused: false, replayed: "client:u:4" }]));

  // A repetition of a saga's step, or one that the runtime sent again, is not announced.
  for (const [id, headers] of [
    ["saga:s/step/1", {}],
    ["client:u:5", { [REPEATED]: "1" }],
  ] as const) {
    await ask("earn", id);
    expect(await ask("earn", id, headers)).toEqual(first);
  }
});
