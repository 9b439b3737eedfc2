// The `type` of every problem is an address that explains it, to people and to programs.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startLibrary, type Library } from "../library.fixture.ts";
import type { Explained } from "./explained.ts";

const BROWSER = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
let gateway: Library;
beforeAll(async () => {
  // Services that this process does not run.
  const SERVICEDIR = "mixins/cli/templates/app/services";
  gateway = await startLibrary({}, [], { SERVICEDIR, DOCS_URL: "https://guide.example" });
});
afterAll(() => gateway.stop());

const get = (path: string, headers: Record<string, string> = {}) => gateway.http("GET", path, { headers });

test("the type of an answer leads to a page: cause, remedy, status, and whether to repeat", async () => {
  const { type } = (await get("/api/v1/shelf")).json as { type: string };
  const { status, headers, text } = await get(type, BROWSER);
  expect([status, headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  expect(headers.get("content-security-policy")).toMatch(/default-src 'none'.*style-src 'self'/);
  expect(headers.get("vary")).toMatch(/\bAccept\b/);
  expect(text).toContain("<h1>UNAUTHENTICATED</h1>");
  expect(text).toContain("Send Authorization: Bearer &lt;access token>.");
  expect(text).toContain("401, Unauthorized");
  expect(text).toContain("No: the same request gets the same answer.");
  expect(text).not.toMatch(/<script|style="|<style|https?:/);
  const [, style] = /href="(\S+\.css)"/.exec(text)!;
  expect((await get(style!)).headers.get("content-type")).toBe("text/css; charset=utf-8");
});

test("a program gets the same as JSON, of a service that runs elsewhere too", async () => {
  const { status, headers, json } = await get("/problems/thing-decided");
  expect([status, headers.get("content-type")]).toEqual([200, "application/json; charset=utf-8"]);
  expect(json).toEqual({
    type: "/problems/thing-decided",
    code: "THING_DECIDED",
    statuses: [409],
    title: "Conflict",
    says: "the thing has been approved or declined",
    todo: "open another one",
    retry: "No: the same request gets the same answer.",
    owner: "things",
  });
  expect((await get("/problems/record-not-found", BROWSER)).text).toContain("There is no record <var>id</var>.");
  const { json: busy } = await get("/problems/saturated");
  expect([busy.statuses, busy.retry]).toEqual([[503], expect.stringMatching(/^Yes, after .*nothing was done/)]);
  const { json: late } = await get("/problems/request-timeout");
  expect([late.statuses, late.retry]).toEqual([[504], expect.stringMatching(/^Yes, .*Idempotency-Key/)]);
  expect((await get("/problems/internal")).json).toMatchObject({
    statuses: [500],
    todo: expect.stringMatching("requestId"),
  });
});

test("the list has every error, each with an address that is there", async () => {
  const { json } = await get("/problems");
  const types = (json as Explained[]).map(({ type }) => type);
  expect(types.length).toBeGreaterThan(80);
  expect(new Set(types).size).toBe(types.length);
  const { text } = await get("/problems", BROWSER);
  expect([...text.matchAll(/<a href="([^"]+)"/g)].map(([, href]) => href)).toEqual(types);
  const statuses = await Promise.all(types.map(async type => (await get(type, BROWSER)).status));
  expect(types.filter((_, i) => statuses[i] !== 200)).toEqual([]);
});

test("an error that there is not is a 404, for a browser too, and nothing can be sent", async () => {
  for (const path of ["/problems/no-such-thing", "/problems/VALIDATION-ERROR", "/problems/a/b"])
    expect([path, (await get(path, BROWSER)).json.type]).toEqual([path, "/problems/not-found"]);
  expect((await gateway.http("POST", "/problems/not-found")).status).toBe(405);
});

test("it is not sent again to those who have it", async () => {
  const { headers } = await get("/problems/not-found");
  expect(headers.get("cache-control")).toBe("public, max-age=300");
  expect((await get("/problems/not-found", { "if-none-match": headers.get("etag")! })).status).toBe(304);
  const { text } = await get("/problems/not-found", { ...BROWSER, "if-none-match": headers.get("etag")! });
  expect(text).toContain("<h1>NOT_FOUND</h1>");
});

test("/guide leads to DOCS_URL", async () => {
  const { status, headers } = await fetch(`${gateway.url}/guide`, { redirect: "manual" });
  expect([status, headers.get("location")]).toEqual([302, "https://guide.example"]);
  expect((await get("/")).json).toMatchObject({ guide: "/guide", errors: "/problems" });
});
