// Brokers in several processes on one NATS server: what a remote call costs compared with plain Moleculer, how long
// calls to a node that dies or leaves fail, and whether more processes cost more CPU a command.
//
//   node benchmarks/cluster.ts [--seconds 10] [--runs 3] [--kills 20]
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { ServiceBroker, type BrokerOptions } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { readEnvironment } from "@valence/runtime/kernel";
import { Cluster } from "../test/cluster/cluster.ts";
import { until } from "@valence/runtime/testing";
import { Nats, newDatabase, Postgres } from "@valence/runtime/testing/servers";
import { closedLoop, median, option, quantile, report, rounded, thousands } from "./harness.ts";

const seconds = option("seconds", 10);
const runs = option("runs", 3);
const kills = option("kills", 20);
const CALLERS = 64;
const ACTORS = 500;

const KINDS = ["bare Moleculer", "ours"] as const;
const optionsOf = (kind: string, natsUrl: string, nodeID: string): BrokerOptions =>
  kind === "ours"
    ? { ...brokerOptions(readEnvironment({ NATS_URL: natsUrl, NAMESPACE: "ours" })), nodeID, logger: false }
    : {
        transporter: { type: "NATS", options: { url: natsUrl } },
        namespace: "bare",
        requestTimeout: 10_000,
        nodeID,
        logger: false,
      };

const [role, kind, natsUrl] = process.argv.slice(2);
if (role === "serve") await serve(kind!, natsUrl!);
else {
  const rows: Record<string, unknown>[] = [];
  rows.push(...(await remoteCalls()), ...(await failOver()), ...(await handOver()), ...(await scaling()));
  await report("cluster", rows);
  process.exit();
}

async function serve(kind: string, natsUrl: string): Promise<void> {
  const broker = new ServiceBroker(optionsOf(kind, natsUrl, "server"));
  broker.createService({ name: "echo", actions: { say: (ctx: { params: unknown }) => ctx.params } });
  await broker.start();
  process.send!("started");
}

/** The same action, called from another process, alternately through plain Moleculer and through our broker. */
async function remoteCalls(): Promise<Record<string, unknown>[]> {
  const nats = await Nats.start();
  const servers: ChildProcess[] = [];
  const callers = new Map<string, ServiceBroker>();
  for (const kind of KINDS) {
    const server = fork(new URL(import.meta.url).pathname, ["serve", kind, nats.url]);
    servers.push(server);
    await once(server, "message");
    const caller = new ServiceBroker(optionsOf(kind, nats.url, "caller"));
    await caller.start();
    await caller.waitForServices("echo");
    callers.set(kind, caller);
  }
  const params = { id: "a", text: "x".repeat(100) };
  const loads = new Map<string, Awaited<ReturnType<typeof closedLoop>>[]>(KINDS.map(kind => [kind, []]));
  for (let run = -1; run < runs; run++)
    for (const kind of KINDS) {
      const load = await closedLoop(CALLERS, run < 0 ? 2 : seconds, () => callers.get(kind)!.call("echo.say", params));
      if (run >= 0) loads.get(kind)!.push(load);
    }
  for (const caller of callers.values()) await caller.stop();
  for (const server of servers) server.kill("SIGKILL");
  await nats.stop();
  const rates = KINDS.map(kind => median(loads.get(kind)!.map(({ perSecond }) => perSecond)));
  return KINDS.map((kind, i) => ({
    case: `remote call over NATS, ${CALLERS} callers: ${kind}`,
    "per second": thousands(rates[i]!),
    "p50 ms": rounded(median(loads.get(kind)!.map(({ latencyMs }) => latencyMs.p50)), 2),
    "p99 ms": rounded(median(loads.get(kind)!.map(({ latencyMs }) => latencyMs.p99)), 2),
    ...(kind === "ours" && { ratio: rounded(rates[1]! / rates[0]!, 2) }),
  }));
}

/** From the kill to the first answer of an actor that the dead node owned, under load. */
async function failOver(): Promise<Record<string, unknown>[]> {
  const cluster = await Cluster.start(3);
  const load = cluster.load(20, ACTORS, 1);
  const times: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    await until("the load is under way", () => load.ended.length > 200 * (kill + 1));
    const [victim] = cluster.live();
    const owned = await ownedBy(cluster, victim!);
    cluster.signal(victim!, "SIGKILL");
    const began = performance.now();
    while (
      !(await cluster.add(owned).then(
        () => true,
        () => false,
      ))
    );
    times.push(performance.now() - began);
    await cluster.end(victim!, "SIGKILL");
    await cluster.join();
  }
  const ended = await load.stop();
  await cluster.stop();
  return [
    {
      case: `an actor answers elsewhere after kill -9 of its node, ${kills} kills under load`,
      "p50 ms": rounded(median(times), 0),
      "worst ms": rounded(Math.max(...times), 0),
      "failed calls": ended.filter(({ error }) => error).length,
    },
  ];
}

async function ownedBy(cluster: Cluster, node: string): Promise<string> {
  for (let n = 0; ; n++) {
    const id = `t${n}`;
    const called: any = cluster.caller.call("tallies.get", { id });
    if (called.ctx.nodeID === node) return called.then(() => id);
    await called;
  }
}

/** Effects on a caller when a node is asked to leave while another one starts. */
async function handOver(): Promise<Record<string, unknown>[]> {
  const cluster = await Cluster.start(3);
  const load = cluster.load(20, ACTORS, 1);
  for (const id of cluster.live()) {
    await cluster.join();
    await cluster.end(id, "SIGTERM");
  }
  const ended = await load.stop();
  await cluster.stop();
  const times = ended.map(({ began, ended }) => ended - began);
  return [
    {
      case: "a command while three nodes are replaced one after another",
      "p50 ms": rounded(median(times), 1),
      "p99 ms": rounded(quantile(times, 0.99), 1),
      "worst ms": rounded(Math.max(...times), 0),
      "failed calls": ended.filter(({ error }) => error).length,
    },
  ];
}

/** Commands per CPU second of the nodes; the CPU of the caller and of the server is not counted. */
async function scaling(): Promise<Record<string, unknown>[]> {
  const server = await Postgres.start();
  const rows: Record<string, unknown>[] = [];
  for (const size of [1, 2, 4]) {
    const database = await newDatabase(server.url());
    const databases = { folder: "", env: { DATABASE_URL: database.url }, remove: () => database.drop() };
    const cluster = await Cluster.start(size, databases);
    // The same number of callers a process: with more processes there is more load.
    const callers = CALLERS * size;
    await closedLoop(callers, 2, n => cluster.add(`t${n % ACTORS}`));
    const before = cpuSeconds(cluster);
    const load = await closedLoop(callers, seconds, n => cluster.add(`t${n % ACTORS}`));
    const cpu = cpuSeconds(cluster) - before;
    await cluster.stop();
    rows.push({
      case: `commands to ${size} process${size > 1 ? "es" : ""} on Postgres, ${callers} callers`,
      "per second": thousands(load.perSecond),
      "per CPU second": thousands((load.perSecond * seconds) / cpu),
    });
  }
  await server.stop();
  return rows;
}

/** User and system time of the nodes; the kernel counts in hundredths of a second. */
function cpuSeconds(cluster: Cluster): number {
  let ticks = 0;
  for (const { process } of cluster.nodes.values()) {
    const fields = readFileSync(`/proc/${process.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / 100;
}
