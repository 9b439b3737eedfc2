import { afterEach, describe, expect, test } from "@jest/globals";
import { locationOf, type Database } from "../../database/index.ts";
import { migrate, openDatabase } from "../../database/mixin.ts";
import { readEnvironment } from "../../kernel/index.ts";
import { newDatabases, type Databases } from "../../testing/servers.ts";
import { sessionClients, sessionTables, SqlSessions } from "../sql-sessions.ts";
import { browserSessionsConformance } from "./browser-sessions.conformance.ts";
import { browserSessionEnds, SqlBrowserSessions } from "./sql-browser-sessions.ts";

const open: { database: Database; databases: Databases }[] = [];

async function newStores(now: () => number) {
  const databases = await newDatabases();
  const database = await openDatabase(locationOf(readEnvironment(databases.env), "accounts"));
  open.push({ database, databases });
  await migrate(database, "accounts", [sessionTables, sessionClients, browserSessionEnds]);
  const time = async () => now();
  const sessions = new SqlSessions(database, time);
  return { sessions, browsers: new SqlBrowserSessions(database, sessions, time) };
}
afterEach(async () => {
  for (const { database, databases } of open.splice(0)) {
    await database.close();
    await databases.remove();
  }
});

describe("browser sessions in SQL", () => browserSessionsConformance(newStores));

test("a reader of the database finds no value of a cookie", async () => {
  const { browsers } = await newStores(() => Date.now());
  const { value } = await browsers.open("ada");
  const { knex } = open[0]!.database;
  const rows = JSON.stringify([await knex("session_families"), await knex("refresh_tokens")]);
  expect(rows).toContain("ada");
  expect(rows).not.toContain(value);
});
