// The limits of one gateway without Redis, as its clients meet them.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { newId, Refusal } from "../../kernel/index.ts";
import { routes, startLibrary, type Library } from "../library.fixture.ts";
import { limits } from "../limits.ts";
import { limitsOf } from "./rate-class.ts";

/** A client of its own at this address, behind one proxy. */
const at = (address: string, more: Record<string, string> = {}) => ({
  headers: { "x-forwarded-for": address, ...more },
});
const PERCENT = 1;

let gateway: Library;
let token: string;
beforeAll(async () => {
  const login = ({ params: { password } }: { params: { password: string } }) => {
    if (password !== "right") throw new Refusal("BAD_CREDENTIALS", { status: 401 });
    return { accessToken: "a" };
  };
  gateway = await startLibrary({ "accounts.login": login }, [], {
    RATE_LIMIT_PERCENT: `${PERCENT}`,
    TRUSTED_PROXIES: "1",
  });
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  token = await gateway.token(newId());
  gateway.reached.length = 0;
});

const itemsOf = (text: string | null) =>
  Object.fromEntries(
    [...text!.matchAll(/"([^"]+)";([a-z]=\d+(?:;[a-z]=\d+)*)/g)].map(([, name, params]) => [
      name!,
      Object.fromEntries(params!.split(";").map(param => [param[0]!, Number(param.slice(2))])),
    ]),
  );

test("the headers of each answer add up, until one too many is a 429 with the same moment in Retry-After", async () => {
  const route = routes.find(({ url }) => url.endsWith("/me"))!;
  const quota = limitsOf(route, PERCENT)!.policies;
  expect(quota).toEqual([
    { name: "read", quota: 60, windowSeconds: 60 },
    { name: "burst", quota: 3, windowSeconds: 1 },
  ]);
  for (let n = 1; n <= 3; n++) {
    const { status, headers } = await gateway.http("GET", "/api/v1/me", { token });
    expect(status).toBe(200);
    expect(headers.get("ratelimit-policy")).toBe('"read";q=60;w=60, "burst";q=3;w=1');
    const { read, burst } = itemsOf(headers.get("ratelimit"));
    expect([read, burst]).toEqual([
      { r: 60 - n, t: 60 },
      { r: 3 - n, t: 1 },
    ]);
  }
  const { status, headers, json } = await gateway.http("GET", "/api/v1/me", { token });
  expect([status, json.type, headers.get("content-type")]).toEqual([
    429,
    "/problems/rate-limited",
    "application/problem+json",
  ]);
  expect(itemsOf(headers.get("ratelimit"))["burst"]).toEqual({ r: 0, t: Number(headers.get("retry-after")) });
  expect(json.detail).toBe("too many requests: try again in 1 s");
  expect(gateway.reached.filter(({ action }) => action === "accounts.get")).toHaveLength(3);
});

test("a user's requests count for that user alone, at any address; after the window there are more", async () => {
  const other = await gateway.token(newId());
  const statusAt = async (as: string, address: string) =>
    (await gateway.http("GET", "/api/v1/me", { token: as, ...at(address) })).status;
  const own: number[] = [];
  for (let n = 0; n < 5; n++) own.push(await statusAt(token, `192.0.2.${n}`));
  expect(own).toEqual([200, 200, 200, 429, 429]);
  expect(await statusAt(other, "192.0.2.0")).toBe(200);
  await new Promise(resolve => setTimeout(resolve, 1_050));
  expect(await statusAt(token, "192.0.2.0")).toBe(200);
});

test("public reads count by network: an IPv6 client cannot change the address within its /64", async () => {
  const statusAt = async (address: string) => (await gateway.http("GET", "/api/v1/books", at(address))).status;
  const burst = 6;
  for (let n = 0; n < burst; n++) expect(await statusAt(`2001:db8:0:1::${n + 1}`)).toBe(200);
  expect(await statusAt("2001:db8:0:1:ffff::1")).toBe(429);
  expect(await statusAt("2001:db8:0:2::1")).toBe(200);
});

describe("the headers are on", () => {
  test.each([
    ["a 304", "GET", "/api/v1/shelf", { "if-none-match": "*" }, 304],
    ["a 404", "GET", "/api/v1/loans/x/nothing", {}, 404],
    ["a 422", "GET", "/api/v1/loans?page=0", {}, 422],
    ["a 403", "POST", `/api/v1/staff/loans/x/report`, {}, 403],
    ["an answer without a body", "GET", "/api/v1/me", {}, 200],
  ])("%s", async (_what, method, path, headers, status) => {
    const answer = await gateway.http(method, path, { token, headers });
    expect(answer.status).toBe(status);
    // A path of no route has no limit: nothing is behind it.
    expect(answer.headers.has("ratelimit")).toBe(status !== 404);
    expect(answer.headers.has("ratelimit-policy")).toBe(status !== 404);
  });

  test("also of an event stream that is refused, and not on what is exempt: health and metrics", async () => {
    for (const path of ["/health/live", "/health/ready", "/metrics", "/"]) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => gateway.http("GET", path)));
      expect(answers.filter(({ status, headers }) => status === 429 || headers.has("ratelimit"))).toEqual([]);
    }
    const id = newId();
    const { status, headers } = await gateway.http("GET", `/api/v1/loans/${id}/stream`, { token });
    expect([status, headers.has("ratelimit")]).toEqual([404, true]);
  });
});

test("an account is counted at each address: a stranger cannot use up what the owner has", async () => {
  const login = (address: string, email: string, password = "wrong") =>
    gateway.http("POST", "/api/v1/auth/login", { body: { email, password }, ...at(address) });
  // One percent allows an address one attempt a second, and an account one wrong password a minute.
  for (let n = 0; n < 2; n++) {
    expect((await login("198.51.100.1", "ann@example.com", "right")).status).toBe(200);
    await new Promise(resolve => setTimeout(resolve, 1_050));
  }
  expect((await login("198.51.100.1", "ann@example.com")).status).toBe(401);
  await new Promise(resolve => setTimeout(resolve, 1_050));
  const again = await login("198.51.100.1", "ANN@example.com");
  expect([again.status, again.json.type]).toEqual([429, "/problems/rate-limited"]);
  expect(itemsOf(again.headers.get("ratelimit"))["login-account"]).toEqual({
    r: 0,
    t: Number(again.headers.get("retry-after")),
  });
  expect((await login("198.51.100.2", "ann@example.com")).status).toBe(401);
});

test("too many wrong credentials of an address are refused unchecked; verified tokens there, and other addresses, pass", async () => {
  const statusOf = async (as: string | undefined, address: string) =>
    (await gateway.http("GET", "/api/v1/loans", { ...(as !== undefined && { token: as }), ...at(address) })).status;
  const fresh = await gateway.token(newId());
  expect(await statusOf(token, "203.0.113.1")).toBe(200);
  // A request without credentials costs nothing to refuse, and is not counted.
  for (let n = 0; n < 20; n++) expect(await statusOf(undefined, "203.0.113.1")).toBe(401);
  const forged = (n: number) => `${fresh.slice(0, fresh.lastIndexOf(".") + 1)}forged${n}`;
  for (let n = 0; n <= limits.failedAuthenticationsMax; n += 50)
    await Promise.all(Array.from({ length: 50 }, (_, m) => statusOf(forged(n + m), "203.0.113.1")));
  const refused = await gateway.http("GET", "/api/v1/loans", { token: fresh, ...at("203.0.113.1") });
  expect([refused.status, refused.json.type]).toEqual([429, "/problems/rate-limited"]);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(refused.headers.get("ratelimit")).toMatch(/^"failed-authentication";r=0;t=\d+$/);
  expect(await statusOf(token, "203.0.113.1")).toBe(200);
  expect(await statusOf(fresh, "203.0.113.2")).toBe(200);
});

test.each([
  ["a cookie behind two blanks", { Cookie: "a=b;  valence-main=guess" }, "/api/v1/loans"],
  ["a cookie behind a tab and nothing", { Cookie: "a=b;;\tvalence-main=guess" }, "/api/v1/loans"],
  ["a key for the metrics", { "X-API-Key": "vk_guess" }, "/metrics"],
  ["a token for the description", { Authorization: "Bearer a.guess.b" }, "/openapi.json"],
])("%s counts as a guess", async (name, headers, path) => {
  const address = `198.51.100.${name.length}`;
  const guess = () => gateway.http("GET", path, { headers: { ...headers, "X-Forwarded-For": address } });
  for (let n = 0; n <= limits.failedAuthenticationsMax; n += 50) await Promise.all(Array.from({ length: 50 }, guess));
  expect((await guess()).status).toBe(429);
});

test("with RATE_LIMIT_PERCENT=0 there are no limits and no headers; the usual ones let a busy client through", async () => {
  const [off, usual] = await Promise.all([startLibrary({}, [], { RATE_LIMIT_PERCENT: "0" }), startLibrary()]);
  try {
    const ask = (of: Library) => Promise.all(Array.from({ length: 200 }, () => of.http("GET", "/api/v1/books")));
    expect(new Set((await ask(off)).map(({ status, headers }) => `${status} ${headers.get("ratelimit")}`))).toEqual(
      new Set(["200 null"]),
    );
    expect(new Set((await ask(usual)).map(({ status }) => status))).toEqual(new Set([200]));
  } finally {
    await off.stop();
    await usual.stop();
  }
});
