// Settings of a Redis server, each made wrong on one server of this test's own.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { readEnvironment } from "../../kernel/index.ts";
import { RedisServer } from "../../testing/servers.ts";
import { lineOf } from "./finding.ts";
import { redisOf } from "./redis.ts";

let server: RedisServer;
let admin: Redis;
beforeAll(async () => {
  server = await RedisServer.start();
  admin = new Redis(server.url);
});
afterAll(async () => {
  admin.disconnect();
  await server.stop();
});

async function lines(check: string, { isProduction = false, url = server.url } = {}): Promise<string[]> {
  const found = await redisOf(readEnvironment({ REDIS_URL: url }), isProduction);
  return found!.results.filter(one => one.check === check).map(one => lineOf({ subject: "redis", ...one }));
}
const set = (name: string, value: string) => admin.config("SET", name, value);

test("without REDIS_URL there is nothing to say, and one that is away is a failure", async () => {
  expect(await redisOf(readEnvironment({}), true)).toBeUndefined();
  const away = await RedisServer.absent();
  expect(await lines("redis", { url: away.url })).toEqual([
    expect.stringMatching(/^FAIL .*it cannot be reached: .*ECONNREFUSED/),
  ]);
  await away.stop();
});

test("one that takes writes, one whose memory is full, and one that copies another", async () => {
  expect(await lines("redis")).toEqual([expect.stringMatching(/^ok .*answers, version \d+/)]);
  await set("maxmemory", "1gb");
  expect(await lines("redis")).toEqual([expect.stringMatching(/^ok /)]);
  await set("maxmemory", "1");
  expect(await lines("redis")).toEqual([expect.stringMatching(/^FAIL .*its memory is full/)]);
  await set("maxmemory", "0");
  await admin.replicaof("127.0.0.1", "1");
  expect(await lines("redis")).toEqual([expect.stringMatching(/^FAIL .*it is a replica/)]);
  await admin.replicaof("NO", "ONE");
});

test("what is removed when its memory is full", async () => {
  expect(await lines("eviction")).toEqual([expect.stringMatching(/^ok .*noeviction, no maxmemory$/)]);
  await set("maxmemory-policy", "allkeys-lru");
  await set("maxmemory", "1gb");
  expect(await lines("eviction")).toEqual([expect.stringMatching(/^warn .*allkeys-lru: it removes sessions/)]);
  await set("maxmemory-policy", "volatile-ttl");
  expect(await lines("eviction")).toEqual([expect.stringMatching(/^ok .*volatile-ttl, 0 % of maxmemory/)]);
  await set("maxmemory", "1");
  expect(await lines("eviction")).toEqual([expect.stringMatching(/^warn .*then it removes first the cache/)]);
  await set("maxmemory-policy", "noeviction");
  expect(await lines("eviction")).toEqual([expect.stringMatching(/^warn .*then it refuses writes/)]);
  await set("maxmemory", "0");
});

test("what a restart leaves", async () => {
  expect(await lines("persistence")).toEqual([expect.stringMatching(/^warn .*are gone → set appendonly yes$/)]);
  await set("save", "3600 1");
  expect(await lines("persistence")).toEqual([expect.stringMatching(/^ok .*snapshots: save 3600 1$/)]);
  await set("save", "");
  await set("appendonly", "yes");
  expect(await lines("persistence")).toEqual([expect.stringMatching(/^ok .*appendonly yes$/)]);
  await set("appendonly", "no");
});

test("one that asks nobody for a password fails in production; one that asks shows none", async () => {
  expect(await lines("access")).toEqual([expect.stringMatching(/^warn .*it asks for no password/)]);
  expect(await lines("access", { isProduction: true })).toEqual([expect.stringMatching(/^FAIL /)]);
  await set("requirepass", "kz8Ujq3vY2w");
  const url = server.url.replace("redis://", "redis://:kz8Ujq3vY2w@");
  expect(await lines("access", { url, isProduction: true })).toEqual([expect.stringMatching(/^ok /)]);
  expect(await lines("redis", { url })).toEqual([expect.not.stringContaining("kz8Ujq3vY2w")]);
  // Without the password it refuses us: as bad as away.
  expect(await lines("redis")).toEqual([expect.stringMatching(/^FAIL .*NOAUTH/)]);
});
