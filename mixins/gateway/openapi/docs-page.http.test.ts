// The page's files are answers like others: compressed as the client prefers, with a strong tag for each encoding, and apart
// for each origin.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { raw } from "../gateway.fixture.ts";
import { startLibrary, type Library } from "../library.fixture.ts";

const ORIGIN = "https://reader.example.com";
let gateway: Library;
let css: string;
beforeAll(async () => {
  gateway = await startLibrary({}, [], { ALLOWED_ORIGINS: ORIGIN });
  css = /href="(\S+\.css)"/.exec((await gateway.http("GET", "/docs")).text)![1]!;
});
afterAll(() => gateway.stop());

const headOf = async (path: string, fields: Record<string, string>) => {
  const lines = Object.entries({ Host: "a", Connection: "close", ...fields }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  const answer = await raw(gateway.port, `GET ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
  const [line, ...head] = answer.slice(0, answer.indexOf("\r\n\r\n")).split("\r\n");
  const headers = new Headers(head.map(field => field.split(/: (.*)/).slice(0, 2) as [string, string]));
  return { status: Number(line!.slice(9, 12)), headers };
};

test("each encoding has a tag of its own, by which the file is not sent again", async () => {
  const tags: string[] = [];
  for (const [accepted, encoding] of [
    ["identity", null],
    ["gzip;q=1", "gzip"],
    ["gzip, br", "br"],
  ] as const) {
    const { status, headers } = await headOf(css, { "Accept-Encoding": accepted });
    expect([status, headers.get("content-encoding")]).toEqual([200, encoding]);
    tags.push(headers.get("etag")!);
    const again = await headOf(css, { "Accept-Encoding": accepted, "If-None-Match": `"x", W/${tags.at(-1)}` });
    expect([again.status, again.headers.get("etag")]).toEqual([304, tags.at(-1)]);
    expect(again.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  }
  expect(new Set(tags).size).toBe(3);
});

test("a cache keeps it apart for each origin", async () => {
  const { headers } = await headOf(css, { Origin: ORIGIN });
  expect(headers.get("access-control-allow-origin")).toBe(ORIGIN);
  expect(headers.get("vary")).toBe("Accept-Encoding, Accept, Origin");
});

test("the page is asked for again each time, and sent when it has changed", async () => {
  const { headers } = await headOf("/docs", {});
  expect(headers.get("cache-control")).toBe("no-cache");
  expect((await headOf("/docs", { "If-None-Match": headers.get("etag")! })).status).toBe(304);
});
