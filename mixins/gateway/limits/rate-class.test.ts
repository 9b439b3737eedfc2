import { expect, test } from "@jest/globals";
import { routes } from "../library.fixture.ts";
import { limitsOf, RATE_CLASSES } from "./rate-class.ts";

const classOf = (line: string) => {
  const found = routes.find(({ method, url }) => `${method} ${url}` === line.replace(" /", " /api/v1/"));
  return limitsOf(found!)?.class;
};

test("each kind of route has a class of its own, and a route may name another", () => {
  expect(
    [
      "GET /shelf",
      "POST /loans",
      "GET /books",
      "POST /notices/webhook",
      "POST /books",
      "POST /auth/login",
      "POST /auth/register",
    ].map(classOf),
  ).toEqual(["read", "write", "public-read", "public-write", "operate", "login", "register"]);
});

test("an event stream counts as a read when it is asked for", () => {
  expect(classOf("GET /loans/:id/stream")).toBe("read");
});

test("the numbers of a route, for its description", () => {
  const login = routes.find(({ url }) => url.endsWith("/login"))!;
  expect(limitsOf(login)).toEqual({
    class: "login",
    countedBy: "address",
    policies: [
      { name: "login", quota: 2_000, windowSeconds: 60 },
      { name: "burst", quota: 50, windowSeconds: 1 },
    ],
    account: { name: "login-account", quota: 30, windowSeconds: 60 },
    countsFailures: true,
  });
  expect(limitsOf(login, 1)!.policies.map(({ quota }) => quota)).toEqual([20, 1]);
  expect(limitsOf(login, 0)).toBeUndefined();
});

test("a burst is a part of what is allowed in the long run, in every class", () => {
  for (const [name, { sustained, burst }] of Object.entries(RATE_CLASSES))
    expect([name, burst < sustained[0], burst * sustained[1] > sustained[0]]).toEqual([name, true, true]);
});
