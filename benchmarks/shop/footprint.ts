// The bytes and rows that a whole order leaves, in each service's tables, in the log of Postgres, on JetStream and in Redis, and the CPU
// that it takes of each server. Bytes and rows do not depend on how busy the machine is. docs/capacity.md sizes disks by them.
//
//   node benchmarks/shop/footprint.ts [--orders 2000] [--open 60]
import { Agent } from "node:http";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { connect } from "nats";
import pg from "pg";
import { Nats, newDatabase, RedisServer } from "@valence/runtime/testing/servers";
import { Shop } from "../../test/shop/support/shop.ts";
import { option, report, rounded } from "../harness.ts";
import { withPostgres } from "../server.ts";
import { post, stock } from "./order-load.ts";

const orders = option("orders", 2_000);
const open = option("open", 60);
const CONNECTIONS = 16;
/** Milliseconds in which consumers take what they have not read, and Postgres counts it. */
const SETTLED_MS = 5_000;
/** Ticks a second of the kernel's clock that counts the CPU of processes. */
const TICKS_PER_S = 100;
const SERVERS = ["postgres", "nats-server", "redis-server"] as const;
const admin = { email: "admin@example.com", password: "benchmarks only" };

interface Stored {
  readonly walBytes: number;
  readonly rowsInserted: number;
  readonly rowsUpdated: number;
  readonly transactions: number;
  readonly natsBytes: number;
  readonly natsMessages: number;
  readonly redisBytes: number;
  /** CPU milliseconds, by program; the shop's is `node`. */
  readonly cpuMs: ReadonlyMap<string, number>;
  /** Bytes of tables and indexes, and events, by service. */
  readonly services: ReadonlyMap<string, { readonly bytes: number; readonly events: number }>;
}

await withPostgres(async server => {
  const nats = await Nats.start();
  const redis = await RedisServer.start();
  const database = await newDatabase(server.url());
  const client = new pg.Client(database.url);
  const bus = await connect({ servers: nats.url });
  const memory = new Redis(redis.url);
  const shop = await Shop.start({
    DATABASE_URL: database.url,
    NATS_URL: nats.url,
    REDIS_URL: redis.url,
    ADMIN_EMAIL: admin.email,
    ADMIN_PASSWORD: admin.password,
    RATE_LIMIT_PERCENT: "1000000",
  });
  try {
    await client.connect();
    const bodies = await stock(shop, await shop.login(admin.email, admin.password));
    const token = await shop.customer("bench");
    const stored = async (): Promise<Stored> => {
      await sleep(SETTLED_MS);
      const jetstream = await (await bus.jetstreamManager()).getAccountInfo();
      let natsMessages = 0;
      for await (const { state } of (await bus.jetstreamManager()).streams.list()) natsMessages += state.messages;
      const redisBytes = Number(/^used_memory:(\d+)/m.exec(await memory.info("memory"))![1]);
      const natsBytes = jetstream.storage + jetstream.memory;
      return { ...(await inDatabase(client)), natsBytes, natsMessages, redisBytes, cpuMs: cpuOfPrograms() };
    };
    // The first orders make actors, streams and pages that the others find.
    await place(shop, token, bodies, client, Math.ceil(orders / 10));
    const before = await stored();
    await place(shop, token, bodies, client, orders);
    await report("footprint", rowsOf(before, await stored()), { orders });
  } finally {
    await client.end().catch(() => {});
    await bus.close();
    memory.disconnect();
    await shop.stop();
    await redis.stop();
    await nats.stop();
    await database.drop().catch(() => {});
  }
});

/** Places orders, and resolves when all of them have been shipped. */
async function place(shop: Shop, token: string, bodies: readonly string[], client: pg.Client, count: number) {
  const agent = new Agent({ keepAlive: true });
  const before = await shipped(client);
  const state = { sent: 0, completed: 0 };
  const callers = Array.from({ length: CONNECTIONS }, async () => {
    while (state.sent < count)
      if (state.sent - state.completed >= open) await sleep(5);
      else await post(shop.url, token, agent, bodies[state.sent++ % bodies.length]!);
  });
  for (; state.completed < count; await sleep(200)) state.completed = (await shipped(client)) - before;
  await Promise.all(callers);
  agent.destroy();
}

async function shipped(client: pg.Client): Promise<number> {
  const { rows } = await client.query("select count(*)::int as count from orders.events where type = 'order.shipped'");
  return rows[0].count;
}

async function inDatabase(
  client: pg.Client,
): Promise<Pick<Stored, "walBytes" | "rowsInserted" | "rowsUpdated" | "transactions" | "services">> {
  const { rows } = await client.query(
    `select pg_current_wal_lsn() - '0/0'::pg_lsn as wal, tup_inserted, tup_updated, xact_commit
     from pg_stat_database where datname = current_database()`,
  );
  const sizes = await client.query(
    `select nspname, sum(pg_total_relation_size(c.oid))::bigint as bytes, bool_or(relname = 'events') as has_events
     from pg_class c join pg_namespace n on n.oid = relnamespace
     where relkind = 'r' and nspname not like 'pg_%' and nspname <> 'information_schema' group by 1`,
  );
  const services = new Map<string, { bytes: number; events: number }>();
  for (const { nspname, bytes, has_events: hasEvents } of sizes.rows) {
    const counted = hasEvents && (await client.query(`select count(*)::int as count from "${nspname}".events`));
    services.set(nspname, { bytes: Number(bytes), events: counted ? counted.rows[0].count : 0 });
  }
  const [row] = rows;
  return {
    walBytes: Number(row.wal),
    rowsInserted: Number(row.tup_inserted),
    rowsUpdated: Number(row.tup_updated),
    transactions: Number(row.xact_commit),
    services,
  };
}

/** CPU so far of the processes that this one has started, and of theirs that have ended. */
function cpuOfPrograms(): Map<string, number> {
  const cpu = new Map<string, number>();
  const add = (pid: string): void => {
    for (const task of readdirSync(`/proc/${pid}/task`))
      for (const child of readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean)) {
        const stat = statOf(child);
        if (stat === undefined) continue;
        const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
        const program = SERVERS.find(server => name.startsWith(server)) ?? "node";
        const ticks = stat
          .slice(stat.lastIndexOf(")") + 2)
          .split(" ")
          .slice(11, 15)
          .map(Number);
        const ms = (ticks.reduce((sum, each) => sum + each) * 1_000) / TICKS_PER_S;
        cpu.set(program, (cpu.get(program) ?? 0) + ms);
        add(child);
      }
  };
  add("self");
  return cpu;
}

/** Undefined for a process that has ended meanwhile: its CPU is its parent's next time. */
function statOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
}

function rowsOf(before: Stored, after: Stored): Record<string, unknown>[] {
  const each = (of: (stored: Stored) => number, digits = 1) => rounded((of(after) - of(before)) / orders, digits);
  const services = [...after.services.keys()].map(service => ({
    "of an order": `service ${service}`,
    bytes: each(({ services }) => services.get(service)?.bytes ?? 0, 0),
    count: each(({ services }) => services.get(service)?.events ?? 0),
  }));
  return [
    ...services.filter(({ bytes }) => bytes > 0),
    { "of an order": "log of Postgres", bytes: each(stored => stored.walBytes, 0) },
    { "of an order": "rows inserted", count: each(stored => stored.rowsInserted) },
    { "of an order": "rows updated", count: each(stored => stored.rowsUpdated) },
    { "of an order": "transactions", count: each(stored => stored.transactions) },
    { "of an order": "JetStream", bytes: each(stored => stored.natsBytes, 0), count: each(s => s.natsMessages) },
    ...[...after.cpuMs.keys()].map(program => ({
      "of an order": `CPU of ${program}`,
      "CPU ms": each(({ cpuMs }) => cpuMs.get(program) ?? 0, 2),
    })),
    { "of an order": "Redis", bytes: each(stored => stored.redisBytes, 0) },
  ];
}
