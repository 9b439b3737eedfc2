import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { newDatabase, postgresUrl, Proxy, query } from "../../../testing/servers.ts";
import type { Unavailable } from "../../../kernel/index.ts";
import type { Database } from "../../database.ts";
import { isForeignKeyViolation, isUniqueViolation } from "../../violations.ts";
import { openPostgres } from "./open.ts";

let server: Awaited<ReturnType<typeof newDatabase>>;
let database: Database;

const open = (url = server.url, poolSize = 4): Promise<Database> =>
  openPostgres(
    { kind: "postgres", shards: [url], replica: undefined, schema: "things", poolSize },
    { rebuildable: false },
  );

beforeEach(async () => {
  server = await newDatabase(postgresUrl());
  database = await open();
  await database.knex.schema.createTable("counters", table => {
    table.string("id").primary();
    table.integer("value").notNullable().defaultTo(0);
  });
  await database.knex("counters").insert([
    { id: "a", value: 0 },
    { id: "b", value: 0 },
  ]);
});
afterEach(async () => {
  await database.close();
  await server.drop();
});

const valueOf = async (id = "a", from = database): Promise<number | undefined> =>
  (await from.knex("counters").where({ id }).first())?.value;
const failureOf = (work: Promise<unknown>): Promise<Unavailable & { cause: any }> =>
  work.then(
    value => {
      throw new Error(`did not fail, but gave ${JSON.stringify(value)}`);
    },
    (error: Unavailable & { cause: any }) => error,
  );
const busy = { type: "DATABASE_BUSY", message: "the database is busy", data: { outcome: "none" } };
const gone = (outcome: string) => ({
  type: "DATABASE_UNAVAILABLE",
  message: "the database cannot be reached",
  data: { outcome },
});
/** Ends all connections of the service's; answers how many there were. */
const terminate = async (): Promise<number> =>
  (
    await query(
      server.url,
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'valence things' and datname = current_database()`,
    )
  ).length;

describe("transactions", () => {
  test("an error of the callback rolls back and is thrown", async () => {
    const broken = new Error("changed my mind");
    const work = database.transaction(async trx => {
      await trx("counters").update({ value: 9 });
      throw broken;
    });
    await expect(work).rejects.toBe(broken);
    expect(await valueOf()).toBe(0);
  });

  test("an error of the callback is thrown, even when the rollback finds the connection gone", async () => {
    const broken = new Error("changed my mind");
    const work = database.transaction(async trx => {
      await trx("counters").update({ value: 9 });
      await terminate();
      throw broken;
    });
    await expect(work).rejects.toBe(broken);
    expect(await valueOf()).toBe(0);
  });

  test("a savepoint rolls back alone", async () => {
    await database.transaction(async trx => {
      await trx("counters").insert({ id: "kept", value: 1 });
      await trx
        .transaction(async inner => {
          await inner("counters").insert({ id: "gone", value: 1 });
          throw new Error("inner");
        })
        .catch(() => undefined);
    });
    expect([await valueOf("kept"), await valueOf("gone")]).toEqual([1, undefined]);
  });

  test("a refused commit leaves no transaction open on the connection", async () => {
    await database.knex.raw(
      "create table children (parent text references counters (id) deferrable initially deferred)",
    );
    const failure = await failureOf(database.transaction(trx => trx("children").insert({ parent: "nobody" })));
    expect(isForeignKeyViolation(failure)).toBe(true);
    await database.transaction(trx => trx("counters").update({ value: 1 }));
    expect(await valueOf()).toBe(1);
  });

  test("P1 a failed statement that the callback hides does not make the commit look like one", async () => {
    const work = database.transaction(async trx => {
      await trx("counters").where({ id: "a" }).update({ value: 9 });
      await trx("counters")
        .insert({ id: "a", value: 1 })
        .catch(() => undefined);
    });
    await expect(work).rejects.toThrow("the transaction is rolled back: a statement in it had failed");
    expect(await valueOf()).toBe(0);
  });

  test("statements side by side in one transaction take turns", async () => {
    const values = await database.transaction(trx =>
      Promise.all(
        Array.from({ length: 20 }, () => trx("counters").where({ id: "a" }).increment("value", 1).returning("value")),
      ),
    );
    expect(values.map(([row]) => row.value)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  test("one that is rebuildable does not wait for the disk, unless a caller requires it before its commit", async () => {
    const views = await openPostgres(
      { kind: "postgres", shards: [server.url], replica: undefined, schema: "views", poolSize: 1 },
      { rebuildable: true },
    );
    const setting = async (knex = views.knex) => (await knex.raw("show synchronous_commit")).rows[0].synchronous_commit;
    try {
      const settings = await views.transaction(async trx => {
        const before = await setting(trx);
        views.requireDurability();
        return [before, await setting(trx)];
      });
      expect(settings).toEqual(["off", "off"]);
      expect([await views.transaction(setting), await setting()]).toEqual(["on", "on"]);
    } finally {
      await views.close();
    }
  });
});

describe("failures for now, with outcome none", () => {
  test("a deadlock", async () => {
    let holding = 0;
    let bothHold = (): void => {};
    const both = new Promise<void>(resolve => (bothHold = resolve));
    const swap = (first: string, second: string) =>
      database.transaction(async trx => {
        await trx("counters").where({ id: first }).increment("value", 1);
        if (++holding === 2) bothHold();
        await both;
        await trx("counters").where({ id: second }).increment("value", 1);
      });
    const outcomes = await Promise.allSettled([swap("a", "b"), swap("b", "a")]);
    const failed = outcomes.filter(outcome => outcome.status === "rejected");
    expect(failed).toHaveLength(1);
    expect(failed[0]!.reason).toMatchObject(busy);
    expect([await valueOf("a"), await valueOf("b")]).toEqual([1, 1]);
  });

  test("a statement that takes too long", async () => {
    const work = database.transaction(async trx => {
      await trx.raw("set local statement_timeout = 20");
      await trx.raw("select pg_sleep(5)");
    });
    expect(await failureOf(work)).toMatchObject(busy);
    expect(await valueOf()).toBe(0);
  });

  test("a transaction that waits too long for its next statement", async () => {
    const work = database.transaction(async trx => {
      await trx("counters").update({ value: 9 });
      await trx.raw("set local idle_in_transaction_session_timeout = 20");
      await sleep(200);
      await trx("counters").update({ value: 10 });
    });
    expect(await failureOf(work)).toMatchObject(busy);
    expect(await valueOf()).toBe(0);
  });

  test("no connection of the pool within 5 s: the callback never ran, and the pool goes on", async () => {
    const small = await open(server.url, 1);
    let ran = false;
    let free = (): void => {};
    let holder: Promise<void> | undefined;
    await new Promise<void>(begun => {
      holder = small.transaction(() => {
        begun();
        return new Promise(resolve => (free = resolve));
      });
    });
    const [transaction, statement] = await Promise.all([
      failureOf(small.transaction(async () => (ran = true))),
      failureOf(small.knex("counters").insert({ id: "private@example.com" }) as Promise<unknown>),
    ]);
    free();
    await holder;
    expect([transaction, statement]).toMatchObject([busy, busy]);
    expect(ran).toBe(false);
    expect(await valueOf("a", small)).toBe(0);
    await small.close();
  });

  test("more connections than the server or the role may have", async () => {
    const role = `narrow_${process.pid}`;
    await query(server.url, `create role ${role} login connection limit 1; grant things to ${role}`);
    const url = new URL(server.url);
    url.username = role;
    const held = await open(url.href, 2);
    await held.transaction(async () => {
      expect(await failureOf(held.knex("counters"))).toMatchObject(busy);
    });
    expect(await valueOf("a", held)).toBe(0);
    await held.close();
    await query(server.url, `drop owned by ${role}; drop role ${role}`);
  });
});

describe("a connection that is lost", () => {
  test("while it is idle: nobody notices", async () => {
    await Promise.all(Array.from({ length: 4 }, () => database.transaction(trx => trx.raw("select pg_sleep(0.02)"))));
    expect(await terminate()).toBe(4);
    await sleep(50);
    expect(await Promise.all(Array.from({ length: 8 }, () => valueOf()))).toEqual(Array(8).fill(0));
  });

  test("within a transaction: nothing of it is written, and the next one works", async () => {
    const work = database.transaction(async trx => {
      await trx("counters").update({ value: 9 });
      await terminate();
      await trx("counters").update({ value: 10 });
    });
    expect(await failureOf(work)).toMatchObject(gone("none"));
    expect(await valueOf()).toBe(0);
  });

  test("during a read: outcome none; during a write outside a transaction: unknown", async () => {
    const read = failureOf(database.knex("counters").select(database.knex.raw("pg_sleep(5)")));
    const write = failureOf(
      database.knex("counters").update({ value: database.knex.raw("(pg_sleep(5)::text || '1')::int") }),
    );
    await sleep(200);
    expect(await terminate()).toBe(2);
    expect([await read, await write]).toMatchObject([gone("none"), { ...gone("unknown"), code: 504 }]);
    expect(await valueOf()).toBe(0);
  });

  test("P1 at the commit: the outcome is unknown, whether it was written or not", async () => {
    const proxy = await Proxy.to(server.url);
    const distant = await open(proxy.url(server.url), 1);
    const write = (before: () => unknown) =>
      failureOf(
        distant.transaction(async trx => {
          await trx("counters").where({ id: "a" }).increment("value", 1);
          before();
        }),
      );
    const lostReply = await write(() => proxy.loseReplies());
    proxy.heal();
    expect(lostReply).toMatchObject({ ...gone("unknown"), code: 504 });
    expect(await valueOf("a", distant)).toBe(1);
    const lostAtOnce = await write(() => proxy.cut());
    proxy.heal();
    expect(lostAtOnce).toMatchObject({ type: "DATABASE_UNAVAILABLE" });
    await distant.close();
    await proxy.close();
  });

  test("a server that cannot be reached: outcome none, at once, for all waiting callers", async () => {
    const proxy = await Proxy.to(server.url);
    const distant = await open(proxy.url(server.url), 2);
    proxy.cut();
    const started = performance.now();
    const failures = await Promise.all(Array.from({ length: 20 }, () => failureOf(distant.knex("counters"))));
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(failures).toMatchObject(Array(20).fill(gone("none")));
    proxy.heal();
    expect(await valueOf("a", distant)).toBe(0);
    await distant.close();
    await proxy.close();
  });
});

test("errors carry neither values nor rows", async () => {
  const { knex } = database;
  const failures = await Promise.all([
    failureOf(knex("counters").insert({ id: "a", value: 424_242 })),
    failureOf(knex("counters").insert({ id: "private@example.com", value: "private@example.com" })),
    failureOf(knex("counters").insert({ id: "private@example.com", value: null })),
    failureOf(knex("nowhere").where({ id: "private@example.com" })),
  ]);
  expect(isUniqueViolation(failures[0])).toBe(true);
  expect(isForeignKeyViolation(failures[0])).toBe(false);
  for (const failure of failures) {
    const shown = inspect(failure);
    expect(shown).not.toMatch(/424242|private@example/);
  }
});

test("now() is the server's clock, in a transaction too", async () => {
  const [{ now }] = await query(server.url, "select extract(epoch from clock_timestamp()) * 1000 as now");
  const [outside, inside] = [await database.now(), await database.transaction(trx => database.now(trx))];
  for (const seen of [outside, inside]) expect(Math.abs(seen - Number(now))).toBeLessThan(2_000);
});

test("a service whose name is longer than a schema's is refused, before it shares one with another", async () => {
  const opening = openPostgres(
    { kind: "postgres", shards: [server.url], replica: undefined, schema: "s".repeat(64), poolSize: 1 },
    { rebuildable: false },
  );
  await expect(opening).rejects.toThrow(/sssss is too long: Postgres keeps 63/);
  expect(await query(server.url, "select from pg_namespace where nspname like 'sss%'")).toEqual([]);
});
