// @slow: it takes minutes, and begins first. The shop in pods, as in a cluster: gateway, core, and consumers of events,
// each a process of its own, on NATS, Redis and Postgres. Pods are killed, and replaced one after another, while
// customers order. Events go by JetStream, or in a run for Kafka by a Kafka, whose broker crashes besides, and from which the
// network parts them.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "@valence/runtime/testing";
import { Child, Nats, newDatabases, RedisServer, type Databases, type Kafka } from "@valence/runtime/testing/servers";
import { isLong, Laboratory, repeatedly, seeded, WITHOUT_DATABASE } from "./laboratory.ts";

const CALLERS = 5;
/** Milliseconds between the orders of a caller: the faults take long, and the machine is shared. */
const PAUSE_MS = 50;
const KILLS = isLong ? 2 : 1;
/** Milliseconds of a stop under load: a call to a healthy node takes less. On a busy machine a stop takes less than a start. */
const PROMPT_MS = 5_000;
/** Milliseconds of a start: five processes start at once, on a busy machine in more than 45 s. */
const STARTED_WITHIN_MS = isLong ? 5 * 60_000 : 90_000;
const OPEN_WITHIN_MS = 2 * STARTED_WITHIN_MS;
/** Milliseconds of all: a run of its own may be on a machine that others use as well. */
const WITHIN_MS = (isLong ? 25 : 5) * 60_000;
/** Milliseconds for which Kafka is away, and for which the network does not carry to it. */
const AWAY_MS = 3_000;
const PARTED_MS = 8_000;
const GATEWAY = "api,ops";
const PODS = {
  core: "accounts,catalog,carts,integrations,notifications,orders,inventory,payments,seed,shipping",
  flow: "checkout,order-views,audit",
} as const;
type Kind = keyof typeof PODS;

const chance = seeded();
let databases: Databases;
let nats: Nats;
let redis: RedisServer;
let lab: Laboratory;
let settings: Record<string, string>;
const pods = new Map<string, { kind: Kind; child: Child }>();
let named = 0;

/** Starts a pod; resolves when its services are there, with the milliseconds that it took. */
async function join(kind: Kind): Promise<number> {
  const NODEID = `${kind}-${++named}`;
  const start = (): Child =>
    new Child(["mixins/cli/valence.mjs", "start"], { ...settings, NODEID, SERVICES: PODS[kind], LOGLEVEL: "info" });
  let began = performance.now();
  let child = start();
  pods.set(NODEID, { kind, child });
  await until(
    `${NODEID} has started`,
    () => {
      if (!child.running) {
        // A start that has no turn with the database within seconds ends, and is begun again, as a cluster does it.
        if (!WITHOUT_DATABASE.test(child.output)) throw new Error(`${NODEID} did not start:\n${child.output}`);
        began = performance.now();
        child = start();
        pods.set(NODEID, { kind, child });
      }
      return child.output.includes("started successfully");
    },
    STARTED_WITHIN_MS,
  );
  return performance.now() - began;
}
async function leave(name: string, signal: NodeJS.Signals): Promise<number | null> {
  const { child } = pods.get(name)!;
  pods.delete(name);
  return child.end(signal);
}

const oneOfEachKind = () => [...new Map([...pods].map(pod => [pod[1].kind, pod])).values()];

/** Left out: 409, for two callers that send the same order under its key at once. */
const timesPutOff = (): number =>
  [...lab.putOff].reduce((sum, [status, times]) => sum + (status === 409 ? 0 : times), 0);

beforeAll(async () => {
  databases = await newDatabases();
  nats = await Nats.start();
  redis = await RedisServer.start();
  const env = { ...databases.env, NATS_URL: nats.url, REDIS_URL: redis.url, SERVICES: GATEWAY, NODEID: "gateway" };
  lab = await Laboratory.open(databases.folder, env, chance, async all => {
    settings = all;
    await Promise.all((["core", "core", "flow", "flow"] as const).map(join));
    await until("the first start's data is there", () =>
      [...pods.values()].some(({ child }) => child.output.includes("first start:")),
    );
  });
}, OPEN_WITHIN_MS);
afterAll(async () => {
  // The pods first: the laboratory's Kafka goes with it.
  for (const name of pods.keys()) await leave(name, "SIGKILL");
  await lab?.close();
  await redis?.stop();
  await nats?.stop();
  await databases?.remove();
});

/** Kafka's broker crashes under load and comes back with what it had stored. */
async function crashKafka(broker: Kafka["brokers"][number]): Promise<void> {
  await broker.halt();
  await sleep(AWAY_MS);
  await lab.moreOrders(5);
  await broker.start();
}

/** The network between pods and Kafka drops everything, for longer than pods wait for an answer. */
async function partKafka(from: Kafka): Promise<void> {
  from.partition();
  await sleep(PARTED_MS);
  await lab.moreOrders(5);
  from.heal();
}

test(
  "P1 P3 P4 P5 pods are killed under load, then replaced one after another: no order is lost, none fails while pods leave in order",
  async () => {
    const { kafka } = lab;
    const stop = repeatedly(CALLERS, () => lab.order({ mayBeCut: false }), PAUSE_MS);
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        await lab.moreOrders(10);
        const name = chance.pick([...pods.keys()]);
        const { kind } = pods.get(name)!;
        await leave(name, "SIGKILL");
        await lab.moreOrders(5);
        if (kafka) await crashKafka(kafka.brokers[0]!);
        await join(kind);
        if (kafka) await partKafka(kafka);
      }
      const before = timesPutOff();
      const old = isLong ? [...pods] : oneOfEachKind();
      for (const [name, { kind }] of old) {
        const startMs = await join(kind);
        const leaving = performance.now();
        expect(await leave(name, "SIGTERM")).toBe(0);
        // New orders do not delay the stop.
        expect(performance.now() - leaving).toBeLessThan(Math.max(PROMPT_MS, startMs));
        await lab.moreOrders(5);
      }
      expect(timesPutOff()).toBe(before);
    } finally {
      await stop();
    }
    await lab.comesToRest();
    expect(await lab.shop.child.end("SIGTERM")).toBe(0);
    for (const name of pods.keys()) expect(await leave(name, "SIGTERM")).toBe(0);
    await lab.checkRecords();
  },
  WITHIN_MS,
);
