import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { until } from "../testing/index.ts";
import { connectedRedis, type RedisServer } from "../testing/servers.ts";
import { newId, systemClock } from "../kernel/index.ts";
import { counterConformance, WINDOW_MS } from "./counter.conformance.ts";
import { fallingBack, MemoryCounter, RedisCounter, type RedisConnection } from "./index.ts";

let server: RedisServer;
let connection: RedisConnection;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ server, connection, stop } = await connectedRedis());
});
afterAll(() => stop());

describe("in Redis", () => counterConformance(async () => new RedisCounter(connection, newId(), WINDOW_MS)));

test("counters of one name count together, of two names apart", async () => {
  const [one, two, other] = ["logins", "logins", "uploads"].map(name => new RedisCounter(connection, name, WINDOW_MS));
  await one!.add("ada");
  expect((await two!.add("ada")).count).toBe(2);
  expect((await other!.add("ada")).count).toBe(1);
});

test("a window ends by itself", async () => {
  const counter = new RedisCounter(connection, newId(), 50);
  await counter.add("ada");
  await until("it has ended", async () => (await counter.read("ada")).count === 0);
  expect((await counter.add("ada")).count).toBe(1);
});

test("without Redis the second counter counts, with it the first again", async () => {
  const memory = new MemoryCounter({ windowMs: WINDOW_MS, keysMax: 10, clock: systemClock });
  const counter = fallingBack(new RedisCounter(connection, newId(), WINDOW_MS), memory);
  expect((await counter.add("ada")).count).toBe(1);
  await server.halt();
  expect((await counter.add("bob")).count).toBe(1);
  expect((await counter.read("bob")).count).toBe(1);
  await counter.clear("bob");
  expect((await counter.read("bob")).count).toBe(0);
  await server.start();
  await until("it is back", () => connection.isUp);
  expect((await counter.add("ada")).count).toBe(1);
  expect((await memory.read("ada")).count).toBe(0);
});
