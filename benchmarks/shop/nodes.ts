// Whole orders on one node and on three, each held to the same share of a core: what a node more is worth. Every node
// runs the whole shop, gateway included, on NATS with JetStream, Redis and Postgres. Those, and the load, are not held: they
// must have the rest of the machine. The load keeps a bounded number of orders open for each node, and counts those
// that have been shipped in the database, so that to count costs the nodes nothing.
//
// Where the machine is busy the same work costs more CPU, by caches and cores that are shared: three nodes at a third of a
// core, with Postgres and the load, fill two cores, and one node does not. A smaller share shows the ratio more truly there.
// "CPU ms an order" is the CPU of all nodes by the orders completed, "transactions an order" does not depend on the
// machine: it shows what is lost of batches, which are smaller where there are more nodes.
//
//   node benchmarks/shop/nodes.ts [--seconds 30] [--share 0.33] [--open 60] [--nodes 3] [--runs 1] [--warm-up 40]
import { Agent } from "node:http";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { Nats, newDatabase, RedisServer, type Postgres } from "@valence/runtime/testing/servers";
import { Shop } from "../../test/shop/support/shop.ts";
import { Hold } from "../hold.ts";
import { median, option, quantile, report, rounded } from "../harness.ts";
import { withPostgres } from "../server.ts";
import { post, stock } from "./order-load.ts";

const seconds = option("seconds", 30);
const share = option("share", 0.33);
const openEach = option("open", 60);
const nodesMax = option("nodes", 3);
const runs = option("runs", 1);
/** Each of three nodes has a third of the orders by which its code becomes fast. */
const warmUp = option("warm-up", 40);
const CONNECTIONS_EACH = 16;
/** Milliseconds after which completed orders are counted again. */
const COUNT_MS = 200;
/** Milliseconds within which nodes that join have their shares. */
const SHARED_MS = 3_000;
/** Ticks a second of the kernel's clock that counts the CPU of processes. */
const TICKS_PER_S = 100;
const admin = { email: "admin@example.com", password: "benchmarks only" };

interface Measured {
  readonly completedPerSecond: number;
  readonly acceptedPerSecond: number;
  readonly cpuMsPerOrder: number;
  readonly transactionsPerOrder: number;
  readonly cores: number;
  readonly throttled: number;
  readonly latencies: readonly number[];
}

const rows: Record<string, unknown>[] = [];
await withPostgres(async server => {
  const results = new Map<number, Measured[]>();
  // Alternately, so that both meet the same state of the machine.
  for (let run = 0; run < runs; run++)
    for (const nodes of [1, nodesMax])
      results.set(nodes, [...(results.get(nodes) ?? []), await measure(server, nodes)]);
  const of = (nodes: number, figure: (measured: Measured) => number) => median(results.get(nodes)!.map(figure));
  const completed = (nodes: number) => of(nodes, each => each.completedPerSecond);
  for (const nodes of results.keys())
    rows.push({
      nodes,
      "cores each, at most": share,
      "cores used in all": rounded(
        of(nodes, each => each.cores),
        2,
      ),
      "waits for its share": `${Math.round(of(nodes, each => each.throttled) * 100)} %`,
      "completed/s": rounded(completed(nodes), 1),
      "accepted/s": rounded(
        of(nodes, each => each.acceptedPerSecond),
        1,
      ),
      "times one node": rounded(completed(nodes) / completed(1), 2),
      "CPU ms an order": rounded(
        of(nodes, each => each.cpuMsPerOrder),
        1,
      ),
      "transactions an order": Math.round(of(nodes, each => each.transactionsPerOrder)),
      "p50 ms": Math.round(of(nodes, each => quantile(each.latencies, 0.5))),
      "p99 ms": Math.round(of(nodes, each => quantile(each.latencies, 0.99))),
    });
  await report("nodes", rows);
});

async function measure(server: Postgres, count: number): Promise<Measured> {
  const nats = await Nats.start();
  const redis = await RedisServer.start();
  const database = await newDatabase(server.url());
  const nodes: Shop[] = [];
  const holds: Hold[] = [];
  const client = new pg.Client(database.url);
  try {
    for (let n = 0; n < count; n++)
      nodes.push(
        await Shop.start({
          NODEID: `node-${n}`,
          DATABASE_URL: database.url,
          NATS_URL: nats.url,
          REDIS_URL: redis.url,
          ADMIN_EMAIL: admin.email,
          ADMIN_PASSWORD: admin.password,
          RATE_LIMIT_PERCENT: "1000000",
        }),
      );
    const [first] = nodes;
    const bodies = await stock(first!, await first!.login(admin.email, admin.password));
    const token = await first!.customer("bench");
    await client.connect();
    // The start is not held: it would take minutes.
    await sleep(SHARED_MS);
    for (const [n, node] of nodes.entries()) {
      const hold = new Hold(`${count}-${n}`, share);
      holds.push(hold);
      hold.take(node.child.process.pid!);
    }
    return await load({ nodes, holds, bodies, token, client });
  } finally {
    await client.end().catch(() => {});
    for (const node of nodes) await node.stop();
    for (const hold of holds) hold.remove();
    await redis.stop();
    await nats.stop();
    await database.drop().catch(() => {});
  }
}

interface Loaded {
  readonly nodes: readonly Shop[];
  readonly holds: readonly Hold[];
  readonly bodies: readonly string[];
  readonly token: string;
  readonly client: pg.Client;
}

async function load({ nodes, holds, bodies, token, client }: Loaded): Promise<Measured> {
  const state = { sent: 0, accepted: 0, completed: 0, isOver: false };
  const latencies: number[] = [];
  const agent = new Agent({ keepAlive: true });
  const counting = (async () => {
    for (; !state.isOver; await sleep(COUNT_MS)) state.completed = await shipped(client);
  })();
  const callers = nodes.flatMap(node =>
    Array.from({ length: CONNECTIONS_EACH }, async () => {
      while (!state.isOver) {
        if (state.sent - state.completed >= openEach * nodes.length) {
          await sleep(5);
          continue;
        }
        const body = bodies[state.sent++ % bodies.length]!;
        latencies.push(await post(node.url, token, agent, body));
        state.accepted++;
      }
    }),
  );
  try {
    await Promise.race([sleep(warmUp * 1_000), Promise.all(callers)]);
    latencies.length = 0;
    const before = {
      accepted: state.accepted,
      completed: await shipped(client),
      transactions: await transactions(client),
      at: performance.now(),
      cpu: cpuSeconds(nodes),
    };
    await Promise.race([sleep(seconds * 1_000), Promise.all(callers)]);
    const completed = (await shipped(client)) - before.completed;
    const elapsed = (performance.now() - before.at) / 1_000;
    const cpu = cpuSeconds(nodes) - before.cpu;
    return {
      completedPerSecond: completed / elapsed,
      acceptedPerSecond: (state.accepted - before.accepted) / elapsed,
      cpuMsPerOrder: (cpu * 1_000) / completed,
      transactionsPerOrder: ((await transactions(client)) - before.transactions) / completed,
      cores: cpu / elapsed,
      throttled: Math.min(...holds.map(({ throttled }) => throttled)),
      latencies: [...latencies],
    };
  } finally {
    state.isOver = true;
    await Promise.allSettled([...callers, counting]);
    agent.destroy();
  }
}

/** Number of orders that have been shipped. */
async function shipped(client: pg.Client): Promise<number> {
  const { rows } = await client.query("select count(*)::int as count from orders.events where type = 'order.shipped'");
  return rows[0].count;
}

/** Number of transactions of the database so far; each statement outside of one counts. The server tells it a second late. */
async function transactions(client: pg.Client): Promise<number> {
  const { rows } = await client.query(
    "select (xact_commit + xact_rollback)::int as count from pg_stat_database where datname = current_database()",
  );
  return rows[0].count;
}

/** CPU that the nodes have used so far, user and system. */
function cpuSeconds(nodes: readonly Shop[]): number {
  return nodes.reduce((sum, { child }) => {
    const stat = readFileSync(`/proc/${child.process.pid}/stat`, "utf8");
    const [user, system] = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .slice(11, 13);
    return sum + (Number(user) + Number(system)) / TICKS_PER_S;
  }, 0);
}
