import { afterAll, afterEach, describe, expect, test } from "@jest/globals";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, type Clock } from "../../mixins/kernel/index.ts";
import { migrate, openDatabase, type Database } from "../../mixins/database/mixin.ts";
import { limits } from "./limits.ts";
import { sessionStoreConformance } from "./session-store.conformance.ts";
import { sessionTables, SqlSessions } from "./sql-sessions.ts";

const folder = await mkdtemp(join(tmpdir(), "sessions-"));
let files = 0;
const filename = () => join(folder, `${files}.sqlite`);
const open: Database[] = [];

async function newStore(clock: Clock): Promise<SqlSessions> {
  files++;
  const database = await openDatabase({ kind: "sqlite", filename: filename() });
  open.push(database);
  await migrate(database, "accounts", [sessionTables]);
  return new SqlSessions(database, clock);
}
afterEach(async () => {
  for (const database of open.splice(0)) await database.close();
});
afterAll(() => rm(folder, { recursive: true }));

describe("SQL sessions", () => sessionStoreConformance(newStore));

test("who reads the database finds no token", async () => {
  const store = await newStore(systemClock);
  const token = await store.open("ada");
  const next = await store.rotate(token);
  await open.splice(0)[0]!.close();
  const bytes = await readFile(filename(), "latin1");
  expect(bytes).toContain("ada");
  expect(bytes).not.toContain(token);
  expect(bytes).not.toContain(next!.token);
});

test("expired families and used tokens do not pile up", async () => {
  let now = 1_000;
  const store = await newStore({ now: () => now, monotonic: () => now });
  let token = await store.open("ada");
  await store.open("bob");
  now += limits.refreshTokenMs - 1;
  token = (await store.rotate(token))!.token;
  now += 2;
  await store.rotate(token);
  await store.open("eve");
  const { knex } = open[0]!;
  expect(await knex("session_families").orderBy("user").pluck("user")).toEqual(["ada", "eve"]);
  expect(await knex("refresh_tokens")).toHaveLength(3);
});
