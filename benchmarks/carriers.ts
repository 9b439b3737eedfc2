// The carriers of durable events, side by side: local, where each consumer reads the log itself; JetStream; Kafka. The same events in the
// same run: how fast a consumer catches up that is far behind, latency from commit to the consumer's commit at 1,000 events a
// second and at the most there is, and CPU.
//
//   node benchmarks/carriers.ts [--events 1000000] [--seconds 20] [--carriers local,jetstream,kafka]
//
// Local: owner and consumer in one process. The others: one process each, on a NATS server, as in a cluster.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServiceBroker, type Service, type ServiceSchema } from "moleculer";
import Type from "typebox";
import { defineActor } from "@valence/runtime/actor";
import { Actors } from "@valence/runtime/actor/mixin";
import { brokerOptions } from "@valence/runtime/broker";
import { defineContract, defineService } from "@valence/runtime/contract";
import type { NewEvent } from "@valence/runtime/event-store";
import { autoCommandId, readEnvironment } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { Kafka, Nats } from "@valence/runtime/testing/servers";
import { migrate } from "@valence/runtime/database/mixin";
import { openEventStore } from "../mixins/event-store/siblings.ts";
import { consumersOf, Consuming } from "../mixins/stream/siblings.ts";
import { closedLoop, openLoop, option, quantile, report, rounded, thousands } from "./harness.ts";

const events = option("events", 1_000_000);
const seconds = option("seconds", 20);
/** Actors of the load. */
const ACTORS = 10_000;
/** Streams of the history have so many events each, and so many live at once, as orders do. */
const EVENTS_EACH = 10;
const OPEN = 500;
const PACED = 1_000;
/**
 * Seconds at that rate before anything is measured. The Java of a Kafka that has just started spends more than half of its CPU on
 * compiling: the first 20 s at 1,000/s took it 6 s of CPU, and a produced page five times as long as later. Brokers run for months.
 */
const WARM_UP_S = 15;
const CALLERS = 256;
/** Milliseconds that a million events may take to be read. */
const WITHIN_MS = 600_000;
const CARRIERS = ["local", "jetstream", "kafka"] as const;
type CarrierName = (typeof CARRIERS)[number];

const booked = { room: Type.String(), nights: Type.Integer() };
const contract = defineContract({
  service: "stays",
  actor: "stay",
  state: { nights: Type.Integer() },
  commands: { book: booked },
  events: { "stay.booked": booked },
});
const Stay = defineActor(contract)({
  initial: () => ({ nights: 0 }),
  decide: { book: (_state, params) => [contract.event("stay.booked", params)] },
  evolve: { "stay.booked": ({ nights }, data) => ({ nights: nights + data.nights }) },
});

/** The work of a consumer since it was asked last. */
interface Taken {
  readonly count: number;
  /** Milliseconds since 1970 of its last commit. */
  readonly at: number;
  readonly latenciesMs: readonly number[];
}
interface Reader {
  taken(): Promise<Taken>;
  /** CPU milliseconds of a process of its own. */
  cpuMs(): number;
  stop(): Promise<void>;
}

/** A consumer that counts in its database, in one row: the cost is that of the stream. */
function counting(): { schema: ServiceSchema; taken: () => Taken } {
  let count = 0;
  let at = 0;
  let latenciesMs: number[] = [];
  let batch: number[] = [];
  const schema: ServiceSchema = {
    name: "readers",
    mixins: [Consuming(["counter"], ["stay.booked"])],
    async started(this: Service) {
      const consumers = await consumersOf(this);
      await migrate(consumers.database, "bench", [
        {
          name: "totals",
          up: async knex => {
            await knex.schema.createTable("totals", table => void table.integer("events"));
            await knex("totals").insert({ events: 0 });
          },
        },
      ]);
      consumers.add({
        name: "counter",
        types: ["stay.booked"],
        async write(trx, list) {
          batch = list.map(event => Date.parse(event.at));
          await trx("totals").increment("events", list.length);
          return new Map();
        },
        committed() {
          at = Date.now();
          count += batch.length;
          for (const since of batch) latenciesMs.push(at - since);
          batch = [];
        },
      });
    },
  };
  const taken = (): Taken => {
    const seen = { count, at, latenciesMs };
    latenciesMs = [];
    return seen;
  };
  return { schema, taken };
}

/** The process of a consumer: it is asked by messages. */
async function read(): Promise<void> {
  const { schema, taken } = counting();
  const broker = new ServiceBroker({ ...brokerOptions(readEnvironment()), logger: false });
  broker.createService(schema);
  await broker.start();
  process.on("message", () => process.send!({ taken: taken() }));
  process.send!({ taken: taken() });
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "valence-carriers-"));
  const named = process.argv[process.argv.indexOf("--carriers") + 1]?.split(",") ?? [];
  const carriers = process.argv.includes("--carriers") ? CARRIERS.filter(name => named.includes(name)) : CARRIERS;
  try {
    await fill(join(folder, "history"));
    const rows: object[] = [];
    for (const carrier of carriers) rows.push(await measure(carrier, folder));
    await report("carriers", rows as Record<string, unknown>[], { events, seconds });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A store with the events that a new consumer is behind. */
async function fill(folder: string): Promise<void> {
  mkdirSync(folder);
  const store = await openEventStore({ kind: "sqlite", filename: join(folder, "stays.sqlite") });
  const what = { kind: "book", fingerprint: "", metadata: "{}", answer: null };
  const append = (n: number, version: number): Promise<void> => {
    const data = JSON.stringify({ room: `room ${n}`, nights: 3 });
    const booking: NewEvent = { type: "stay.booked", schemaVersion: 1, data };
    const rest = { expectedVersion: version, commandId: autoCommandId(), events: [booking], ...what };
    return new Promise((resolve, reject) =>
      store.append({ stream: `stay.old${n}`, ...rest }, ({ kind }) =>
        kind === "ok" ? resolve() : reject(new Error(kind)),
      ),
    );
  };
  for (let n = 0; n < events / EVENTS_EACH; n += OPEN)
    for (let version = 0; version < EVENTS_EACH; version++)
      await Promise.all(Array.from({ length: OPEN }, (_, i) => append(n + i, version)));
  await store.close();
}

/** One row of the table. */
async function measure(carrier: CarrierName, from: string): Promise<object> {
  const folder = join(from, carrier);
  cpSync(join(from, "history"), folder, { recursive: true });
  const nats = carrier === "local" ? undefined : await Nats.start();
  const kafka = carrier === "kafka" ? await Kafka.start({ isAsInProduction: true }) : undefined;
  const env = {
    DATA_DIR: folder,
    CARRIER: carrier,
    ...(nats && { NATS_URL: nats.url }),
    ...(kafka && { KAFKA_BROKERS: kafka.servers }),
  };
  const broker = new ServiceBroker({ ...brokerOptions(readEnvironment({ ...env, NODEID: "owner" })), logger: false });
  broker.createService(defineService(contract, { mixins: [Actors(Stay)] }));
  await broker.start();
  const [began, cpuBefore] = [Date.now(), cpuNow({ cpuMs: () => 0 })];
  const reader = carrier === "local" ? await readHere(broker) : await readElsewhere(env);
  let total = events;
  const allTaken = (): Promise<Taken> => takenBy(reader, total);
  try {
    const caughtUp = await allTaken();
    const caughtUpCpuMs = cpuNow(reader).ours - cpuBefore.ours;
    // A consumer at the end of the log changes over to the server's messages.
    for (const [perSecond, s] of [
      [100, 2],
      [PACED, WARM_UP_S],
    ] as const) {
      total += await book(broker, perSecond, s);
      await allTaken();
    }
    const paced = await measured(reader, async () => (total += await book(broker, PACED, seconds)), allTaken);
    const most = await measured(reader, async () => (total += await bookMost(broker)), allTaken);
    return {
      carrier,
      "catch-up / s": thousands(events / ((caughtUp.at - began) / 1_000)),
      "CPU ms a thousand": rounded((caughtUpCpuMs / events) * 1_000, 1),
      "p50 / p99 ms at 1,000 / s": `${rounded(quantile(paced.latenciesMs, 0.5), 0)} / ${rounded(quantile(paced.latenciesMs, 0.99), 0)}`,
      "at most: committed / s": thousands(most.count / (most.writtenMs / 1_000)),
      "taken / s": thousands(most.count / (most.takenMs / 1_000)),
      "p50 / p99 ms": `${rounded(quantile(most.latenciesMs, 0.5), 0)} / ${rounded(quantile(most.latenciesMs, 0.99), 0)}`,
      "CPU ms: ours": rounded((paced.oursMs / paced.count) * 1_000, 0),
      servers: rounded((paced.serversMs / paced.count) * 1_000, 0),
      "at most: ours": rounded((most.oursMs / most.count) * 1_000, 0),
      "servers ": rounded((most.serversMs / most.count) * 1_000, 0),
    };
  } finally {
    await reader.stop();
    await broker.stop();
    await kafka?.stop();
    await nats?.stop();
    await rm(folder, { recursive: true });
  }
}

/** The cost of a load, from its first event until all of them are taken. */
async function measured(reader: Reader, load: () => Promise<unknown>, allTaken: () => Promise<Taken>) {
  const before = (await reader.taken()).count;
  const cpuBefore = cpuNow(reader);
  const began = Date.now();
  await load();
  const writtenMs = Date.now() - began;
  const { count, at, latenciesMs } = await allTaken();
  const cpuAfter = cpuNow(reader);
  const oursMs = cpuAfter.ours - cpuBefore.ours;
  return {
    count: count - before,
    writtenMs,
    takenMs: at - began,
    latenciesMs,
    oursMs,
    serversMs: Math.max(0, cpuAfter.all - cpuBefore.all - oursMs),
  };
}

/** CPU milliseconds so far: of owner and consumer, and with the servers. */
function cpuNow(reader: Pick<Reader, "cpuMs">): { ours: number; all: number } {
  const { user, system } = process.cpuUsage();
  const own = (user + system) / 1_000;
  return { ours: own + reader.cpuMs(), all: own + cpuOfChildrenMs() };
}

let next = 0;
const bookOne = (broker: ServiceBroker): Promise<unknown> => {
  const n = next++;
  return broker.call("stays.book", { id: `s${n % ACTORS}`, room: `room ${n}`, nights: 3 });
};
/** At this rate, for so many seconds. Answers how many were booked: one that was refused, on a machine that is too busy, is no event. */
async function book(broker: ServiceBroker, perSecond: number, s: number): Promise<number> {
  return (await openLoop(perSecond, s, () => bookOne(broker))).filter(Number.isFinite).length;
}
async function bookMost(broker: ServiceBroker): Promise<number> {
  const before = next;
  await closedLoop(CALLERS, seconds / 2, () => bookOne(broker));
  return next - before;
}

/** Everything that it took since the last question, once that is all. */
async function takenBy(reader: Reader, total: number): Promise<Taken> {
  const latenciesMs: number[] = [];
  return until(
    async () => {
      const taken = await reader.taken();
      for (const ms of taken.latenciesMs) latenciesMs.push(ms);
      return { ...taken, latenciesMs };
    },
    ({ count }) => count >= total,
    WITHIN_MS,
  );
}

async function readHere(broker: ServiceBroker): Promise<Reader> {
  const { schema, taken } = counting();
  broker.createService(schema);
  await broker.waitForServices("readers");
  return { taken: async () => taken(), cpuMs: () => 0, stop: async () => {} };
}

async function readElsewhere(env: Readonly<Record<string, string>>): Promise<Reader> {
  const child = fork(new URL(import.meta.url).pathname, ["read"], {
    env: { ...process.env, ...env, NODEID: "reader" },
  });
  // A broker of ours also sends its parent the messages for a supervisor of workers.
  const answer = async (): Promise<Taken> => {
    for (;;) {
      const [message] = (await once(child, "message")) as [{ taken?: Taken }];
      if (message.taken) return message.taken;
    }
  };
  await answer();
  return {
    async taken() {
      const answered = answer();
      child.send("taken");
      return answered;
    },
    cpuMs: () => cpuOfMs(child.pid!),
    stop: () => ended(child),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

/** CPU milliseconds of a process, by Linux's ticks of 10 ms. */
function cpuOfMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [user, system] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13);
  return (Number(user) + Number(system)) * 10;
}
/** Likewise, of the processes that this one has started: servers, and the consumer. */
const cpuOfChildrenMs = (): number =>
  readdirSync("/proc/self/task")
    .flatMap(task => readFileSync(`/proc/self/task/${task}/children`, "utf8").split(" ").filter(Boolean))
    .reduce((sum, pid) => sum + cpuOfMs(Number(pid)), 0);

if (process.argv[2] === "read") await read();
else await main();
