import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { mkdtemp, rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Unavailable, workFor } from "../../../kernel/index.ts";
import type { Database } from "../../database.ts";
import { isForeignKeyViolation, isUniqueViolation } from "../../violations.ts";
import { openSqlite } from "./open.ts";

let folder: string;
let filename: string;
let database: Database;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sqlite-"));
  filename = join(folder, "made/on/the/way/test.sqlite");
  database = await openSqlite(filename, { rebuildable: false });
  await database.knex.schema.createTable("counters", table => {
    table.string("id").primary();
    table.integer("value").notNullable().defaultTo(0);
  });
  await database.knex("counters").insert({ id: "a", value: 0 });
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

const valueOf = async (id = "a"): Promise<number | undefined> =>
  (await database.knex("counters").where({ id }).first())?.value;
const pragma = async (name: string): Promise<unknown> => (await database.knex.raw(`pragma ${name}`))[0][name];

test("opens with WAL, full durability, foreign keys, and no waiting inside SQLite", async () => {
  expect(await pragma("journal_mode")).toBe("wal");
  expect(await pragma("synchronous")).toBe(2);
  expect(await pragma("foreign_keys")).toBe(1);
  expect((await database.knex.raw("pragma busy_timeout"))[0].timeout).toBe(0);
});

test("a rebuildable database commits without waiting for the disk, until someone requires it", async () => {
  const rebuildable = await openSqlite(join(folder, "views.sqlite"), { rebuildable: true });
  try {
    expect((await rebuildable.knex.raw("pragma synchronous"))[0].synchronous).toBe(1);
    rebuildable.requireDurability();
    expect((await rebuildable.knex.raw("pragma synchronous"))[0].synchronous).toBe(2);
  } finally {
    await rebuildable.close();
  }
});

describe("transactions", () => {
  test("50 at once, each reading before it writes, lose no update", async () => {
    await Promise.all(
      Array.from({ length: 50 }, () =>
        database.transaction(async trx => {
          const { value } = await trx("counters").where({ id: "a" }).first();
          await new Promise(resolve => setImmediate(resolve));
          await trx("counters")
            .where({ id: "a" })
            .update({ value: value + 1 });
        }),
      ),
    );
    expect(await valueOf()).toBe(50);
  });

  test("two databases on one file, as two processes would be, lose no update either", async () => {
    const other = await openSqlite(filename, { rebuildable: false });
    const add = (through: Database) =>
      through.transaction(async trx => {
        const { value } = await trx("counters").where({ id: "a" }).first();
        await trx("counters")
          .where({ id: "a" })
          .update({ value: value + 1 });
      });
    try {
      await Promise.all(Array.from({ length: 60 }, (_, i) => add(i % 2 ? database : other)));
      expect(await valueOf()).toBe(60);
    } finally {
      await other.close();
    }
  });

  test("an error of the callback rolls back and is thrown", async () => {
    const broken = new Error("changed my mind");
    await expect(
      database.transaction(async trx => {
        await trx("counters").update({ value: 9 });
        throw broken;
      }),
    ).rejects.toBe(broken);
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
    const failure = await database
      .transaction(trx => trx("children").insert({ parent: "nobody" }))
      .then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(isForeignKeyViolation(failure)).toBe(true);
    await database.transaction(trx => trx("counters").update({ value: 1 }));
    expect(await valueOf()).toBe(1);
  });
});

describe("while another connection holds the write lock", () => {
  let holder: DatabaseSync;
  beforeEach(() => {
    holder = new DatabaseSync(filename);
    holder.exec("begin immediate; update counters set value = 100");
  });
  afterEach(() => holder.close());

  test("a write waits, the loop stays responsive, reads go on", async () => {
    let turns = 0;
    const ticker = setInterval(() => turns++, 1);
    const started = performance.now();
    const write = database.knex("counters").increment("value", 1);
    const transaction = database.transaction(trx => trx("counters").increment("value", 1));
    setTimeout(() => holder.exec("commit"), 300);
    expect(await valueOf()).toBe(0);
    await Promise.all([write, transaction]);
    clearInterval(ticker);
    expect(performance.now() - started).toBeGreaterThan(290);
    expect(turns).toBeGreaterThan(50);
    expect(await valueOf()).toBe(102);
  });

  test("after 5 s it is unavailable with outcome none, names no SQL, and the callback never ran", async () => {
    let ran = false;
    const [transaction, statement] = await Promise.allSettled([
      database.transaction(async () => (ran = true)),
      database.knex("counters").insert({ id: "private@example.com" }),
    ]);
    holder.exec("rollback");
    for (const outcome of [transaction, statement]) {
      const error = (outcome as PromiseRejectedResult).reason as Unavailable;
      expect(error).toBeInstanceOf(Unavailable);
      expect(error).toMatchObject({
        type: "DATABASE_BUSY",
        data: { outcome: "none" },
        message: "the database is busy",
      });
    }
    expect(ran).toBe(false);
    await database.transaction(trx => trx("counters").update({ value: 7 }));
    expect(await valueOf()).toBe(7);
  });

  test("a call whose time is over leaves the queue, and those behind it keep their places", async () => {
    const inCall = <T>(timeout: number, work: () => Promise<T>): Promise<T> =>
      workFor({ options: { timeout }, startHrTime: process.hrtime() }, work);
    const add = (value: number) => database.transaction(trx => trx("counters").insert({ id: `${value}`, value }));
    const order: number[] = [];
    const first = add(1).then(() => order.push(1));
    const [late, alone] = await Promise.allSettled([
      inCall(20, () => add(2)),
      inCall(20, async () => void (await database.knex("counters").insert({ id: "private@example.com" }))),
    ]);
    const last = add(3).then(() => order.push(3));
    holder.exec("rollback");
    const expected = {
      type: "DEADLINE_PASSED",
      data: { outcome: "none" },
      message: expect.not.stringMatching(/begin|insert/),
    };
    expect([late, alone]).toMatchObject([{ reason: expected }, { reason: expected }]);
    await Promise.all([first, last]);
    expect(order).toEqual([1, 3]);
    expect(await database.knex("counters").orderBy("id").pluck("id")).toEqual(["1", "3", "a"]);
  });
});

test("a transaction that waits for something else does not stop reads", async () => {
  await database.transaction(async trx => {
    await trx("counters").update({ value: 5 });
    expect(await valueOf()).toBe(0);
  });
  expect(await valueOf()).toBe(5);
});

test("a kept statement sees columns that were added later", async () => {
  expect(Object.keys(await database.knex("counters").first())).toEqual(["id", "value"]);
  await database.knex.schema.alterTable("counters", table => table.string("note"));
  expect(Object.keys(await database.knex("counters").first())).toEqual(["id", "value", "note"]);
});

test("rows are plain objects", async () => {
  expect(Object.getPrototypeOf(await database.knex("counters").first())).toBe(Object.prototype);
});

test("unique violations are recognised; their message carries no values", async () => {
  const failure = await database
    .knex("counters")
    .insert({ id: "a", value: 424_242 })
    .then(
      () => undefined,
      (error: Error) => error,
    );
  expect(isUniqueViolation(failure)).toBe(true);
  expect(isForeignKeyViolation(failure)).toBe(false);
  expect(failure?.message).not.toContain("424242");
  expect(isUniqueViolation({ code: "23505" })).toBe(true);
  expect(isUniqueViolation(undefined)).toBe(false);
});
