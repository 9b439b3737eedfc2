import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { until } from "../testing/index.ts";
import { RedisServer } from "../testing/servers.ts";
import { readEnvironment } from "../kernel/index.ts";
import { metricOf } from "../testing/broker.ts";
import { limits } from "./connection.ts";
import { RedisConnection, redisOf } from "./index.ts";
import { redisMetrics } from "./metrics.ts";

let server: RedisServer;
let connection: RedisConnection | undefined;
let log: string[];

const connect = (url: string): RedisConnection => {
  log = [];
  const keep = (text: unknown) => void log.push(String(text));
  return (connection = new RedisConnection(url, "", { info: keep, warn: keep }));
};
beforeEach(async () => {
  server = await RedisServer.absent();
});
afterEach(async () => {
  server.resume();
  await connection?.close();
  await server.stop();
});

const isBack = ({ isUp }: RedisConnection) => isUp;
const set = (on: RedisConnection, lost?: "none" | "unknown") => on.run(client => client.set("x", 1), lost);
const failed = (outcome: "none" | "unknown") => ({
  type: "REDIS_UNAVAILABLE",
  code: outcome === "none" ? 503 : 504,
  data: { family: "unavailable", outcome, retryAfterMs: 1_000 },
});

test("a server that is not there is said once, and found when it comes; so is one that goes and comes back", async () => {
  const redis = connect(server.url);
  await redis.tried;
  await expect(set(redis)).rejects.toMatchObject(failed("none"));
  expect(log).toEqual([expect.stringMatching(/^Redis cannot be reached \(.*ECONNREFUSED.*\): going on without$/)]);

  await server.start();
  await until("it is found", () => isBack(redis));
  expect(await set(redis)).toBe("OK");
  expect(await redis.state()).toMatchObject({ status: "ok", figures: { latencyMs: expect.any(Number) } });
  await server.halt();
  await until("it is missed", () => !isBack(redis));
  await expect(redis.state()).rejects.toThrow(/^cannot be reached \(/);
  await expect(set(redis)).rejects.toMatchObject(failed("none"));
  await server.start();
  await until("it is back", () => isBack(redis));
  expect(await set(redis)).toBe("OK");
  expect(log.slice(1)).toEqual(["Redis is back", expect.stringMatching(/^Redis cannot be reached/), "Redis is back"]);
});

test("a server that is frozen fails what was sent, then everything at once, until it answers", async () => {
  await server.start();
  const redis = connect(server.url);
  await redis.tried;
  server.pause();
  const sent = await Promise.allSettled([set(redis), set(redis, "none")]);
  expect(sent).toMatchObject([{ reason: failed("unknown") }, { reason: failed("none") }]);
  // Not sent any more.
  await expect(set(redis)).rejects.toMatchObject(failed("none"));
  server.resume();
  await until("it is back", () => isBack(redis));
  expect(await set(redis)).toBe("OK");
});

test("an answer that came while this process was busy is an answer", async () => {
  await server.start();
  const redis = connect(server.url);
  await redis.tried;
  const answer = set(redis);
  for (const end = performance.now() + 1.5 * limits.answerMs; performance.now() < end;);
  expect(await answer).toBe("OK");
  await new Promise(resolve => setImmediate(resolve));
  expect(redis.isUp).toBe(true);
});

test("a command that the server refuses for now may be tried again; one that it always refuses is an error of ours", async () => {
  await server.start();
  const redis = connect(server.url);
  await redis.tried;
  await set(redis);
  await expect(redis.run(client => client.hget("x", "y"))).rejects.toMatchObject({ name: "ReplyError" });
  await redis.run(client => client.config("SET", "maxmemory", "1"));
  await expect(set(redis)).rejects.toMatchObject(failed("none"));
  expect(redis.isUp).toBe(true);
});

test("a broker has one connection, for as long as it runs, and starts without the server", async () => {
  const options = { logger: false as const };
  const without = new ServiceBroker({ ...options, valence: readEnvironment({}) } as object);
  expect(redisOf(without)).toBeUndefined();
  await without.stop();
  const broker = new ServiceBroker({ ...options, valence: readEnvironment({ REDIS_URL: server.url }) } as object);
  connection = redisOf(broker)!;
  expect(redisOf(broker)).toBe(connection);
  await broker.start();
  await server.start();
  await until("it is found", () => isBack(connection!));
  expect(await metricOf(broker, redisMetrics.up)).toBe(1);
  // Nobody uses it: only the scrape finds out.
  server.pause();
  expect(await metricOf(broker, redisMetrics.up)).toBe(0);
  server.resume();
  await broker.stop();
  await expect(set(connection)).rejects.toMatchObject(failed("none"));
});
