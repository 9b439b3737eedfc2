import { afterEach, describe, expect, test } from "@jest/globals";
import { locationOf, type Database } from "../../database/index.ts";
import { migrate, openDatabase } from "../../database/mixin.ts";
import { answerStoreConformance } from "../../gateway/idempotency/store.conformance.ts";
import { limits as gatewayLimits } from "../../gateway/index.ts";
import { newId, readEnvironment } from "../../kernel/index.ts";
import { newDatabases, type Databases } from "../../testing/servers.ts";
import { answerTable, SqlAnswers } from "./sql-answers.ts";

const open: { database: Database; databases: Databases }[] = [];
async function newDatabase(): Promise<Database> {
  const databases = await newDatabases();
  const database = await openDatabase(locationOf(readEnvironment(databases.env), "accounts"));
  open.push({ database, databases });
  await migrate(database, "accounts", [answerTable]);
  return database;
}
afterEach(async () => {
  for (const { database, databases } of open.splice(0)) {
    await database.close();
    await databases.remove();
  }
});

describe("answers in SQL", () => answerStoreConformance(async () => new SqlAnswers(await newDatabase())));

test("after a day a key is free for any request, and its row goes", async () => {
  const real = await newDatabase();
  let now = 1_000_000;
  const database: Database = {
    ...real,
    now: async () => now,
    transaction: real.transaction.bind(real),
    knex: real.knex,
  };
  const [here, there] = [new SqlAnswers(database), new SqlAnswers(database)];
  const [old, other] = [newId(), newId()].map(scope => ({ scope, fingerprint: "a", owner: newId() }));
  for (const claim of [old!, other!]) {
    await here.claim(claim, 1_000);
    await here.finish(claim, "{}");
  }
  now += gatewayLimits.answerKeptMs;
  expect(await here.claim({ ...old!, fingerprint: "b", owner: newId() }, 1_000)).toEqual({ state: "owned" });
  // A process sweeps at its first claim, and then once a minute.
  await there.claim({ scope: newId(), fingerprint: "a", owner: newId() }, 1_000);
  const scopes: string[] = await real.knex("idempotency_keys").pluck("scope");
  expect([scopes.includes(old!.scope), scopes.includes(other!.scope), scopes.length]).toEqual([true, false, 2]);
});
