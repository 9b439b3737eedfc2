import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { until } from "@valence/runtime/testing";
import { connectedRedis, type RedisServer } from "@valence/runtime/testing/servers";
import { newId } from "@valence/runtime/kernel";
import type { RedisConnection } from "@valence/runtime/redis";
import { cartStoreConformance } from "./cart-store.conformance.ts";
import { limits, redisCartStore } from "./redis-cart-store.ts";

let server: RedisServer;
let redis: RedisConnection;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ server, connection: redis, stop } = await connectedRedis());
});
afterAll(() => stop());

describe("carts in Redis", () => cartStoreConformance(async () => redisCartStore(redis)));

test("each change begins a cart's time anew; an empty one leaves nothing behind", async () => {
  const store = redisCartStore(redis);
  const [owner, product] = [newId(), newId()];
  const life = () => redis.run(client => client.pttl(`${redis.prefix}cart:${owner}`));
  await store.put(owner, product, 1, 100);
  await redis.run(client => client.pexpire(`${redis.prefix}cart:${owner}`, 60_000));
  await store.put(owner, product, 2, 100);
  expect(await life()).toBeGreaterThan(60_000);
  expect(await life()).toBeLessThanOrEqual(limits.keptMs);
  await store.remove(owner, product);
  expect(await life()).toBe(-2);
});

test("without Redis a cart is unavailable; a change without an answer may have been made", async () => {
  const store = redisCartStore(redis);
  const owner = newId();
  const away = (code: number, outcome: string) => ({ type: "REDIS_UNAVAILABLE", code, data: { outcome } });
  server.pause();
  const [read, change] = await Promise.allSettled([store.get(owner), store.put(owner, newId(), 1, 100)]);
  expect(read).toMatchObject({ reason: away(503, "none") });
  expect(change).toMatchObject({ reason: away(504, "unknown") });
  await expect(store.put(owner, newId(), 1, 100)).rejects.toMatchObject(away(503, "none"));
  server.resume();
  await until("it is back", () => redis.isUp);
  await server.halt();
  await until("it is missed", () => !redis.isUp);
  await expect(store.get(owner)).rejects.toMatchObject(away(503, "none"));
  await server.start();
  await until("it is back", () => redis.isUp);
  expect(await store.put(owner, newId(), 1, 100)).toBe(true);
  expect((await store.get(owner)).items).toHaveLength(1);
});
