// Troubles of a server, its standbys and replicas, each made on servers of this test's own.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServiceBroker, type Service, type ServiceSchema } from "moleculer";
import pg from "pg";
import { brokerOptions } from "../../../../broker/index.ts";
import { locationOf } from "../../../../database/index.ts";
import { Sql } from "../../../../database/mixin.ts";
import { eventStoreOf, openEventStore } from "../../../../event-store/siblings.ts";
import { readEnvironment } from "../../../../kernel/index.ts";
import { until } from "../../../../testing/index.ts";
import { newDatabase, PgBouncer, Postgres, Proxy, query } from "../../../../testing/servers.ts";
import { Operations } from "../../../mixin.ts";
import { examined } from "../../examined.fixture.ts";
import { lineOf, type Finding } from "../../finding.ts";
import { clockOf } from "./clock.ts";
import type { Connection } from "./connection.ts";

const all = ["loans"];
let primary: Postgres;
let env: Record<string, string>;
const clients: pg.Client[] = [];

beforeAll(async () => {
  primary = await Postgres.start({ settings: { max_prepared_transactions: "10", max_connections: "40" } });
  env = { DATA_DIR: "nowhere", DATABASE_URL: primary.url() };
  await (await openEventStore(locationOf(readEnvironment(env), "loans"))).close();
});
afterAll(() => primary.stop());
afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.end()));
});

async function connect(url = primary.url()): Promise<pg.Client> {
  const client = new pg.Client(url);
  await client.connect();
  clients.push(client);
  return client;
}
const pidOf = async (client: pg.Client): Promise<number> =>
  (await client.query("select pg_backend_pid() as pid")).rows[0].pid;
const lines = async (check: string, extra: Record<string, string> = {}): Promise<string[]> =>
  (await examined({ ...env, ...extra }, { all, only: "loans" })).of(check);
const isOk = async (check: string): Promise<boolean> => (await lines(check)).every(line => line.startsWith("ok"));
/** Changes a setting of the whole server while `work` runs. */
async function withSetting(name: string, value: string, work: () => Promise<unknown>): Promise<void> {
  const shown = async () => (await query(primary.url(), `show ${name}`))[0][name];
  const before = await shown();
  const reload = async (sql: string, expected: string) => {
    await query(primary.url(), sql);
    await query(primary.url(), "select pg_reload_conf()");
    await until(`${name} is ${expected}`, async () => (await shown()) === expected);
  };
  await reload(`alter system set ${name} = '${value}'`, value);
  try {
    await work();
  } finally {
    await reload(`alter system reset ${name}`, before);
  }
}

test("a server that is well", async () => {
  const { findings } = await examined(env, { all, only: "loans" });
  expect(findings.filter(({ status }) => status !== "ok")).toEqual([]);
  expect(
    new Set(findings.filter(({ subject }) => subject === `127.0.0.1:${primary.port}`).map(({ check }) => check)),
  ).toEqual(new Set(["durability", "standbys", "transactions", "slots", "connections", "waiting", "clock"]));
});

describe("transactions", () => {
  test("one that has written and idles in another database, with its user", async () => {
    const other = await newDatabase(primary.url());
    const [writer, reader] = [await connect(other.url), await connect(other.url)];
    await reader.query("begin isolation level repeatable read; select 1");
    await writer.query("set application_name = 'forgetful'; begin; select pg_current_xact_id()");
    const pid = await pidOf(writer);
    await until("it is a warning", async () => !(await isOk("transactions")));
    const [line] = await lines("transactions");
    expect(line).toMatch(/^warn .* has written and is open for \d+ s: readers of every log wait for it/);
    expect(line).toContain(
      `pid ${pid} (postgres on ${new URL(other.url).pathname.slice(1)}, forgetful, idle in transaction)`,
    );
    expect(line).toContain(`select pg_terminate_backend(${pid})`);
    await writer.query("rollback");
    // A transaction that only reads holds up no log.
    expect(await isOk("transactions")).toBe(true);
    await Promise.all(clients.splice(0).map(client => client.end()));
    await other.drop();
  });

  test("a prepared one that is never ended", async () => {
    const client = await connect();
    await client.query("begin; select pg_current_xact_id(); prepare transaction 'forgotten'");
    expect(await lines("transactions")).toEqual([
      expect.stringMatching(/^warn .*prepared transaction 'forgotten' \(postgres on postgres\) is open for \d+ ms/),
    ]);
    await client.query("rollback prepared 'forgotten'");
    expect(await isOk("transactions")).toBe(true);
  });
});

describe("sessions", () => {
  test("one that waits for a lock, and behind whom", async () => {
    const [first, second] = [await connect(), await connect()];
    await first.query("begin; lock table loans.timers in exclusive mode");
    const waiting = second.query("begin; lock table loans.timers in exclusive mode");
    await until("it is a warning", async () => !(await isOk("waiting")));
    const [line] = await lines("waiting");
    expect(line).toMatch(/^warn .*1 session for a lock, pid \d+ \(postgres on postgres\) for \d+ s behind pid \d+ →/);
    expect(line).toContain(`behind pid ${await pidOf(first)} `);
    await first.query("rollback");
    await waiting;
  });

  test("a locked table costs no more than its own line", async () => {
    const client = await connect();
    await client.query("begin; lock table loans.streams");
    const { troubles } = await examined(env, { all, only: "loans" });
    expect(troubles).toContainEqual(expect.stringMatching(/^FAIL .*quarantine +could not be checked: .*lock timeout/));
    await client.query("rollback");
  });

  test("more pools than connections, and no connections left", async () => {
    expect(await lines("connections", { DATABASE_POOL_SIZE: "50" })).toEqual([
      expect.stringMatching(/^warn .*\d+ of 37 open; one process of each service may open 52 → raise max_connections/),
    ]);
    for (let i = 0; i < 35; i++) await connect();
    expect(await lines("connections")).toEqual([expect.stringMatching(/^FAIL .* 3[67] of 37 open/)]);
  });

  test("a user who sees only their own sessions gets a warning", async () => {
    await query(primary.url(), "create role guest login; grant loans to guest");
    expect(await lines("visibility", { DATABASE_URL: primary.url().replace("postgres@", "guest@") })).toEqual([
      expect.stringMatching(/^warn .*guest sees only sessions of its own → grant pg_read_all_stats to "guest"/),
    ]);
  });

  test("through PgBouncer it sees the same", async () => {
    await query(primary.url(), "alter role loans login");
    const bouncer = await PgBouncer.start(primary.url(), ["loans", "postgres"], 2);
    try {
      const url = bouncer.url(primary.url(), "loans");
      const { of, troubles } = await examined({ ...env, LOANS_DATABASE_URL: url }, { all, only: "loans" });
      expect(troubles).toEqual([]);
      expect(of("buckets")[0]).toMatch(/^ok .*1024, an owner each/);
    } finally {
      await bouncer.stop();
    }
  });
});

describe("P1 durability", () => {
  test.each(["fsync", "full_page_writes", "synchronous_commit"])("%s is off", async name => {
    await withSetting(name, "off", async () => {
      expect(await lines("durability")).toEqual([
        expect.stringMatching(new RegExp(`^FAIL .*${name} is off → set ${name} = on`)),
      ]);
    });
    expect(await isOk("durability")).toBe(true);
  });

  test("a user whose commits do not wait for the disk", async () => {
    await query(primary.url(), "create role hasty superuser login; alter role hasty set synchronous_commit = off");
    const [line] = await lines("durability", { DATABASE_URL: primary.url().replace("postgres@", "hasty@") });
    expect(line).toMatch(/^FAIL .*synchronous_commit is off/);
  });
});

test("a clock that differs", async () => {
  const serverThatIs = (aheadMs: number) =>
    ({
      read: (work: (ask: () => unknown) => unknown) => work(async () => [{ now: Date.now() + aheadMs }]),
    }) as unknown as Connection;
  expect((await clockOf(serverThatIs(200)))[0]).toMatchObject({ status: "ok" });
  const [late] = await clockOf(serverThatIs(-5_000));
  expect(lineOf({ subject: "here", ...late } as Finding)).toMatch(
    /^warn .*the server is 5 s behind, ± \d+ ms → set both by NTP/,
  );
});

test("ops.health: a database that answers, with its pools, and one that is frozen", async () => {
  const proxy = await Proxy.to(primary.url());
  const folder = mkdtempSync(join(tmpdir(), "health-"));
  const environment = readEnvironment({
    DATA_DIR: folder,
    LOANS_DATABASE_URL: proxy.url(primary.url()),
    DATABASE_POOL_SIZE: "3",
  });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  async function started(this: Service): Promise<void> {
    await eventStoreOf(this);
  }
  broker.createService({ name: "loans", mixins: [Sql({ migrations: [] })], started } as ServiceSchema);
  broker.createService(Operations());
  await broker.start();
  const ofLoans = async () => {
    const { status, nodes } = await broker.call<any, object>("ops.health", {});
    const own = nodes[0].dependencies.filter(({ name }: { name: string }) => name.startsWith("loans"));
    return { status, own: own.toSorted((a: any, b: any) => a.kind.localeCompare(b.kind)) };
  };
  try {
    const pool = { latencyMs: expect.any(Number), used: 0, waiting: 0, size: 3 };
    expect((await ofLoans()).own).toMatchObject([
      { kind: "database", name: "loans", status: "ok", figures: pool },
      {
        kind: "store",
        name: expect.stringMatching(/^loans at 127\.0\.0\.1:\d+\/postgres$/),
        status: "ok",
        figures: pool,
      },
    ]);
    proxy.freeze();
    const { status, own } = await ofLoans();
    expect(status).toBe("FAIL");
    expect(own).toMatchObject([
      { kind: "database", status: "FAIL", message: "no answer within 1500 ms", advice: expect.any(String) },
      { kind: "store", status: "FAIL" },
    ]);
  } finally {
    // The statements that were swallowed are answered by an end of their connections, not in twenty seconds.
    proxy.cut();
    await broker.stop();
    await proxy.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

describe("with standbys", () => {
  let standby: Postgres;
  let other: Postgres;
  beforeAll(async () => {
    [standby, other] = [await primary.startStandby(), await Postgres.start()];
    await until("it streams", async () => (await lines("standbys"))[0]!.includes("async"));
  });
  afterAll(async () => {
    await standby?.stop();
    await other?.stop();
  });
  const replica = (url: string) => lines("replica", { DATABASE_REPLICA_URL: url });

  test("P1 an asynchronous one loses what was acknowledged when it takes over", async () => {
    expect(await lines("standbys")).toEqual([
      expect.stringMatching(
        /^warn .*1 asynchronous \(walreceiver async\): what was acknowledged last is lost when one takes over/,
      ),
    ]);
    await withSetting("synchronous_standby_names", "*", async () => {
      await until("it is synchronous", () => isOk("standbys"));
      expect((await lines("standbys"))[0]).toMatch(/1: walreceiver sync$/);
    });
    await withSetting("synchronous_standby_names", "absent", async () => {
      expect(await lines("standbys")).toEqual([
        expect.stringMatching(/^FAIL .*every commit waits for absent → start it/),
      ]);
    });
  });

  test("a replica that is a standby of this primary", async () => {
    expect(await replica(standby.url())).toEqual([expect.stringMatching(/^ok .*holds what was written \d+ ms ago/)]);
  });

  test("one that does not keep up", async () => {
    await query(standby.url(), "select pg_wal_replay_pause()");
    try {
      await query(primary.url(), "create table loans.news ()");
      expect(await replica(standby.url())).toEqual([
        expect.stringMatching(/^warn .*is more than 2 s behind, by .* MB: reads go to the primary/),
      ]);
    } finally {
      await query(standby.url(), "select pg_wal_replay_resume()");
    }
  });

  test("one that is no standby, one of another primary, and one that is away", async () => {
    expect(await replica(primary.url())).toEqual([expect.stringMatching(/^FAIL .*is no standby: it is never read/)]);
    const foreign = await other.startStandby();
    try {
      expect(await replica(foreign.url())).toEqual([
        expect.stringMatching(
          new RegExp(`^FAIL .*is a standby of another server than 127\\.0\\.0\\.1:${primary.port}`),
        ),
      ]);
    } finally {
      await foreign.stop();
    }
    expect(await replica("postgres://ann:geheim@127.0.0.1:9/library")).toEqual([
      expect.stringMatching(/^FAIL .*could not be checked: connect ECONNREFUSED/),
    ]);
  });

  test("a standby in the place of the primary", async () => {
    expect(await lines("durability", { DATABASE_URL: standby.url() })).toEqual([
      expect.stringMatching(/^FAIL .*is a standby, and takes no command → name its primary/),
    ]);
  });
});
