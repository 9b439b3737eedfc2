// What each layer of caches is worth: browsers, a CDN (Varnish), the memory of the gateway, Moleculer's cacher (Redis), and the
// database alone. Visitors look at products by a Zipf law, prices change meanwhile, and each run leaves out the outermost layer
// of the one before. Then how long a change of a price takes to be seen through what is left.
//
//   node benchmarks/shop/cache-layers.ts [--views 20000] [--products 5000] [--changes 20]
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Nats, freePort, newDatabase, Postgres, RedisServer, Varnish } from "@valence/runtime/testing/servers";
import { randomOf, until } from "@valence/runtime/testing";
import { option, quantile, report, rounded } from "../harness.ts";
import type { Counted, OriginTask } from "./cache-origin.ts";

const views = option("views", 20_000);
const products = option("products", 5_000);
const changes = option("changes", 20);
/** Visitors that look at pages at once, and browsers that they use by turns. */
const VISITORS = 8;
const BROWSERS = 200;
/** Views between two changes of a price. */
const CHANGE_EVERY = 500;
const TOKEN = "token-of-the-benchmark";
const ADMIN = { email: "root@example.org", password: "benchmarks only, really" };

interface Layers {
  readonly name: string;
  readonly browsers: boolean;
  readonly cdn: boolean;
  readonly gatewayMb: number;
  readonly hasCacher: boolean;
}
const RUNS: readonly Layers[] = [
  { name: "browser", browsers: true, cdn: true, gatewayMb: 64, hasCacher: true },
  { name: "CDN (Varnish)", browsers: false, cdn: true, gatewayMb: 64, hasCacher: true },
  { name: "gateway memory", browsers: false, cdn: false, gatewayMb: 64, hasCacher: true },
  { name: "cacher (Redis)", browsers: false, cdn: false, gatewayMb: 0, hasCacher: true },
  { name: "database (Postgres)", browsers: false, cdn: false, gatewayMb: 0, hasCacher: false },
];

/** A shop with the layers of a run. */
interface Running {
  /** Where visitors ask. */
  readonly url: string;
  /** The other gateway, through which prices change. */
  readonly other: string;
  readonly token: string;
  readonly ids: readonly string[];
  counted(): Promise<Counted>;
  stop(): Promise<void>;
}

async function start(
  layers: Layers,
  servers: { postgres: Postgres; redis: RedisServer; nats: Nats },
): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), "valence-caches-"));
  const ports = [await freePort(), await freePort()] as const;
  const database = await newDatabase(servers.postgres.url());
  const varnish = layers.cdn
    ? await Varnish.start({
        config: new URL("../../k8s/components/cdn/shop.vcl", import.meta.url).pathname,
        origin: `backend default { .host = "127.0.0.1"; .port = "${ports[0]}"; .probe = gateway; }`,
        // It has no orders, so it is never ready as a whole.
        edit: text => text.replace("/health/ready", "/health/live"),
        env: { CDN_PURGE_TOKEN: TOKEN },
      })
    : undefined;
  const task: OriginTask = {
    env: {
      DATA_DIR: folder,
      DATABASE_URL: database.url,
      REDIS_URL: servers.redis.url,
      NATS_URL: servers.nats.url,
      NAMESPACE: `run-${ports[0]}`,
      CACHE_MB: `${layers.gatewayMb}`,
      RATE_LIMIT_PERCENT: "0",
      ACCESS_LOG: "off",
      ADMIN_EMAIL: ADMIN.email,
      ADMIN_PASSWORD: ADMIN.password,
      ...(varnish && { CDN_PURGE_URL: varnish.url, CDN_PURGE_TOKEN: TOKEN }),
    },
    ports,
    hasCacher: layers.hasCacher,
    products,
  };
  const child = fork(new URL("cache-origin.ts", import.meta.url), [JSON.stringify(task)], {
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  await heard(child, "isReady");
  const gateways = ports.map(port => `http://127.0.0.1:${port}/api/v1`) as [string, string];
  const login = await send("POST", `${gateways[0]}/auth/login`, ADMIN);
  const ids: string[] = [];
  for (let page = 1; ids.length < products; page++) {
    const answer = await fetch(`${gateways[1]}/products?pageSize=100&page=${page}`);
    ids.push(...((await answer.json()) as { rows: { id: string }[] }).rows.map(({ id }) => id));
  }
  const url = varnish ? `${varnish.url}/api/v1` : gateways[0];
  await until("the shop is found", async () => (await fetch(`${url}/products/${ids[0]}`)).ok);
  return {
    url,
    other: gateways[1],
    token: (login as { accessToken: string }).accessToken,
    ids,
    async counted() {
      const answer = heard<Counted>(child, "cpuUs");
      child.send("count");
      return answer;
    },
    async stop() {
      child.disconnect();
      await once(child, "exit");
      await varnish?.stop();
      await database.drop();
      await rm(folder, { recursive: true });
    },
  };
}

/** The next message with this field: a broker also tells its parent what supervisors of workers need. */
async function heard<T>(child: ChildProcess, field: string): Promise<T> {
  for (;;) {
    const [message] = (await once(child, "message", { signal: AbortSignal.timeout(120_000) })) as [object];
    if (field in message) return message as T;
  }
}

async function send(method: string, url: string, body: object, token?: string): Promise<unknown> {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(url, { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const changePrice = ({ other, token }: Running, id: string, amount: number): Promise<unknown> =>
  send("PATCH", `${other}/products/${id}`, { price: { amount, currency: "EUR" } }, token);

/** A browser's cache: what `Cache-Control: max-age` and `ETag` let it do, and nothing else. */
class BrowserCache {
  readonly #kept = new Map<string, { tag: string; freshUntil: number }>();
  /** Answers how the view was answered, and with how many bytes of a body. */
  async view(url: string): Promise<{ by: "browser" | "304" | "200"; cache: string | null; bytes: number }> {
    const kept = this.#kept.get(url);
    if (kept && performance.now() < kept.freshUntil) return { by: "browser", cache: null, bytes: 0 };
    const answer = await fetch(url, kept ? { headers: { "If-None-Match": kept.tag } } : {});
    const bytes = (await answer.arrayBuffer()).byteLength;
    if (answer.status !== 200 && answer.status !== 304) throw new Error(`${url}: ${answer.status}`);
    const maxAge = Number(/max-age=(\d+)/.exec(answer.headers.get("cache-control") ?? "")?.[1] ?? 0);
    this.#kept.set(url, { tag: answer.headers.get("etag")!, freshUntil: performance.now() + 1_000 * maxAge });
    return { by: answer.status === 304 ? "304" : "200", cache: answer.headers.get("x-cache"), bytes };
  }
}

/** Picks a product: the n-th most popular one is looked at 1/n as often as the first. */
function zipf(random: () => number, ids: readonly string[]): () => string {
  const sums: number[] = [];
  for (const [i] of ids.entries()) sums.push((sums.at(-1) ?? 0) + 1 / (i + 1));
  return () => {
    const at = random() * sums.at(-1)!;
    let [low, high] = [0, sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return ids[low]!;
  };
}

interface Viewed {
  readonly latencies: number[];
  readonly hits: number;
  readonly bytes: number;
}

/** All views of a run. In a run without browsers' caches each view is a new browser's. */
async function look(running: Running, layers: Layers, total: number): Promise<Viewed> {
  const random = randomOf(7);
  const pick = zipf(random, running.ids);
  const browsers = Array.from({ length: BROWSERS }, () => new BrowserCache());
  const latencies: number[] = [];
  let [hits, bytes, begun] = [0, 0, 0];
  const visitor = async (): Promise<void> => {
    while (begun < total) {
      const n = begun++;
      const id = pick();
      const browser = layers.browsers ? browsers[Math.floor(random() * BROWSERS)]! : new BrowserCache();
      if (n % CHANGE_EVERY === CHANGE_EVERY - 1) await changePrice(running, id, 1_000 + n);
      const began = performance.now();
      const seen = await browser.view(`${running.url}/products/${id}`);
      latencies.push(performance.now() - began);
      bytes += seen.bytes;
      const isHit = layers.browsers ? seen.by !== "200" : /hit|stale/i.test(seen.cache ?? "");
      if (isHit) hits++;
    }
  };
  await Promise.all(Array.from({ length: VISITORS }, visitor));
  return { latencies, hits, bytes };
}

/** Milliseconds from the answer to a change of a price until a visitor sees it, asking again and again. */
async function timeToSee(running: Running): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < changes; n++) {
    const id = running.ids[n]!;
    const url = `${running.url}/products/${id}`;
    const priceOf = async (): Promise<number> =>
      ((await (await fetch(url)).json()) as { price: { amount: number } }).price.amount;
    // Every layer has it.
    for (let i = 0; i < 3; i++) await priceOf();
    await changePrice(running, id, 100_000 + n);
    const changed = performance.now();
    await until("the new price", async () => (await priceOf()) === 100_000 + n, 90_000);
    times.push(performance.now() - changed);
    // A copy that came back late would be seen now.
    if ((await priceOf()) !== 100_000 + n) throw new Error(`the old price of ${id} came back`);
  }
  return times;
}

const folder = await mkdtemp(join(tmpdir(), "valence-bench-"));
const postgres = await Postgres.start({ isDisposable: true });
const [redis, nats] = [await RedisServer.start(), await Nats.start()];
const rows: Record<string, unknown>[] = [];
try {
  for (const layers of RUNS) {
    const running = await start(layers, { postgres, redis, nats });
    await look(running, layers, Math.ceil(views / 10));
    const before = await running.counted();
    const { latencies, hits, bytes } = await look(running, layers, views);
    const after = await running.counted();
    const times = await timeToSee(running);
    await running.stop();
    const per = (count: number): number => Math.round((1_000 * count) / views);
    const reads = layers.hasCacher ? after.read - before.read : after.missed - before.missed;
    const asked = after.kept + after.missed - before.kept - before.missed;
    const ofCacher = after.cached - before.cached;
    const ratio = layers.cdn || layers.gatewayMb > 0 ? hits / views : layers.hasCacher ? ofCacher / asked : undefined;
    rows.push({
      "outermost layer": layers.name,
      "answered by it": ratio === undefined ? "all" : `${rounded(100 * ratio, 1)} %`,
      "p50 ms": rounded(quantile(latencies, 0.5), 2),
      "p99 ms": rounded(quantile(latencies, 0.99), 2),
      "body bytes a view": Math.round(bytes / views),
      "requests to the shop, of 1,000 views": per(asked),
      "database reads, of 1,000 views": per(reads),
      "CPU of the shop, µs a view": Math.round((after.cpuUs - before.cpuUs) / views),
      "price seen after, p50 ms": Math.round(quantile(times, 0.5)),
      "at most, ms": Math.round(Math.max(...times)),
    });
    console.log(layers.name, JSON.stringify(rows.at(-1)));
  }
  await report("cache-layers", rows, { views, products, changes });
} finally {
  await Promise.all([redis.stop(), nats.stop(), postgres.stop()]);
  await rm(folder, { recursive: true });
}
