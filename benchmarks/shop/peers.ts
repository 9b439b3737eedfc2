// Compares the runtime with its peers: one run, this machine, the same durability (fsync and synchronous_commit on),
// the same Postgres server with a new database for each contender, the same number of load connections, a warm-up, and
// the median of several runs. Each contender has a process of its own, and so has the load of the HTTP cases.
//
//   npm run bench:peers                          all of it, about 20 minutes
//   npm run bench:peers -- --quick               about 3 minutes, for a look
//   npm run bench:peers -- --only ours,restate   only these contenders
//   npm run bench:peers -- --cases order         only cases with this in their name
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SignJWT } from "jose";
import { newId } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { Child, freePort, newDatabase, query, type Postgres } from "@valence/runtime/testing/servers";
import { Shop } from "../../test/shop/support/shop.ts";
import { ACTORS } from "../counters.ts";
import { fdatasyncP50, median, option, report, rounded, thousands, type Load } from "../harness.ts";
import { OrderLoad, orderBodies, stock, type OrderRun } from "./order-load.ts";
import type { OurTask } from "../ours.ts";
import { POSTGRES_SETTINGS, postgresVersion, withPostgres } from "../server.ts";
import { installPeers, PEERS } from "../install-peers.ts";
import { alsoEnd, assertGoingOn, endAll, Started } from "../started.ts";

const CONTENDERS = ["ours", "restate", "emmett", "dbos", "fastify"] as const;
type Contender = (typeof CONTENDERS)[number];

const OURS = new URL("../ours.ts", import.meta.url);
const ROOT = new URL("../..", import.meta.url);

/** Connections of each peer's pool: of 8 to 100 the number with which it was fastest on two cores. */
const POOL = { fastify: option("fastify-pool", 16), dbos: option("dbos-pool", 50) };
const ORDER_CONNECTIONS = 64;
/** Sagas open at once when all services run. */
const OPEN_MAX = 400;
const ISSUER = "valence";
const ADMIN = { email: "admin@example.com", password: "benchmarks only" };

const args = process.argv.slice(2);
if (args.includes("--help")) {
  console.log(
    `npm run bench:peers -- [--quick] [--only ${CONTENDERS.join(",")}] [--cases <part of a name>,…]\n` +
      "                       [--fastify-pool <connections>] [--dbos-pool <connections>]",
  );
  process.exit(0);
}
const isQuick = args.includes("--quick");
const only = listOption("--only");
const unknown = only?.find(name => !(CONTENDERS as readonly string[]).includes(name));
if (unknown !== undefined) {
  console.error(`no contender "${unknown}": there are ${CONTENDERS.join(", ")}`);
  process.exit(1);
}
const named = listOption("--cases");
const effort = isQuick ? { warmUpSeconds: 1, seconds: 2, runs: 1 } : { warmUpSeconds: 4, seconds: 12, runs: 3 };
const wholeSeconds = isQuick ? 10 : 60;

/** The result of one contender in one case. */
interface Measured {
  readonly loads: readonly Load[];
  /** Whether the CPU of the loads is the generator's alone, or the contender's with its callers. */
  readonly generator: "own process" | "in process";
  readonly whole?: OrderRun;
}
interface Entry {
  readonly contender: Contender;
  readonly name: string;
  readonly measure: () => Promise<Measured>;
}
interface Case {
  readonly name: string;
  readonly ours: Entry;
  readonly peer?: Entry;
  readonly aim: string;
}

let server: Postgres;
let folder: string;
const results = new Map<Entry, Measured>();
await withPostgres(async (started, itsFolder) => {
  server = started;
  folder = itsFolder;
  await installPeers();
  const cases = allCases().filter(({ name }) => !named || named.some(part => name.includes(part)));
  const all = new Set(cases.flatMap(({ ours, peer }) => (peer ? [ours, peer] : [ours])));
  await measureAll([...all].filter(({ contender }) => !only || only.includes(contender)));
  await report(
    "peers",
    cases.map(rowOf).filter(row => row !== undefined),
    {
      versions: await versions(),
      postgres: { ...POSTGRES_SETTINGS, "fdatasync of 4 kB, p50 ms": rounded(await fdatasyncP50(folder), 3) },
      effort: { ...effort, pools: POOL },
      measurements: [...results].map(([{ contender, name }, measured]) => ({ contender, name, ...measured })),
    },
  );
}, endAll);

/** A contender that fails is reported and left out of the table. */
async function measureAll(entries: readonly Entry[]): Promise<void> {
  const startedAt = Date.now();
  for (const [i, entry] of entries.entries()) {
    const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1);
    console.log(`[${i + 1}/${entries.length}, ${minutes} min] ${entry.name}`);
    assertGoingOn();
    // Syncs the disk: this contender must not write what the one before has left in memory.
    await query(server.url(), "checkpoint");
    try {
      const measured = await entry.measure();
      results.set(entry, measured);
      console.log(`    ${thousands(perSecond(measured))}/s`);
    } catch (error) {
      assertGoingOn();
      console.error(error);
      process.exitCode = 1;
    }
  }
}

// ---- the cases

function allCases(): Case[] {
  const one: Case[] = [
    { actors: ACTORS, callers: 256, name: "durable command, 5 000 actors, 256 callers", aim: "≥ 20, aim 30" },
    { actors: 1, callers: 64, name: "durable command, one hot actor, 64 callers", aim: "≥ 60" },
    { actors: 1, callers: 256, name: "durable command, one hot actor, 256 callers", aim: "≥ 100" },
  ].flatMap(({ actors, callers, name, aim }) => {
    const peer = entry("restate", `${name}: Restate, ingress`, () => restate(actors, callers));
    return [
      { name, ours: commands(name, actors, callers), peer, aim },
      {
        name: `${name}, HTTP against HTTP`,
        ours: entry("ours", `${name}: ours, HTTP`, () => overHttp(actors, callers)),
        peer,
        aim: "–",
      },
    ];
  });
  const process = (steps: "plain" | "commands") => () =>
    onDatabase(url => inProcess(OURS, { kind: "process", url, steps, ...effort, callers: 256 } satisfies OurTask));
  return [
    ...one,
    {
      name: "append one event, 5 000 streams, 256 callers",
      ours: one[0]!.ours,
      peer: entry("emmett", "append one event: Emmett, appendToStream", () =>
        onDatabase(url => inProcess(peer("emmett"), { url, streams: ACTORS, ...effort, callers: 256 })),
      ),
      aim: "≥ 8",
    },
    {
      name: "durable process, three steps of a plain action, 256 callers",
      ours: entry("ours", "durable process, three plain steps: ours, saga", process("plain")),
      peer: entry("dbos", "durable process, three steps: DBOS, workflow", () =>
        onDatabase(url => inProcess(peer("dbos"), { url, poolSize: POOL.dbos, ...effort, callers: 256 })),
      ),
      aim: "≥ 10",
    },
    {
      name: "durable process, three steps of an actor command, 256 callers",
      ours: entry("ours", "durable process, three commands: ours, saga", process("commands")),
      aim: "reported",
    },
    {
      name: `POST an order, accepted only, ${ORDER_CONNECTIONS} connections`,
      ours: entry("ours", "POST an order, accepted only: ours, gateway", acceptedOnly),
      peer: entry("fastify", "POST an order, accepted only: Fastify + pg", fastify),
      aim: "≥ 2",
    },
    {
      name: `POST an order, all on, ${wholeSeconds} s: completed`,
      ours: entry("ours", "POST an order, all on: ours, gateway", wholeOrders),
      aim: "reported",
    },
  ];
}

function entry(contender: Contender, name: string, measure: Entry["measure"]): Entry {
  return { contender, name, measure };
}
function commands(name: string, actors: number, callers: number): Entry {
  return entry("ours", `${name}: ours, broker.call`, () =>
    onDatabase(url => inProcess(OURS, { kind: "commands", url, actors, ...effort, callers } satisfies OurTask)),
  );
}

async function overHttp(actors: number, callers: number): Promise<Measured> {
  return onDatabase(async url => {
    const service = Started.script(OURS, { kind: "http", url } satisfies OurTask);
    try {
      return await httpLoad({ port: await readyPort(service), path: "/counters/{n}/add", ids: actors, callers });
    } finally {
      await service.end();
    }
  });
}

/** Restate with its defaults, which sync its log before an answer; its data is on the same disk as Postgres's. */
async function restate(actors: number, callers: number): Promise<Measured> {
  const [ingress, admin, fabric, port] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const base = join(folder, `restate-${ingress}`);
  await mkdir(base);
  const binary = `node_modules/@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`;
  const restateServer = new Started(fileURLToPath(new URL(binary, PEERS)), ["--no-logo"], {
    RESTATE_BASE_DIR: base,
    RESTATE_LISTEN_MODE: "tcp",
    RESTATE_BIND_IP: "127.0.0.1",
    RESTATE_BIND_PORT: `${fabric}`,
    RESTATE_INGRESS__BIND_PORT: `${ingress}`,
    RESTATE_ADMIN__BIND_PORT: `${admin}`,
    RESTATE_DISABLE_TELEMETRY: "true",
    RESTATE_LOG_FILTER: "warn",
  });
  const service = Started.script(peer("restate"), { port });
  try {
    await readyPort(service);
    await until("Restate is healthy", async () => {
      if (!restateServer.isRunning) await restateServer.ended();
      const health = (port: number, path: string) => fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
      return (await health(admin, "/health"))?.ok === true && (await health(ingress, "/restate/health"))?.ok === true;
    });
    const registered = await fetch(`http://127.0.0.1:${admin}/deployments`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ uri: `http://127.0.0.1:${port}` }),
    });
    if (!registered.ok) throw new Error(`Restate: ${registered.status} ${await registered.text()}`);
    return await httpLoad({ port: ingress, path: "/counter/{n}/add", ids: actors, callers });
  } finally {
    await service.end();
    await restateServer.end();
  }
}

/** The shop without sagas, read models and reactors: it only accepts orders. */
async function acceptedOnly(): Promise<Measured> {
  return withShop(async (shop, { customer }, bodies, env) => {
    // The whole shop has filled catalog and stock; the services that accept orders open the same database again.
    await shop.child.end("SIGTERM");
    const { port } = new URL(shop.url);
    const SERVICES = "api,accounts,catalog,orders";
    shop.child = new Child(["mixins/cli/valence.mjs", "start"], { LOGLEVEL: "warn", ...env, PORT: port, SERVICES });
    alsoEnd(shop.child.process);
    // This gateway never becomes ready: that needs the services of all its routes.
    await until("the services answer", async () => {
      if (!shop.child.running) throw new Error(`the shop ended:\n${shop.child.output}`);
      const answer = await shop.request("GET", "/api/v1/products?pageSize=1").catch(() => undefined);
      return answer?.status === 200;
    });
    return httpLoad({ ...orders(bodies, customer), port: Number(port) });
  });
}

async function fastify(): Promise<Measured> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const token = await new SignJWT({ roles: ["customer"] })
    .setProtectedHeader({ alg: "ES256", kid: "bench", typ: "at+jwt" })
    .setIssuer(ISSUER)
    .setAudience(ISSUER)
    .setSubject(newId())
    .setJti(newId())
    .setIssuedAt()
    .setExpirationTime("1h")
    .sign(privateKey);
  const products = Array.from({ length: 120 }, (_, i) => ({
    id: newId(),
    sku: `TEX-${i}`,
    name: `Bath Sheet ${i}`,
    price: { amount: 1_000 + i, currency: "EUR" },
  }));
  return onDatabase(async url => {
    const pem = publicKey.export({ type: "spki", format: "pem" });
    const task = { url, poolSize: POOL.fastify, publicKey: pem, issuer: ISSUER, products };
    const service = Started.script(peer("fastify"), task);
    try {
      return await httpLoad({ ...orders(orderBodies(products), token), port: await readyPort(service) });
    } finally {
      await service.end();
    }
  });
}

function orders(bodies: readonly string[], token: string) {
  const headers = { authorization: `Bearer ${token}` };
  return { path: "/api/v1/orders", ids: 1, bodies, headers, keys: true, callers: ORDER_CONNECTIONS };
}

async function wholeOrders(): Promise<Measured> {
  return withShop(async (shop, tokens, bodies) => {
    const load = new OrderLoad(shop, tokens, bodies, ORDER_CONNECTIONS);
    try {
      await load.run(effort.warmUpSeconds, OPEN_MAX);
      const whole = await load.run(wholeSeconds, OPEN_MAX);
      const { completedPerSecond = Number.NaN, latencyMs, cpus } = whole;
      const loads = [{ perSecond: completedPerSecond, latencyMs, cpus, loopDelayP99Ms: Number.NaN }];
      return { loads, generator: "own process", whole };
    } finally {
      load.close();
    }
  });
}

// ---- shared

function peer(name: string): URL {
  return new URL(`${name}.ts`, PEERS);
}

async function onDatabase<T>(work: (url: string) => Promise<T>): Promise<T> {
  const database = await newDatabase(server.url());
  try {
    return await work(database.url);
  } finally {
    await database.drop();
  }
}

async function withShop<T>(
  work: (
    shop: Shop,
    tokens: { admin: string; customer: string },
    bodies: readonly string[],
    env: Record<string, string>,
  ) => Promise<T>,
): Promise<T> {
  return onDatabase(async url => {
    const env = {
      DATABASE_URL: url,
      ADMIN_EMAIL: ADMIN.email,
      ADMIN_PASSWORD: ADMIN.password,
      NODE_ENV: "production",
      // One client sends what thousands do: its requests are counted, and none is refused.
      RATE_LIMIT_PERCENT: "1000000",
    };
    const shop = await Shop.start(env);
    alsoEnd(shop.child.process);
    try {
      const admin = await shop.login(ADMIN.email, ADMIN.password);
      const customer = await shop.customer("bench");
      return await work(shop, { admin, customer }, await stock(shop, admin), env);
    } finally {
      await shop.stop();
    }
  });
}

/** Longer than a working machine takes. */
function patienceS(): number {
  return 60 + 3 * (effort.warmUpSeconds + effort.runs * effort.seconds);
}

async function inProcess(script: URL, task: object): Promise<Measured> {
  const contender = Started.script(script, task);
  try {
    return { loads: await toldLoads(contender), generator: "in process" };
  } finally {
    await contender.end();
  }
}

async function httpLoad({
  port,
  ...load
}: {
  port: number;
  path: string;
  ids: number;
  callers: number;
  bodies?: readonly string[];
  headers?: Record<string, string>;
  keys?: boolean;
}): Promise<Measured> {
  const origin = `http://127.0.0.1:${port}`;
  const defaults = { bodies: ['{"by":1}'], headers: {}, keys: false };
  const generator = Started.script(peer("load"), { ...defaults, ...load, ...effort, origin });
  try {
    return { loads: await toldLoads(generator), generator: "own process" };
  } finally {
    await generator.end();
  }
}

async function toldLoads(started: Started): Promise<readonly Load[]> {
  const told = await started.told(patienceS());
  if (!("loads" in told)) throw new Error(`told ${JSON.stringify(told)} in place of loads`);
  return told.loads;
}

async function readyPort(started: Started): Promise<number> {
  const told = await started.told(60);
  if (!("ready" in told)) throw new Error(`told ${JSON.stringify(told)} in place of its port`);
  return told.ready;
}

// ---- the table

function perSecond({ loads }: Measured): number {
  return median(loads.map(load => load.perSecond));
}
function latency({ loads }: Measured): string {
  const p50 = rounded(median(loads.map(({ latencyMs }) => latencyMs.p50)), 1);
  return `${p50} / ${rounded(median(loads.map(({ latencyMs }) => latencyMs.p99)), 1)}`;
}
function loadCpus({ loads, generator }: Measured): string {
  return generator === "own process" ? `${rounded(median(loads.map(load => load.cpus)), 2)}` : "in process";
}

function rowOf({ name, ours, peer, aim }: Case): Record<string, unknown> | undefined {
  const our = results.get(ours);
  const their = peer && results.get(peer);
  if (!our && !their) return undefined;
  return {
    case: name,
    "ours /s": our && thousands(perSecond(our)),
    peer: peer?.contender ?? "–",
    "peer /s": their && thousands(perSecond(their)),
    ratio: our && their ? rounded(perSecond(our) / perSecond(their), 1) : undefined,
    aim,
    "ours p50 / p99 ms": our && latency(our),
    "peer p50 / p99 ms": their && latency(their),
    "load CPUs ours | peer": [our, their].map(measured => (measured ? loadCpus(measured) : "–")).join(" | "),
    ...(our?.whole && {
      "backlog after 10 s | end": `${our.whole.backlogAfter10s} | ${our.whole.isBacklogKnown ? "" : "≥ "}${our.whole.backlog}`,
    }),
  };
}

async function versions(): Promise<Record<string, string>> {
  const dependencies = (url: URL): Record<string, string> =>
    (JSON.parse(readFileSync(new URL("package.json", url), "utf8")) as { dependencies: Record<string, string> })
      .dependencies;
  const { moleculer, pg, "moleculer-web": web } = dependencies(new URL("mixins/", ROOT));
  return {
    node: process.version,
    postgres: await postgresVersion(server),
    ...dependencies(PEERS),
    moleculer: moleculer!,
    "moleculer-web": web!,
    pg: pg!,
  };
}

function listOption(name: string): readonly string[] | undefined {
  const at = args.indexOf(name);
  if (at < 0) return undefined;
  const value = args[at + 1];
  if (value === undefined || value.startsWith("--")) throw new Error(`${name} wants a list, commas between`);
  return value.split(",");
}
