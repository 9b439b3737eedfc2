// The cost of observing: the same work with nothing observed, then with metrics, logs and traces, each on top of those before.
// The machine is shared, so CPU time counts rather than the clock, and the steps take turns: all their processes are there
// for the whole time, and each round measures every one of them, beginning with another one each time. Steps are compared within
// a round; of the rounds the median counts.
//
//   node benchmarks/shop/observability.ts [--part commands|orders|memory] [--rounds 5] [--seconds 10]
//     [--commandRounds 40] [--commands 10000] [--requests 1000000]
//
// Without a part it does all of them:
//
// 1. Durable commands, in one process.
// 2. Whole orders over HTTP until their sagas have ended.
// 3. The audit: events a second, and its share of an order, each event of which it records.
// 4. Memory of a shop that observes everything, after a tenth of the requests and after all of them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "@valence/runtime/testing";
import { Shop } from "../../test/shop/support/shop.ts";
import type { GetLoad } from "../gateway/gets.ts";
import { median, option, report, rounded, thousands, type Cost } from "../harness.ts";
import type { ObservedCommands } from "../observed-commands.ts";
import { PROBED, type Probed } from "../probe.ts";
import { endAll, Started } from "../started.ts";
import { OrderLoad, stock } from "./order-load.ts";

const rounds = option("rounds", 5);
const seconds = option("seconds", 10);
const commandRounds = option("commandRounds", 40);
const commands = option("commands", 10_000);
const PARTS = ["commands", "orders", "memory"];
const part = process.argv.includes("--part") ? process.argv[process.argv.indexOf("--part") + 1]! : undefined;
if (part !== undefined && !PARTS.includes(part)) throw new Error(`--part wants one of ${PARTS.join(", ")}`);
const wants = (name: string): boolean => part === undefined || part === name;
const requests = option("requests", 1_000_000);
const CALLERS = 64;
/** Commands until all of their code is compiled. */
const WARM_UP = 50_000;
/** Seconds that a round of commands takes at most, on however busy a machine. */
const ROUND_S = 600;
const CONNECTIONS = 32;
const OPEN_ORDERS_MAX = 200;
const ADMIN = { email: "admin@example.com", password: "benchmarks only" };
/** Seconds for a shop's consumers to read the last events of a run. */
const SETTLE_S = 1;

interface Step {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
}
const folder = await mkdtemp(join(tmpdir(), "valence-observability-"));
process.once("SIGINT", endAll);
const sink = Started.script(new URL("../span-sink.ts", import.meta.url), {});
try {
  const told = await sink.told(30);
  if (!("ready" in told)) throw new Error("the collector did not start");
  const steps = stepsFor(`http://127.0.0.1:${told.ready}`);
  const rows: Record<string, unknown>[] = [];
  if (wants("commands")) rows.push(...shown(rowsOf("durable command", await commandCosts(steps))));
  if (wants("orders")) {
    const costs = await orderCosts(steps);
    rows.push(...shown(rowsOf("whole order", costs)));
    rows.push(...shown([await auditShare(median(costs[0]!.rounds.map(({ cpuUs }) => cpuUs)))]));
  }
  if (wants("memory")) rows.push(await memory(steps[3]!));
  await report(part === undefined ? "observability" : `observability-${part}`, rows);
} finally {
  await sink.end();
  await rm(folder, { recursive: true });
}

function stepsFor(collector: string): readonly Step[] {
  const off = { METRICS: "off", LOGLEVEL: "fatal", LOG_FORMAT: "json" };
  const metrics = { ...off, METRICS: "on" };
  const logs = { ...metrics, LOGLEVEL: "info" };
  const traces = { ...logs, OTEL_EXPORTER_OTLP_ENDPOINT: collector, OTEL_TRACES_SAMPLER: "parentbased_traceidratio" };
  return [
    { name: "nothing", env: off },
    { name: "metrics", env: metrics },
    { name: "metrics, logs", env: logs },
    { name: "metrics, logs, 1 % of traces", env: { ...traces, OTEL_TRACES_SAMPLER_ARG: "0.01" } },
    { name: "metrics, logs, all traces", env: { ...traces, OTEL_TRACES_SAMPLER_ARG: "1" } },
  ];
}

/** Shows at once what a run of an hour has found. */
function shown<T extends readonly Record<string, unknown>[]>(rows: T): T {
  console.table(rows);
  return rows;
}

/** Measures each of them once a round. */
async function inTurns<T>(of: readonly T[], rounds: number, measure: (one: T) => Promise<Cost>): Promise<Cost[][]> {
  const costs = of.map((): Cost[] => []);
  for (let round = 0; round < rounds; round++)
    for (let turn = 0; turn < of.length; turn++) {
      const i = (round + turn) % of.length;
      costs[i]!.push(await measure(of[i]!));
    }
  return costs;
}

type Costs = readonly (Step & { readonly rounds: readonly Cost[] })[];
function withSteps(steps: readonly Step[], costs: readonly Cost[][]): Costs {
  return steps.map((step, i) => ({ ...step, rounds: costs[i]! }));
}

async function commandCosts(steps: readonly Step[]): Promise<Costs> {
  const started: Started[] = [];
  try {
    for (const [i, { env }] of steps.entries()) {
      const task = {
        env: { ...env, DATA_DIR: join(folder, `commands-${i}`) },
        callers: CALLERS,
        commands,
        warmUp: WARM_UP,
      };
      await mkdir(task.env.DATA_DIR);
      const url = new URL("../observed-commands.ts", import.meta.url);
      started.push(Started.script(url, task satisfies ObservedCommands));
      await started[i]!.told(ROUND_S);
    }
    const measured = await inTurns(started, commandRounds, async process => {
      process.say("run");
      const told = await process.told(ROUND_S);
      if (!("cost" in told)) throw new Error("a round of commands told no cost");
      return told.cost;
    });
    return withSteps(steps, measured);
  } finally {
    for (const process of started) await process.end();
  }
}

async function startShop(name: string, { env }: Step): Promise<Shop> {
  const probe = new URL("../probe.ts", import.meta.url).href;
  return Shop.start({
    ...env,
    DATA_DIR: join(folder, name),
    NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import ${probe}`,
    NODE_ENV: "production",
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
    RATE_LIMIT_PERCENT: "1000000",
  });
}

async function orderCosts(steps: readonly Step[]): Promise<Costs> {
  const shops: { readonly shop: Shop; readonly load: OrderLoad }[] = [];
  try {
    for (const [i, step] of steps.entries()) {
      const shop = await startShop(`orders-${i}`, step);
      const tokens = { admin: await shop.login(ADMIN.email, ADMIN.password), customer: await shop.customer("bench") };
      const load = new OrderLoad(shop, tokens, await stock(shop, tokens.admin), CONNECTIONS);
      shops.push({ shop, load });
      await load.run(Math.min(5, seconds), OPEN_ORDERS_MAX);
      await load.rest();
    }
    const measured = await inTurns(shops, rounds, async ({ shop, load }) => {
      const before = await probed(shop);
      const { accepted, acceptedPerSecond } = await load.run(seconds, OPEN_ORDERS_MAX);
      await load.rest();
      await sleep(SETTLE_S * 1_000);
      const after = await probed(shop);
      return { perSecond: acceptedPerSecond, cpuUs: (after.cpuUs - before.cpuUs) / accepted };
    });
    return withSteps(steps, measured);
  } finally {
    for (const { shop, load } of shops) {
      load.close();
      await shop.stop();
    }
  }
}

/** Measured by itself, as catching up with a log: it works behind the orders, and cannot be left out of a shop. */
async function auditShare(orderUs: number): Promise<Record<string, unknown>> {
  const audit = spawn(process.execPath, [
    new URL("../audit.ts", import.meta.url).pathname,
    "--events",
    "20000",
    "--runs",
    "1",
  ]);
  await once(audit, "exit");
  const result = JSON.parse(await readFile(new URL("../results/audit.json", import.meta.url), "utf8")) as {
    rows: { "µs each": number }[];
  };
  const usEach = result.rows[0]!["µs each"];
  const { orders, events } = recorded(join(folder, "orders-0"));
  const share = ((events / orders) * usEach) / orderUs;
  return {
    case: `audit: ${rounded(events / orders, 1)} events of an order, ${usEach} µs each`,
    "per second": thousands(1e6 / usEach),
    "CPU µs": rounded((events / orders) * usEach, 1),
    "of an order": `${rounded(share * 100, 1)} %`,
  };
}

/** Number of events that the owners of the audited logs have recorded. Products' stock is some hundred events more, of thousands. */
function recorded(dataDir: string): { readonly orders: number; readonly events: number } {
  const count = (service: string, of: string): number => {
    const database = new DatabaseSync(join(dataDir, `${service}.sqlite`), { readOnly: true });
    const { n } = database.prepare(`select count(*) as n from events where type like ?`).get(of) as { n: number };
    database.close();
    return n;
  };
  const events = ["orders", "inventory", "payments", "shipping"].reduce((sum, service) => sum + count(service, "%"), 0);
  return { orders: count("orders", "order.placed"), events };
}

async function probed({ child }: Shop): Promise<Probed> {
  child.output = "";
  child.process.kill("SIGUSR2");
  const line = new RegExp(`^${PROBED}(.*)$`, "m");
  return JSON.parse((await until("the probe answers", () => line.exec(child.output)))[1]!) as Probed;
}

/** Bytes after a tenth of the requests, and how much more after all. */
async function memory(step: Step): Promise<Record<string, unknown>> {
  const shop = await startShop("memory", step);
  try {
    const { rows } = (await shop.request("GET", "/api/v1/products?pageSize=1")).body;
    const path = `/api/v1/products/${rows[0].id}`;
    const effort = { callers: CONNECTIONS, warmUpSeconds: 0, seconds: 5, runs: 1 };
    const url = new URL("../gateway/gets.ts", import.meta.url);
    const port = Number(new URL(shop.url).port);
    let done = 0;
    const loadTo = async (goal: number): Promise<Probed> => {
      while (done < goal) {
        const gets = Started.script(url, { ...effort, port, path, headers: {}, status: 200 } satisfies GetLoad);
        const told = await gets.told(60);
        await gets.end();
        done += "loads" in told ? told.loads[0]!.perSecond * effort.seconds : 0;
      }
      await sleep(SETTLE_S * 1_000);
      return probed(shop);
    };
    const early = await loadTo(requests / 10);
    const { heap, rss } = await loadTo(requests);
    return {
      case: `heap after ${thousands(done)} requests: ${step.name}`,
      "heap MB": `${rounded(early.heap / 1e6, 1)} → ${rounded(heap / 1e6, 1)}`,
      "rss MB": `${rounded(early.rss / 1e6, 0)} → ${rounded(rss / 1e6, 0)}`,
      "more heap": `${rounded((heap / early.heap - 1) * 100, 1)} %`,
    };
  } finally {
    await shop.stop();
  }
}

/** Each step beside the first one, which observes nothing: what is more, in the same round. */
function rowsOf(what: string, costs: Costs): Record<string, unknown>[] {
  const nothing = costs[0]!.rounds;
  return costs.map(({ name, rounds }) => {
    const of = (value: (cost: Cost) => number): number => median(rounds.map(value));
    const more = (value: (cost: Cost) => number): number =>
      median(rounds.map((cost, round) => value(cost) - value(nothing[round]!)));
    const percent = (value: (cost: Cost) => number): string =>
      `${rounded(median(rounds.map((cost, round) => value(cost) / value(nothing[round]!) - 1)) * 100, 1)} %`;
    const loop = ({ loopUs = Number.NaN }: Cost): number => loopUs;
    const isLoopMeasured = nothing[0]!.loopUs !== undefined;
    return {
      case: `${what}: ${name}`,
      "per second": thousands(of(({ perSecond }) => perSecond)),
      "CPU µs": rounded(
        of(({ cpuUs }) => cpuUs),
        1,
      ),
      "more CPU µs": rounded(
        more(({ cpuUs }) => cpuUs),
        1,
      ),
      "more CPU": percent(({ cpuUs }) => cpuUs),
      ...(isLoopMeasured && { "loop µs": rounded(of(loop), 1), "more on the loop µs": rounded(more(loop), 1) }),
      throughput: percent(({ perSecond }) => perSecond),
    };
  });
}
