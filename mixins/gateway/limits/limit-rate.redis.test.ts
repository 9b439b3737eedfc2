// Several gateways with one Redis server, which goes away and freezes.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { newId, Refusal, systemClock } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { RedisServer } from "../../testing/servers.ts";
import { startLibrary, type Library } from "../library.fixture.ts";
import { limits } from "../limits.ts";
import { SharedCounts } from "./window.ts";

let server: RedisServer;
const running: Library[] = [];
beforeEach(async () => {
  server = await RedisServer.start();
});
afterEach(async () => {
  server.resume();
  for (const gateway of running.splice(0)) await gateway.stop();
  await server.stop();
});

/** Two gateways that allow 60 reads of a user a minute, and 3 a second. */
async function twoGateways() {
  const answers = {
    "accounts.login": () => {
      throw new Refusal("BAD_CREDENTIALS", { status: 401 });
    },
  };
  const start = () =>
    startLibrary(answers, [], { REDIS_URL: server.url, RATE_LIMIT_PERCENT: "1", TRUSTED_PROXIES: "1" });
  running.push(await start(), await start());
  return running as [Library, Library];
}
const read = async (gateway: Library, address: string) => {
  const startedAt = performance.now();
  const { status, headers } = await gateway.http("GET", "/api/v1/books", { headers: { "x-forwarded-for": address } });
  return {
    status,
    left: /"public-read";r=(\d+)/.exec(headers.get("ratelimit") ?? "")?.[1],
    ms: performance.now() - startedAt,
  };
};

/** An answer of Redis that comes too late lets one request more through: the fewest of several attempts counts. */
async function fewestPassing(requests: (address: string) => Promise<{ status: number }[]>): Promise<number> {
  const passing: number[] = [];
  for (let n = 1; n <= 4; n++)
    passing.push((await requests(`192.0.2.${n}`)).filter(({ status }) => status === 200).length);
  return Math.min(...passing);
}

test("two gateways count together: one after the other, and many at once", async () => {
  const gateways = await twoGateways();
  const inTurn = async (address: string) => {
    const answers: { status: number }[] = [];
    for (let n = 0; n < 8; n++) answers.push(await read(gateways[n % 2]!, address));
    return answers;
  };
  expect(await fewestPassing(inTurn)).toBe(6);
  await new Promise(resolve => setTimeout(resolve, 1_050));
  const atOnce = (address: string) =>
    Promise.all(Array.from({ length: 40 }, (_, n) => read(gateways[n % 2]!, `${address}0`)));
  expect(await fewestPassing(atOnce)).toBe(6);
});

test("while Redis is away each gateway counts alone, at once; with it they count together again", async () => {
  const [one, other] = await twoGateways();
  await read(one, "192.0.2.1");
  await server.halt();
  const alone = await Promise.all(Array.from({ length: 20 }, () => read(one, "192.0.2.2")));
  expect(alone.filter(({ status }) => status === 200)).toHaveLength(6);
  expect((await read(other, "192.0.2.2")).status).toBe(200);
  await server.start();
  await until("both ask Redis again", async () => {
    const address = `198.51.100.${Math.ceil(Math.random() * 250)}`;
    const [first, second] = [(await read(one, address)).left, (await read(other, address)).left];
    return first === "119" && second === "118";
  });
});

test("while Redis is frozen an answer takes 60 ms at most, then no time at all, and limits hold", async () => {
  const [one] = await twoGateways();
  // The first requests of a process are slow for other reasons.
  for (let n = 0; n < 20; n++) await read(one, `203.0.113.${n}`);
  server.pause();
  const first = await read(one, "192.0.2.1");
  const later: Awaited<ReturnType<typeof read>>[] = [];
  for (let n = 0; n < 10; n++) later.push(await read(one, "192.0.2.1"));
  expect([first, ...later].filter(({ status }) => status === 200)).toHaveLength(6);
  expect(first.ms).toBeGreaterThan(40);
  expect(first.ms).toBeLessThan(120);
  expect(later.map(({ ms }) => ms).sort((a, b) => a - b)[5]).toBeLessThan(25);
  server.resume();
  await new Promise(resolve => setTimeout(resolve, limits.sharedCountsPauseMs + 50));
  await read(one, "192.0.2.9");
  expect((await read(one, "192.0.2.10")).left).toBe("119");
});

test("Redis holds neither tokens nor e-mail addresses", async () => {
  const [one] = await twoGateways();
  await one.http("POST", "/api/v1/auth/login", { body: { email: "ann@example.com", password: "secret password" } });
  const id = newId();
  await one.http("GET", "/api/v1/me", { token: await one.token(id) });
  const client = new Redis(server.url);
  const keys = (await client.keys("*")).filter(key => key.includes(":rate:")).toSorted();
  client.disconnect();
  expect(keys).toHaveLength(5);
  expect(keys.join()).not.toMatch(/ann|example|secret|eyJ/);
  expect(keys.join()).toContain(`user:${id}`);
});

test("an answer of Redis that came while this process was busy counts", async () => {
  const client = new Redis(server.url);
  const shared = new SharedCounts(client, "", systemClock);
  await client.ping();
  const answer = shared.ask(() => client.ping());
  for (const end = performance.now() + 4 * limits.sharedCountsAnswerMs; performance.now() < end;);
  expect([await answer, shared.misses]).toEqual(["PONG", 0]);
  client.disconnect();
});
