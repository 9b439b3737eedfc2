// Servers that answer but cannot serve: what a start says.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "../testing/index.ts";
import { Child, freePort, Nats, RedisServer } from "../testing/servers.ts";
import { readEnvironment } from "../kernel/index.ts";
import { assertBusListens, checkServers } from "./preflight.ts";

let locked: Nats;
let narrow: Nats;
let redis: RedisServer;
let cluster: RedisServer;
beforeAll(async () => {
  [locked, narrow, redis, cluster] = await Promise.all([
    Nats.start('authorization { user: "library", password: "s3cr3t" }'),
    Nats.start("max_payload: 65536"),
    RedisServer.start({ requirepass: "s3cr3t" }),
    RedisServer.start({ "cluster-enabled": "yes" }),
  ]);
});
afterAll(() => Promise.all([locked, narrow, redis, cluster].map(server => server?.stop())));

const check = (env: Record<string, string>): Promise<void> => checkServers(readEnvironment(env));
const as = (url: string, credentials: string): string => url.replace("//", `//${credentials}@`);

test("a refused log-in at NATS names NATS_URL, and neither user nor password", async () => {
  for (const url of [locked.url, as(locked.url, "library:wr0ng"), as(locked.url, "l1brary:wr0ng")])
    await expect(check({ NATS_URL: url })).rejects.toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^NATS_URL="nats:\/\/(?:…@)?127\.0\.0\.1:\d+": expected user and password/),
      }),
    );
  await check({ NATS_URL: as(locked.url, "library:s3cr3t") });
});

test("a terminal that has only the bus is told when it is away", async () => {
  const port = await freePort();
  await expect(assertBusListens(readEnvironment({ NATS_URL: `nats://127.0.0.1:${port}` }))).rejects.toThrow(
    `the bus is away: nothing listens at NATS_URL (127.0.0.1:${port})`,
  );
  await assertBusListens(readEnvironment({ NATS_URL: `nats://127.0.0.1:${port},${locked.url}` }));
});

test("a bus whose messages are too small for us is refused with both sizes", () =>
  expect(check({ NATS_URL: narrow.url })).rejects.toThrow(/^NATS_URL=.* 1048576 bytes or more: this one's is 65536$/));

test("a refused log-in at Redis names REDIS_URL, and neither user nor password", async () => {
  for (const url of [redis.url, as(redis.url, ":wr0ng"), as(redis.url, "library:wr0ng")])
    await expect(check({ REDIS_URL: url })).rejects.toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^REDIS_URL="redis:\/\/(?:…@)?127\.0\.0\.1:\d+": expected [^\n]*$/),
      }),
    );
  await check({ REDIS_URL: as(redis.url, ":s3cr3t") });
});

test("a database that the Redis server has not is refused", () =>
  expect(check({ REDIS_URL: `${as(redis.url, ":s3cr3t")}/99` })).rejects.toThrow(/^REDIS_URL=.*DB index/));

test("a Redis Cluster is refused, and that it is one is said", () =>
  expect(check({ REDIS_URL: cluster.url })).rejects.toThrow(/^REDIS_URL=.*Redis Cluster is not supported$/));

test("a start ends there, with that line alone", async () => {
  for (const env of [{ NATS_URL: locked.url }, { REDIS_URL: cluster.url }]) {
    const start = new Child(["mixins/cli/valence.mjs", "start"], { ...env, SERVICES: "ops", PORT: "0" });
    await until("it has ended", () => !start.running);
    const line = new RegExp(`^${Object.keys(env)[0]}="[^\n]*\n$`);
    expect([start.process.exitCode, start.output]).toEqual([1, expect.stringMatching(line)]);
  }
});

test("a server that is away stops no start", async () => {
  const port = await freePort();
  await check({ NATS_URL: `nats://127.0.0.1:${port}`, REDIS_URL: `redis://127.0.0.1:${port}` });
});
