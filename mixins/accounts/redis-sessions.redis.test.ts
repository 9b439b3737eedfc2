import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { until } from "../testing/index.ts";
import { connectedRedis, type RedisServer } from "../testing/servers.ts";
import type { RedisConnection } from "../redis/index.ts";
import { limits } from "./limits.ts";
import { RedisSessions } from "./redis-sessions.ts";
import { sessionStoreConformance } from "./session-store.conformance.ts";

let server: RedisServer;
let redis: RedisConnection;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ server, connection: redis, stop } = await connectedRedis());
});
afterAll(() => stop());
beforeEach(() => redis.run(client => client.flushall()));

const newStore = async (now?: () => number) => new RedisSessions(redis, now);

/** All keys and values of the server, as text. */
const everything = () =>
  redis.run(async client => {
    const found: string[] = [];
    for (const key of (await client.keys("*")).toSorted()) {
      const isHash = (await client.type(key)) === "hash";
      found.push(key, JSON.stringify(isHash ? await client.hgetall(key) : await client.zrange(key, 0, -1)));
    }
    return found;
  });

describe("sessions in Redis", () => sessionStoreConformance(newStore));

test("a reader of the server finds no token, nor the part of one that is secret", async () => {
  const store = await newStore();
  const token = (await store.open("ada")).token;
  const next = await store.rotate(token);
  const found = (await everything()).join("\n");
  expect(found).toContain("ada");
  for (const each of [token, next!.token]) {
    expect(found).not.toContain(each);
    expect(found).not.toContain(Buffer.from(each, "base64url").toString("base64url", 16));
  }
});

test("nodes whose clocks differ agree on which tokens were used just now: they ask the server's clock", async () => {
  const [here, there] = [await newStore(), await newStore()];
  const token = (await here.open("ada")).token;
  const next = await here.rotate(token);
  const real = Date.now();
  const ahead = jest.spyOn(Date, "now").mockImplementation(() => real + 2 * limits.refreshTokenMs);
  try {
    expect(await there.rotate(token)).toEqual(next);
  } finally {
    ahead.mockRestore();
  }
  expect(await here.rotate(next!.token)).toBeDefined();
});

test("the id that the release before shows, the first half of a token, is understood", async () => {
  const store = await newStore();
  const [one, two] = [await store.open("ada"), await store.open("ada")];
  const before = Buffer.from(one.token, "base64url").toString("base64url", 0, 16);
  expect(await store.has("ada", before)).toBe(true);
  await store.endAll("ada", before);
  expect((await store.list("ada")).map(({ id }) => id)).toEqual([one.session]);
  expect(await store.rotate(two.token)).toBeUndefined();
  expect(await store.end("ada", before)).toBe(true);
  expect(await store.list("ada")).toEqual([]);
});

test("a family that is refreshed many times keeps only the last moments", async () => {
  let now = 1_000;
  const store = await newStore(() => now);
  let token = (await store.open("ada")).token;
  for (let n = 0; n < 50; n++) {
    now += limits.refreshReuseMs;
    token = (await store.rotate(token))!.token;
  }
  const found = await everything();
  const used = found.findIndex(line => line.endsWith(":used"));
  expect(JSON.parse(found[used + 1]!)).toHaveLength(1);
  expect(found).toHaveLength(2 * 3);
});

test("all of it expires by itself, and each refresh begins its time anew", async () => {
  const lives = () =>
    redis.run(async client =>
      Promise.all((await client.keys("*")).map(async key => [key, await client.pttl(key)] as const)),
    );
  const store = await newStore();
  const token = (await store.open("ada")).token;
  const opened = await lives();
  expect(opened).toHaveLength(2);
  for (const [key, life] of opened) {
    expect(life).toBeGreaterThan(60_000);
    await redis.run(client => client.pexpire(key, 60_000));
  }
  await store.rotate(token);
  const refreshed = await lives();
  expect(refreshed).toHaveLength(3);
  for (const [key, life] of refreshed)
    if (key.endsWith(":used")) expect([life > 0, life <= limits.refreshReuseMs]).toEqual([true, true]);
    else expect([life > 60_000, life <= limits.refreshTokenMs]).toEqual([true, true]);
});

test("a family that has expired or ended makes room for another", async () => {
  const store = await newStore();
  const tokens: string[] = [];
  for (let n = 0; n < limits.sessionsPerUserMax; n++) tokens.push((await store.open("ada")).token);
  await store.revoke(tokens.at(-1)!);
  await store.open("ada");
  expect(await store.rotate(tokens[0]!)).toBeDefined();
});

test("any text that is no token gives no session", async () => {
  const store = await newStore();
  for (const text of ["", "*", "x".repeat(200), "\0", "a:b", Buffer.alloc(32).toString("base64url")]) {
    expect(await store.rotate(text)).toBeUndefined();
    await store.revoke(text);
  }
});

test("without Redis nothing was done, and may be asked again; after an empty start there is no session", async () => {
  const store = await newStore();
  const token = (await store.open("ada")).token;
  const away = { type: "REDIS_UNAVAILABLE", code: 503, data: { outcome: "none", retryAfterMs: 1_000 } };
  server.pause();
  await expect(store.rotate(token)).rejects.toMatchObject(away);
  server.resume();
  await until("it is back", () => redis.isUp);
  const next = await store.rotate(token);
  expect(next?.user).toBe("ada");
  await server.halt();
  await until("it is missed", () => !redis.isUp);
  for (const attempt of [store.open("ada"), store.rotate(next!.token), store.revoke(next!.token)])
    await expect(attempt).rejects.toMatchObject(away);
  await server.start();
  await until("it is back", () => redis.isUp);
  expect(await store.rotate(next!.token)).toBeUndefined();
  expect(await store.rotate((await store.open("ada")).token)).toMatchObject({ user: "ada" });
});
