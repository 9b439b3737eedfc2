// A real standby by streaming replication: what it may be asked, and when it is left out.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { until } from "../../../testing/index.ts";
import { Postgres, query } from "../../../testing/servers.ts";
import type { Database } from "../../database.ts";
import { migrate } from "../../migrate.ts";
import { openPostgres } from "./open.ts";

let primary: Postgres;
let standby: Postgres;
let database: Database;
let lag: (number | undefined)[];
beforeAll(async () => {
  primary = await Postgres.start();
  standby = await primary.startStandby();
});
afterAll(async () => {
  await standby.stop();
  await primary.stop();
});
const open = (replica: string, onReplica: (lagMs: number | undefined) => void) =>
  openPostgres(
    { kind: "postgres", shards: [primary.url()], replica, schema: "views", poolSize: 4 },
    { rebuildable: false, onReplica },
  );
beforeEach(async () => {
  lag = [];
  database = await open(standby.url(), lagMs => lag.push(lagMs));
  await migrate(database, "x", [
    { name: "001", up: knex => knex.schema.createTable("notes", table => table.string("text")) },
  ]);
  await until("the standby may be asked", isOnStandby);
});
afterEach(() => database.close());

const isStandby = async (knex: Database["knex"]): Promise<boolean> =>
  (await knex.raw("select pg_is_in_recovery() as it")).rows[0].it;
const isOnStandby = (): Promise<boolean> => isStandby(database.reads());

test("a read goes to the standby, a write and a read that must be the newest to the primary", async () => {
  expect(await isOnStandby()).toBe(true);
  expect(await isStandby(database.knex)).toBe(false);
  // It cannot hold what is committed from now on.
  expect(await isStandby(database.reads(performance.now() + 60_000))).toBe(false);
});

test("a reader of its own writes meets the primary until the standby has replayed them, by position in the WAL", async () => {
  await query(standby.url(), "select pg_wal_replay_pause()");
  try {
    await database.knex("notes").insert({ text: "mine" });
    const wroteAt = performance.now();
    for (let i = 0; i < 10; i++) expect(await database.reads(wroteAt)("notes").where({ text: "mine" })).toHaveLength(1);
    expect(await isStandby(database.reads(wroteAt))).toBe(false);
    await query(standby.url(), "select pg_wal_replay_resume()");
    await until("the standby has it", () => isStandby(database.reads(wroteAt)));
    expect(await database.reads(wroteAt)("notes").where({ text: "mine" })).toHaveLength(1);
  } finally {
    await query(standby.url(), "select pg_wal_replay_resume()");
  }
});

test("one that is too far behind is left out, and comes back by itself", async () => {
  await query(standby.url(), "select pg_wal_replay_pause()");
  try {
    await database.knex("notes").insert({ text: "ahead" });
    await until("it is left out", async () => !(await isOnStandby()));
  } finally {
    await query(standby.url(), "select pg_wal_replay_resume()");
  }
  await until("it is back", isOnStandby);
});

test("one that dies is left out, reads go on at the primary, and it comes back by itself", async () => {
  await standby.halt("SIGQUIT");
  await until("it is left out", async () => !(await isOnStandby().catch(() => true)));
  for (let i = 0; i < 5; i++) expect(await database.reads()("notes")).toBeInstanceOf(Array);
  expect(lag.at(-1)).toBeUndefined();
  await standby.start();
  await until("it is back", isOnStandby);
  expect(lag.at(-1)).toBeGreaterThanOrEqual(0);
});

const neverAsked = async (server: Postgres): Promise<void> => {
  const seen: (number | undefined)[] = [];
  const wrong = await open(server.url(), lagMs => seen.push(lagMs));
  await until("it was looked at", () => seen.length > 2);
  expect(new Set(seen)).toEqual(new Set([undefined]));
  await wrong.close();
};
test("a server that is no standby is never asked", () => neverAsked(primary));
test("another server's standby is never asked, however far its WAL goes", async () => {
  const other = await Postgres.start();
  const itsStandby = await other.startStandby();
  try {
    // Past the primary's, and with the service's schema and role, as a copy of another stage has them.
    await query(other.url(), "create table filler as select repeat('x', 1000) from generate_series(1, 60000)");
    const service = {
      kind: "postgres",
      shards: [other.url()],
      replica: undefined,
      schema: "views",
      poolSize: 1,
    } as const;
    await (await openPostgres(service, { rebuildable: false })).close();
    const position = async (server: Postgres, which: string): Promise<bigint> =>
      BigInt((await query(server.url(), `select (${which}() - '0/0')::text as at`))[0]!.at);
    const reached = await position(primary, "pg_current_wal_insert_lsn");
    await until("it is ahead", async () => (await position(itsStandby, "pg_last_wal_replay_lsn")) > reached);
    await neverAsked(itsStandby);
  } finally {
    await itsStandby.stop();
    await other.stop();
  }
});
