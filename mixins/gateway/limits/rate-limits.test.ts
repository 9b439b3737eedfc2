import { expect, test } from "@jest/globals";
import type { Exchange } from "../exchange.ts";
import { routes } from "../library.fixture.ts";
import { RateLimits } from "./rate-limits.ts";

const start = () => {
  const time = { monotonic: 0 };
  const refused: string[] = [];
  const rates = new RateLimits({
    percent: 1,
    shared: undefined,
    gateways: () => 1,
    clock: { now: () => 0, monotonic: () => time.monotonic },
    refused: name => refused.push(name),
  });
  /** How the request of this caller ends, and what its headers say. */
  const ask = async (caller: { id: string; keyId?: string }, line = "GET /me", address = "192.0.2.1") => {
    const route = routes.find(({ method, url }) => line === `${method} ${url.replace("/api/v1", "")}`)!;
    const headers: Record<string, string> = {};
    const exchange = {
      route,
      address,
      res: { setHeader: (name: string, value: string) => (headers[name] = value) },
      caller: { user: { id: caller.id, roles: [] }, expiresAt: Infinity, ...(caller.keyId && { keyId: caller.keyId }) },
    } as unknown as Exchange;
    const error = await Promise.try(() => rates.count(exchange)).then(
      () => undefined,
      (thrown: { type: string; data: object }) => thrown,
    );
    return { error, limit: headers["RateLimit"] };
  };
  /** A log-in of ann, whose password turns out to be wrong when the answered function is called. */
  const logIn = () =>
    rates.countAccount({
      route: routes.find(({ url }) => url === "/api/v1/auth/login")!,
      address: "192.0.2.1",
      res: { setHeader() {} },
      request: { body: { email: "ann@example.com" } },
    } as unknown as Exchange);
  return { ask, logIn, time, refused };
};
const allowedOf = async (ask: () => Promise<{ error: unknown }>) => {
  let allowed = 0;
  while ((await ask()).error === undefined) allowed++;
  return allowed;
};

test("a user, and each of their API keys, have counts of their own; routes of one class share one", async () => {
  const { ask } = start();
  const ann = { id: "ann" };
  expect(await allowedOf(() => ask(ann))).toBe(3);
  expect((await ask(ann, "GET /shelf")).error).toMatchObject({ type: "RATE_LIMITED", code: 429 });
  expect((await ask(ann, "POST /loans")).error).toBeUndefined();
  for (const keyId of ["one", "two"]) expect(await allowedOf(() => ask({ ...ann, keyId }))).toBe(3);
  expect((await ask({ id: "bob" })).error).toBeUndefined();
});

test("a public route counts by address, whoever asks", async () => {
  const { ask } = start();
  expect(await allowedOf(() => ask({ id: "" }, "GET /books"))).toBe(6);
  expect((await ask({ id: "ann", keyId: "one" }, "GET /books")).error).toBeDefined();
  expect((await ask({ id: "" }, "GET /books", "192.0.2.2")).error).toBeUndefined();
});

test("the sustained limit holds across bursts, and names the moment at which it ends", async () => {
  const { ask, time, refused } = start();
  let allowed = 0;
  for (let second = 0; second < 25; second++, time.monotonic += 1_000)
    for (let n = 0; n < 3; n++) if ((await ask({ id: "ann" })).error === undefined) allowed++;
  expect(allowed).toBe(60);
  const { error, limit } = await ask({ id: "ann" });
  expect(error!.data).toMatchObject({ retryAfterMs: 35_000 });
  expect(limit).toBe('"read";r=0;t=35, "burst";r=2;t=1');
  expect(new Set(refused)).toEqual(new Set(["read"]));
  time.monotonic = 60_000;
  expect((await ask({ id: "ann" })).limit).toBe('"read";r=59;t=60, "burst";r=2;t=1');
});

test("log-ins that come at once are not counted while they are under way; a wrong password is, and uses up the window", async () => {
  const { logIn, time, refused } = start();
  const underWay = await Promise.all(Array.from({ length: 45 }, logIn));
  const failed = await logIn();
  expect(underWay).toHaveLength(45);
  await failed!();
  await expect(logIn()).rejects.toMatchObject({ type: "RATE_LIMITED", code: 429, data: { retryAfterMs: 60_000 } });
  expect(refused).toEqual(["login-account"]);
  time.monotonic = 60_000;
  await logIn();
});
