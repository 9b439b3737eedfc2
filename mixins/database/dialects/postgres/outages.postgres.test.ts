// The server crashes under load. Nothing acknowledged is lost, nothing that was said to be undone is there, and when the
// server is back everything goes on by itself.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { Postgres } from "../../../testing/servers.ts";
import { outcomeOf, Unavailable } from "../../../kernel/index.ts";
import type { Database } from "../../database.ts";
import { migrate } from "../../migrate.ts";
import { openPostgres } from "./open.ts";

const WRITERS = 12;
const CRASHES = 3;

let server: Postgres;
let database: Database;
beforeAll(async () => {
  server = await Postgres.start();
  database = await openPostgres(
    { kind: "postgres", shards: [server.url()], replica: undefined, schema: "things", poolSize: 4 },
    { rebuildable: false },
  );
  await migrate(database, "x", [
    {
      name: "001",
      up: knex =>
        knex.schema.createTable("entries", table => {
          table.string("id").primary();
          table.integer("half").notNullable();
        }),
    },
  ]);
});
afterAll(async () => {
  await database?.close();
  await server?.stop();
});

test("P1 a crash of the server under load: outcomes are true, errors are retryable, and it goes on by itself", async () => {
  const outcomes = new Map<string, "written" | "none" | "unknown">();
  const strange: unknown[] = [];
  let slowestMs = 0;
  const ending = new AbortController();
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let n = 0; !ending.signal.aborted; n++) {
      const id = `${writer}-${n}`;
      const started = performance.now();
      try {
        await database.transaction(async trx => {
          await trx("entries").insert({ id: `${id}-a`, half: 1 });
          await trx("entries").insert({ id: `${id}-b`, half: 2 });
        });
        outcomes.set(id, "written");
      } catch (error) {
        if (error instanceof Unavailable) outcomes.set(id, outcomeOf(error));
        else strange.push(error);
        await sleep(5);
      }
      slowestMs = Math.max(slowestMs, performance.now() - started);
    }
  });
  const written = (): number => [...outcomes.values()].filter(outcome => outcome === "written").length;
  const progress = async (): Promise<void> => {
    const before = written();
    for (const end = Date.now() + 20_000; written() < before + 50; await sleep(10))
      if (Date.now() > end) throw new Error("no progress");
  };
  try {
    for (let crash = 0; crash < CRASHES; crash++) {
      await progress();
      await server.halt("SIGQUIT");
      await sleep(100);
      await server.start();
    }
    await progress();
  } finally {
    ending.abort();
    await Promise.all(writers);
  }

  expect(strange).toEqual([]);
  expect(slowestMs).toBeLessThan(10_000);
  const ids: string[] = await database.knex("entries").pluck("id");
  const halves = Map.groupBy(ids, id => id.slice(0, -2));
  expect([...halves.values()].filter(of => of.length !== 2)).toEqual([]);
  for (const [id, outcome] of outcomes)
    if (outcome !== "unknown") expect([id, halves.has(id)]).toEqual([id, outcome === "written"]);
  expect([...outcomes.values()].filter(outcome => outcome === "none").length).toBeGreaterThan(0);
});

test("a server that is stopped in good order, and one that still starts, are waited for in the same way", async () => {
  const look = () => database.knex("entries").first("id");
  await look();
  await server.halt("SIGINT");
  await expect(look()).rejects.toMatchObject({ type: "DATABASE_UNAVAILABLE", data: { outcome: "none" } });
  await expect(database.now()).rejects.toMatchObject({ type: "DATABASE_UNAVAILABLE" });
  await server.start();
  expect(await look()).toBeDefined();
});

test("a migration that is killed half-way leaves nothing, and the next start does all of it", async () => {
  const big = (then: () => Promise<unknown>) => ({
    name: "001_big",
    up: async (knex: any) => {
      await knex.schema.createTable("first_half", (table: any) => table.increments("id"));
      await then();
      await knex.schema.createTable("second_half", (table: any) => table.increments("id"));
    },
  });
  await expect(migrate(database, "big", [big(() => server.halt("SIGQUIT"))])).rejects.toBeInstanceOf(Error);
  await server.start();
  expect(await database.knex.schema.hasTable("first_half")).toBe(false);
  await migrate(database, "big", [big(async () => {})]);
  expect(await database.knex.schema.hasTable("second_half")).toBe(true);
});
