import { afterEach, describe, expect, jest, test } from "@jest/globals";
import type { Database } from "../database/index.ts";
import { readFile } from "node:fs/promises";
import { isOnPostgres, newDatabases, type Databases } from "../testing/servers.ts";
import { readEnvironment } from "../kernel/index.ts";
import { migrate, openDatabase } from "../database/mixin.ts";
import { locationOf } from "@valence/runtime/database";
import { limits } from "./limits.ts";
import { sessionStoreConformance } from "./session-store.conformance.ts";
import { sessionClients, sessionTables, SqlSessions } from "./sql-sessions.ts";

const open: { database: Database; databases: Databases }[] = [];

async function newStore(now?: () => number): Promise<SqlSessions> {
  const databases = await newDatabases();
  const database = await openDatabase(locationOf(readEnvironment(databases.env), "accounts"));
  open.push({ database, databases });
  await migrate(database, "accounts", [sessionTables, sessionClients]);
  return new SqlSessions(database, now && (async () => now()));
}
afterEach(async () => {
  for (const { database, databases } of open.splice(0)) {
    await database.close();
    await databases.remove();
  }
});

describe("SQL sessions", () => sessionStoreConformance(newStore));

test("a reader of the database finds no token", async () => {
  const store = await newStore();
  const token = (await store.open("ada")).token;
  const next = await store.rotate(token);
  const [{ database, databases }] = open as [(typeof open)[0]];
  const rows = [await database.knex("session_families"), await database.knex("refresh_tokens")];
  await database.close();
  const found = isOnPostgres() ? JSON.stringify(rows) : await readFile(`${databases.folder}/accounts.sqlite`, "latin1");
  expect(found).toContain("ada");
  expect(found).not.toContain(token);
  expect(found).not.toContain(next!.token);
});

test("expired families and used tokens do not pile up", async () => {
  let now = 1_000;
  const store = await newStore(() => now);
  let token = (await store.open("ada")).token;
  await store.open("bob");
  now += limits.refreshTokenMs - 1;
  token = (await store.rotate(token))!.token;
  now += 2;
  await store.rotate(token);
  await store.open("eve");
  const { knex } = open[0]!.database;
  expect(await knex("session_families").orderBy("user").pluck("user")).toEqual(["ada", "eve"]);
  expect(await knex("refresh_tokens")).toHaveLength(3);
});

test("nodes whose clocks differ agree on which tokens were used just now: they ask the database's clock", async () => {
  await newStore();
  let now = Date.now();
  const database: Database = { ...open[0]!.database, now: async () => now };
  const [here, there] = [new SqlSessions(database), new SqlSessions(database)];
  const token = (await here.open("ada")).token;
  const next = await here.rotate(token);
  const ahead = jest.spyOn(Date, "now").mockImplementation(() => now + 2 * limits.refreshTokenMs);
  try {
    expect(await there.rotate(token)).toEqual(next);
  } finally {
    ahead.mockRestore();
  }
  expect(await here.rotate(next!.token)).toBeDefined();
  now += limits.refreshReuseMs;
  expect(await there.rotate(token)).toBeUndefined();
});
