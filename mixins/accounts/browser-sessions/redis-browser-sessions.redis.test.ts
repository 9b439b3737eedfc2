import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { RedisConnection } from "../../redis/index.ts";
import { connectedRedis } from "../../testing/servers.ts";
import { RedisSessions } from "../redis-sessions.ts";
import { browserSessionsConformance } from "./browser-sessions.conformance.ts";
import { RedisBrowserSessions } from "./redis-browser-sessions.ts";

let redis: RedisConnection;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ connection: redis, stop } = await connectedRedis());
});
afterAll(() => stop());
beforeEach(() => redis.run(client => client.flushall()));

const newStores = async (now?: () => number) => {
  const sessions = new RedisSessions(redis, now);
  return { sessions, browsers: new RedisBrowserSessions(redis, sessions, now) };
};

describe("browser sessions in Redis", () => browserSessionsConformance(newStores));

test("a reader of the server finds no value of a cookie", async () => {
  const { browsers } = await newStores();
  const { value } = await browsers.open("ada");
  await browsers.find(value);
  const found = await redis.run(async client => {
    const keys = await client.keys("*");
    const hashes = await Promise.all(keys.map(async key => client.hgetall(key).catch(() => client.zrange(key, 0, -1))));
    return JSON.stringify([keys, hashes]);
  });
  expect(found).toContain("ada");
  // The first half of a value is the id of its family.
  expect(found).not.toContain(value.slice(value.length / 2));
});

test("on the server's own clock a session opens, is found and closes", async () => {
  const { browsers } = await newStores();
  const { value, expiresAt } = await browsers.open("ada");
  expect(expiresAt).toBeGreaterThan(Date.now());
  expect(await browsers.find(value)).toMatchObject({ user: "ada", expiresAt });
  expect(await browsers.close(value)).toBe("ada");
  expect(await browsers.find(value)).toBeUndefined();
});
