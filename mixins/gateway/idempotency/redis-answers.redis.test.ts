import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { newId } from "../../kernel/index.ts";
import type { RedisConnection } from "../../redis/index.ts";
import { until } from "../../testing/index.ts";
import { connectedRedis, type RedisServer } from "../../testing/servers.ts";
import { limits } from "../limits.ts";
import { RedisAnswers } from "./redis-answers.ts";
import type { Claim } from "./store.ts";
import { answerStoreConformance } from "./store.conformance.ts";

let server: RedisServer;
let redis: RedisConnection;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ server, connection: redis, stop } = await connectedRedis());
});
afterAll(() => stop());

describe("answers in Redis", () => answerStoreConformance(async () => new RedisAnswers(redis)));

test("every key expires by itself, a day after its answer", async () => {
  const store = new RedisAnswers(redis);
  const claim = { scope: newId(), fingerprint: "a", owner: newId(), holder: "ann" };
  const life = () => redis.run(client => client.pttl(`${redis.prefix}answer:${claim.scope}`));
  await store.claim(claim, 1_000);
  expect(await life()).toBeGreaterThan(limits.answerKeptMs - 10_000);
  await redis.run(client => client.pexpire(`${redis.prefix}answer:${claim.scope}`, 1_000));
  await store.finish(claim, "{}");
  expect(await life()).toBeGreaterThan(limits.answerKeptMs - 10_000);
});

test("without Redis nothing was claimed; an empty server knows nothing, and the old owner keeps nothing", async () => {
  const store = new RedisAnswers(redis);
  const claim = { scope: newId(), fingerprint: "a", owner: newId(), holder: "ann" };
  expect(await store.claim(claim, 1_000)).toEqual({ state: "owned" });
  await server.halt();
  await until("it is missed", () => !redis.isUp);
  await expect(store.claim({ ...claim, owner: newId() }, 1_000)).rejects.toMatchObject({
    type: "REDIS_UNAVAILABLE",
    data: { outcome: "none" },
  });
  await server.start();
  await until("it is back", () => redis.isUp);
  expect(await store.finish(claim, "{}")).toBe(false);
  expect(await store.claim({ ...claim, owner: newId() }, 1_000)).toEqual({ state: "owned" });
});

test("of one user's answers the oldest go when there are too many bytes, and the oldest keys when there are too many", async () => {
  const store = new RedisAnswers(redis, { bytes: 50, keys: 7 });
  const finished = async (holder: string, answer?: string) => {
    const claim = { scope: newId(), fingerprint: "a", owner: newId(), holder };
    await store.claim(claim, 1_000);
    await store.finish(claim, answer);
    return claim;
  };
  const answer = "x".repeat(20);
  const others = await finished("bob", answer);
  const own: Claim[] = [];
  for (let n = 0; n < 6; n++) own.push(await finished("carl", answer));
  const again = () => Promise.all(own.map(claim => store.claim({ ...claim, owner: newId() }, 1)));
  const [marker, kept] = [{ state: "done" }, { state: "done", answer }];
  expect(await again()).toEqual([marker, marker, marker, marker, kept, kept]);
  for (let n = 0; n < 3; n++) await finished("carl");
  const free = { state: "owned" };
  expect(await again()).toEqual([free, free, marker, marker, kept, kept]);
  expect(await store.claim({ ...others, owner: newId() }, 1)).toEqual(kept);
});
