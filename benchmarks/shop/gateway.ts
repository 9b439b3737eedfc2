// Measures the gateway beside moleculer-web alone and Fastify, in one run on this machine: the load in a process of its
// own, each server in a process of its own, a warm-up, the median of several runs by turns.
//
//   npm run bench -- gateway            all of it, about 15 minutes
//   npm run bench -- gateway --quick    about 3 minutes, for a look
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Shop } from "../../test/shop/support/shop.ts";
import { installPeers, PEERS } from "../install-peers.ts";
import type { GetLoad } from "../gateway/gets.ts";
import type { StepCost } from "../gateway/stopwatch.ts";
import type { TrivialTask } from "../gateway/trivial.ts";
import { median, option, report, rounded, thousands, type Load } from "../harness.ts";
import { alsoEnd, endAll, Started } from "../started.ts";

const effort = {
  callers: option("callers", 50),
  warmUpSeconds: option("warm-up", 2),
  seconds: option("seconds", 8),
};
const runs = option("runs", 5);
/** Every limit is checked and counted, and none is met. */
const UNMET_LIMITS = { RATE_LIMIT_PERCENT: "1000000" };
const file = (name: string): URL => new URL(`../gateway/${name}.ts`, import.meta.url);

/** A server that is running, and what is asked of it. */
interface Contender {
  readonly name: string;
  readonly port: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status?: number;
  readonly aim?: string;
}

process.once("SIGINT", endAll).once("SIGTERM", endAll);
await installPeers();
const folder = await mkdtemp(join(tmpdir(), "valence-gateway-"));
const started: Started[] = [];
try {
  const rows = await measureGets();
  const costs = await measureSteps();
  await report("gateway", rows, { effort: { ...effort, runs }, steps: costs });
} finally {
  await Promise.all(started.map(process => process.end()));
  await rm(folder, { recursive: true, force: true });
}
await suite("../gateway/overload.ts", process.argv.includes("--quick") ? ["--quick"] : []);
await suite("peers.ts", ["--only", "ours,fastify", "--cases", "accepted only", ...quickFlag()]);

function quickFlag(): string[] {
  return process.argv.includes("--quick") ? ["--quick"] : [];
}

async function trivial(task: TrivialTask): Promise<{ process: Started; port: number; token: string }> {
  const one = Started.script(file("trivial"), task);
  started.push(one);
  const { ready, token = "" } = (await one.told(60)) as unknown as { ready: number; token?: string };
  return { process: one, port: ready, token };
}

async function measureGets(): Promise<Record<string, unknown>[]> {
  const bare = await trivial({ server: "bare" });
  const ours = await trivial({ server: "ours", env: { DATA_DIR: join(folder, "ours"), ...UNMET_LIMITS } });
  const fastify = Started.script(new URL("fastify-get.ts", PEERS), {});
  started.push(fastify);
  const { ready: fastifyPort } = (await fastify.told(60)) as { ready: number };
  const shop = await Shop.start({ NODE_ENV: "production", LOGLEVEL: "warn", ...UNMET_LIMITS });
  alsoEnd(shop.child.process);
  try {
    const shopPort = Number(new URL(shop.url).port);
    const { body: products } = await shop.request("GET", "/api/v1/products?pageSize=1");
    const product = `/api/v1/products/${products.rows[0].id}`;
    const { headers } = await fetch(`${shop.url}${product}`);
    const customer = await shop.customer("bench");
    const greeting = "/api/v1/greetings/Ada";
    const contenders: Contender[] = [
      { name: "moleculer-web alone, a trivial action", port: bare.port, path: greeting },
      { name: "Fastify and a broker, the same action", port: fastifyPort, path: greeting },
      {
        name: "ours, the same action with everything on",
        port: ours.port,
        path: greeting,
        headers: { Authorization: `Bearer ${ours.token}` },
        aim: "≥ 0.6 of moleculer-web",
      },
      { name: "ours, a product (200)", port: shopPort, path: product, aim: "≥ 1.5 of moleculer-web" },
      {
        name: "ours, a product (304)",
        port: shopPort,
        path: product,
        headers: { "If-None-Match": headers.get("etag")! },
        status: 304,
        aim: "≥ 1.5 of moleculer-web",
      },
      { name: "ours, a page of products", port: shopPort, path: "/api/v1/products?pageSize=20" },
      { name: "ours, /me", port: shopPort, path: "/api/v1/me", headers: { Authorization: `Bearer ${customer}` } },
      { name: "ours, /health/live", port: shopPort, path: "/health/live" },
    ];
    const loads = new Map<Contender, Load[]>(contenders.map(contender => [contender, []]));
    // By turns: the machine's speed changes within minutes.
    for (let run = 0; run < runs; run++)
      for (const contender of contenders) loads.get(contender)!.push(...(await load(contender)));
    const speedOf = (contender: Contender): number => median(loads.get(contender)!.map(({ perSecond }) => perSecond));
    const base = speedOf(contenders[0]!);
    return contenders.map(contender => {
      const measured = loads.get(contender)!;
      return {
        case: contender.name,
        "per second": thousands(speedOf(contender)),
        "of moleculer-web": rounded(speedOf(contender) / base, 2),
        "p50 ms": rounded(median(measured.map(({ latencyMs }) => latencyMs.p50)), 2),
        "p99 ms": rounded(median(measured.map(({ latencyMs }) => latencyMs.p99)), 2),
        aim: contender.aim ?? "",
      };
    });
  } finally {
    await shop.stop();
  }
}

async function load({ name, port, path, headers = {}, status = 200 }: Contender): Promise<readonly Load[]> {
  const task: GetLoad = { port, path, headers, status, ...effort, runs: 1 };
  const generator = Started.script(file("gets"), task);
  try {
    const told = await generator.told(60 + effort.warmUpSeconds + effort.seconds);
    if (!("loads" in told)) throw new Error(`${name}: no loads`);
    console.log(`${name}: ${thousands(told.loads[0]!.perSecond)}/s`);
    return told.loads;
  } finally {
    await generator.end();
  }
}

/** One request after the other, so that the time of a step is its own. */
async function measureSteps(): Promise<readonly StepCost[]> {
  const { process, port, token } = await trivial({
    server: "ours",
    env: { DATA_DIR: join(folder, "steps"), ...UNMET_LIMITS },
  });
  const contender = {
    name: "steps",
    port,
    path: "/api/v1/greetings/Ada",
    headers: { Authorization: `Bearer ${token}` },
  };
  const { callers: _all, ...one } = effort;
  const generate = async (seconds: number): Promise<void> => {
    const task: GetLoad = { ...contender, status: 200, ...one, callers: 1, warmUpSeconds: 1, seconds, runs: 1 };
    const generator = Started.script(file("gets"), task);
    await generator.told(60 + seconds);
    await generator.end();
  };
  await generate(effort.seconds);
  process.say("time the steps");
  await generate(effort.seconds);
  process.say("tell the times");
  const { costs } = (await process.told(10)) as unknown as { costs: readonly StepCost[] };
  console.table(costs.map(({ step, us }) => ({ step, µs: rounded(us, 1) })));
  return costs;
}

async function suite(name: string, args: readonly string[]): Promise<void> {
  const path = fileURLToPath(new URL(name, import.meta.url));
  const [code] = await once(spawn(process.execPath, [path, ...args], { stdio: "inherit" }), "exit");
  if (code !== 0) process.exitCode = 1;
}
