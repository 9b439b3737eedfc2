// A service that hangs takes its own share of the gateway, and no more.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { isAbandoned, newId } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { book, startLibrary, type Library } from "../library.fixture.ts";
import { limits } from "../limits.ts";

let gateway: Library;
let token: string;
const shelf: { call?: object } = {};
let release = (): void => {};
const held = new Promise<void>(resolve => (release = resolve));

beforeAll(async () => {
  gateway = await startLibrary(
    {
      "loans.list": async () => {
        await held;
        return { rows: [], total: 0, page: 1, pageSize: 20 };
      },
      "shelves.get": async ctx => {
        shelf.call = ctx;
        await held;
        return { items: [] };
      },
    },
    [],
    // Clients of several addresses.
    { TRUSTED_PROXIES: "1", REQUEST_TIMEOUT_MS: "60000", RATE_LIMIT_PERCENT: "0" },
  );
  token = await gateway.token(newId());
});
afterAll(async () => {
  release();
  await gateway.stop();
});

const from = (n: number) => ({ "x-forwarded-for": `10.0.0.${n % 200}` });
const share = (service: string) => gateway.service.entrance.shares.find(one => one.service === service);
const read = (n = 0) => gateway.http("GET", `/api/v1/books/${book.id}`, { headers: from(n) });

test("a client that leaves abandons its call; one that stays does not", async () => {
  const leaving = new AbortController();
  const answer = fetch(`${gateway.url}/api/v1/shelf`, {
    headers: { authorization: `Bearer ${token}` },
    signal: leaving.signal,
  });
  answer.catch(() => {});
  const { call } = await until("its call is under way", () => shelf.call && { call: shelf.call });
  expect(isAbandoned(call)).toBe(false);
  leaving.abort();
  await until("it is abandoned", () => isAbandoned(call));
});

test("while one service hangs, the others answer within 50 ms, and its own requests are refused soon", async () => {
  const many = limits.callsPerServiceMax + 100;
  const hanging = Array.from({ length: many }, (_, n) =>
    gateway.http("GET", "/api/v1/loans", { token, headers: from(n) }),
  );
  await until("its share is taken", () => share("loans")?.atWork === limits.callsPerServiceMax);
  await until("the others are refused", () => gateway.service.entrance.refusedTotal === 100);
  const took: number[] = [];
  for (let n = 0; n < 20; n++) {
    const at = performance.now();
    expect((await read(n)).status).toBe(200);
    took.push(performance.now() - at);
  }
  expect(took.sort((a, b) => a - b)[10]).toBeLessThan(50);

  const { text } = await gateway.http("GET", "/metrics", { token: await gateway.token(newId(), ["admin"]) });
  expect(text).toContain('valence_http_requests_shed_total{priority="normal"} 100\n');
  expect(text).toContain(`valence_http_service_calls_active{service="loans"} ${limits.callsPerServiceMax}\n`);
  expect(text).toContain(`valence_http_service_calls_max{service="loans"} ${limits.callsPerServiceMax}\n`);
  expect(text).toContain("valence_http_requests_saturated_total 100\n");

  release();
  const answers = await Promise.all(hanging);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(limits.callsPerServiceMax);
  const refused = answers.filter(({ status }) => status !== 200);
  for (const { status, json, headers } of refused) {
    expect([status, json.type]).toEqual([503, "/problems/saturated"]);
    expect(["1", "2", "3"]).toContain(headers.get("retry-after"));
  }
  // With jitter.
  expect(new Set(refused.map(({ headers }) => headers.get("retry-after"))).size).toBeGreaterThan(1);
  await until("all is given back", () => share("loans")?.atWork === 0);
});
