// Rotation of the signing keys on a real database, with a clock that the test moves.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import type { Database } from "../../database/index.ts";
import { locationOf } from "@valence/runtime/database";
import { migrate, openDatabase } from "../../database/mixin.ts";
import { readEnvironment } from "../../kernel/index.ts";
import { newDatabases, type Databases } from "../../testing/servers.ts";
import { limits } from "../limits.ts";
import { userTable } from "../users.ts";
import { keyRotation } from "./key-table.ts";
import { SigningKeys } from "./signing-keys.ts";

let databases: Databases;
let database: Database;
/** Milliseconds that the test has moved the clock. */
let passed: number;
let said: string[];
beforeEach(async () => {
  databases = await newDatabases();
  database = await openDatabase(locationOf(readEnvironment(databases.env), "accounts"));
  await migrate(database, "accounts", [userTable, keyRotation]);
  passed = 0;
  said = [];
});
afterEach(async () => {
  await database.close();
  await databases.remove();
});

const DAY = 86_400_000;
const START = Date.parse("2026-01-01T00:00:00Z");
const pass = (ms: number) => (passed += ms);
/** A node, which is cut off from the database as long as `isAway`. */
async function node(everyDays = 0) {
  const state = { isAway: false };
  const keys = new SigningKeys({
    database,
    issuer: "valence",
    everyMs: everyDays * DAY,
    say: line => void said.push(line),
    clock: { now: () => START + passed, monotonic: () => passed },
    now: async () => {
      if (state.isAway) throw new Error("the database is away");
      return START + passed;
    },
  });
  await keys.open();
  return { keys, state };
}
const ada = { id: "ada", roles: ["guest"] };
const kidOf = (token: string) => decodeProtectedHeader(token).kid;
const kidsOf = async (keys: SigningKeys) => (await keys.jwks()).keys.map(({ kid }) => kid);
const verifies = async (token: string, keys: SigningKeys) => {
  const set = createLocalJWKSet(await keys.jwks());
  return jwtVerify(token, set, { algorithms: ["ES256"], currentDate: new Date(decodeJwt(token).iat! * 1_000) });
};

test("a rotation logs nobody out: two nodes publish the new key before one signs, and keep the old one as long as its tokens live", async () => {
  const [{ keys: here }, { keys: there }] = [await node(), await node()];
  const [first] = await kidsOf(here);
  const before = await here.sign(ada);

  const [published, signing] = await here.rotate();
  expect([published!.state, signing!.state, signing!.kid]).toEqual(["published", "signing", first]);
  const second = published!.kid;
  expect(said).toEqual([`signing key ${second} is published, and signs from 2026-01-01T00:10:00.000Z on`]);
  expect(await kidsOf(here)).toEqual([first, second]);
  expect(kidOf(await here.sign(ada))).toBe(first);

  // The other node reads the table within half a minute.
  pass(limits.keysReadMs);
  expect(await kidsOf(there)).toEqual([first, second]);
  pass(limits.keyPublishedMs - limits.keysReadMs - 1);
  expect(kidOf(await there.sign(ada))).toBe(first);
  const last = await here.sign(ada);
  pass(1);
  for (const keys of [here, there]) {
    const after = await keys.sign(ada);
    expect(kidOf(after)).toBe(second);
    for (const token of [before, last, after]) await verifies(token, keys);
  }
  expect(await kidsOf(there)).toEqual([second, first]);

  pass(limits.keyKeptMs);
  for (const keys of [here, there]) {
    expect(await kidsOf(keys)).toEqual([second]);
    await expect(verifies(last, keys)).rejects.toMatchObject({ code: "ERR_JWKS_NO_MATCHING_KEY" });
  }
  expect(await database.knex("signing_keys").pluck("kid")).toEqual([second]);
});

test("while a key waits, a repetition publishes no other, from whichever node it comes", async () => {
  const [{ keys: here }, { keys: there }] = [await node(), await node()];
  const answers = await Promise.all([here.rotate(), there.rotate(), here.rotate()]);
  expect(new Set(answers.map(([published]) => published!.kid)).size).toBe(1);
  expect(await database.knex("signing_keys")).toHaveLength(2);
});

test("a node that is cut off goes on for five minutes, in which no key signs that it does not publish; then it stops", async () => {
  const [{ keys: here }, { keys: there, state }] = [await node(), await node()];
  const [first] = await kidsOf(there);
  state.isAway = true;
  await here.rotate();
  pass(limits.keysStaleMs - 1);
  expect(await kidsOf(there)).toEqual([first]);
  expect(kidOf(await here.sign(ada))).toBe(first);
  pass(1);
  await expect(there.jwks()).rejects.toThrow("the database is away");
  await expect(there.sign(ada)).rejects.toThrow("the database is away");
  state.isAway = false;
  expect(await kidsOf(there)).toHaveLength(2);
});

test("by the calendar a key is published a day ahead, once, by whichever node reads first; never without a calendar", async () => {
  const [{ keys: here }, { keys: there }, { keys: never }] = [await node(30), await node(30), await node()];
  const [first] = await kidsOf(here);
  pass(29 * DAY - 1);
  expect(await kidsOf(here)).toEqual([first]);
  pass(1);
  expect(await kidsOf(never)).toEqual([first]);
  pass(limits.keysReadMs);
  const [one, two] = await Promise.all([kidsOf(here), kidsOf(there)]);
  expect(one).toHaveLength(2);
  expect(two).toEqual(one);
  expect(said).toHaveLength(1);
  pass(DAY - 1);
  expect(kidOf(await here.sign(ada))).toBe(first);
  pass(1);
  expect(kidOf(await there.sign(ada))).toBe(one[1]);
});

test("an administrator need not wait for the calendar: a key that is published signs ten minutes after its publication", async () => {
  const { keys } = await node(30);
  pass(29 * DAY);
  const [, waiting] = await kidsOf(keys);
  pass(60_000);
  const [published] = await keys.rotate();
  expect(published).toMatchObject({ kid: waiting, signsFrom: "2026-01-30T00:10:00.000Z" });
  pass(limits.keyPublishedMs - 60_000);
  expect(kidOf(await keys.sign(ada))).toBe(waiting);
});

test("after a theft one key replaces all others at once, at every node within half a minute", async () => {
  const [{ keys: here }, { keys: there }] = [await node(), await node()];
  const stolen = await here.sign(ada);
  await here.rotate();
  const [only, ...others] = await here.replace();
  expect([only!.state, others]).toEqual(["signing", []]);
  await expect(verifies(stolen, here)).rejects.toMatchObject({ code: "ERR_JWKS_NO_MATCHING_KEY" });
  pass(limits.keysReadMs);
  await expect(verifies(stolen, there)).rejects.toMatchObject({ code: "ERR_JWKS_NO_MATCHING_KEY" });
  expect(kidOf(await there.sign(ada))).toBe(only!.kid);
  expect(await database.knex("signing_keys").pluck("kid")).toEqual([only!.kid]);
});

test("a private key is in no answer", async () => {
  const { keys } = await node();
  await keys.rotate();
  const rows = await database.knex("signing_keys");
  const shown = JSON.stringify([await keys.jwks(), await keys.list()]);
  for (const { private_jwk } of rows) expect(shown).not.toContain((JSON.parse(private_jwk) as { d: string }).d);
});

test("the key of the release before signs on, and is rotated by its age", async () => {
  const { keys: other } = await node();
  const [kid] = await kidsOf(other);
  await database
    .knex("signing_keys")
    .update({ published_at: null, signs_from: null, created_at: "2025-11-01T00:00:00.000Z" });
  const { keys } = await node(90);
  expect(await kidsOf(keys)).toEqual([kid]);
  pass(30 * DAY);
  expect(await kidsOf(keys)).toHaveLength(2);
});

test("the session is a claim of its tokens", async () => {
  const { keys } = await node();
  expect(decodeJwt(await keys.sign(ada, { session: "session-1" }))).toMatchObject({ sub: "ada", sid: "session-1" });
  expect(decodeJwt(await keys.sign(ada))).not.toHaveProperty("sid");
});
