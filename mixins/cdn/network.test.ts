// The forms of a purge, as they arrive at an HTTP server.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { readEnvironment } from "../kernel/index.ts";
import { cdnEnvironment } from "./environment.ts";
import { forms, partsOf, type FormName } from "./forms.ts";
import { startNetwork, type NetworkServer } from "./network.fixture.ts";
import { Network } from "./network.ts";

const token = "test-token-of-the-network";
let server: NetworkServer;
beforeAll(async () => {
  server = await startNetwork();
});
beforeEach(() => {
  server.asked.length = 0;
  server.answer = { status: 200, body: '{"success":true}' };
});
afterAll(() => server.stop());
const networkOf = (form: FormName, path = "/purge", url = server.url) => new Network({ url: url + path, form, token });

describe("a purge of two keys", () => {
  test.each<[FormName, object]>([
    ["varnish", { method: "PURGE", headers: { xkey: "books book:7", authorization: `Bearer ${token}` }, body: "" }],
    ["fastly", { method: "POST", headers: { "surrogate-key": "books book:7", "fastly-key": token }, body: "" }],
    [
      "cloudflare",
      {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        body: '{"tags":["books","book:7"]}',
      },
    ],
  ])("as %s takes it", async (form, expected) => {
    await networkOf(form).purge(["books", "book:7"]);
    expect(server.asked).toHaveLength(1);
    expect(server.asked[0]).toMatchObject({ url: "/purge", ...expected });
  });
});

test("every address of a Varnish's name is asked, by its name", async () => {
  const url = server.url.replace("127.0.0.1", "localhost");
  // The name may have ::1 as well, where nobody listens: then the purge is not done.
  await networkOf("varnish", "/", url)
    .purge(["books"])
    .catch((error: Error) => expect(error.message).toContain("::1"));
  expect(server.asked[0]!.headers.host).toBe(new URL(url).host);
});

describe("a purge that was not done is an error with the reason", () => {
  test.each<[FormName, number, string, RegExp]>([
    ["varnish", 403, "not you", /127\.0\.0\.1:\d+: it answers 403 not you/],
    ["fastly", 500, "", /it answers 500/],
    ["fastly", 301, "", /it answers 301/],
    ["cloudflare", 200, '{"success":false,"errors":[{"message":"no such zone"}]}', /no such zone/],
    ["cloudflare", 200, "<html>", /<html>/],
  ])("%s answers %i %s", async (form, status, body, message) => {
    server.answer = { status, body };
    await expect(networkOf(form).purge(["books"])).rejects.toThrow(message);
  });

  test("nobody listens", async () => {
    await expect(networkOf("varnish", "", "http://127.0.0.1:1").purge(["books"])).rejects.toThrow(/ECONNREFUSED/);
  });

  test("one of several parts was not done", async () => {
    server.answer = { status: 503, body: "" };
    const keys = Array.from({ length: 31 }, (_, i) => `book:${i}`);
    await expect(networkOf("cloudflare").purge(keys)).rejects.toThrow(/503/);
  });
});

test("many keys are several requests, each within the network's limits of number and bytes", async () => {
  const keys = Array.from({ length: 70 }, (_, i) => `book:${i}`);
  await networkOf("cloudflare").purge(keys);
  expect(server.asked.map(({ body }) => (JSON.parse(body) as { tags: string[] }).tags.length)).toEqual([30, 30, 10]);
  const long = Array.from({ length: 30 }, (_, i) => `${i}`.padStart(700, "x"));
  for (const form of Object.values(forms)) {
    const parts = partsOf(long, form);
    expect(parts.flat()).toEqual(long);
    for (const part of parts) expect(part.join(" ").length).toBeLessThanOrEqual(form.bytesMax);
  }
  expect(partsOf([], forms.varnish)).toEqual([]);
});

test("a network that needs a token is refused without one, and the token is never shown", () => {
  const CDN_PURGE_URL = "https://api.fastly.com/service/1/purge";
  const read = (env: Record<string, string>) => cdnEnvironment.of(readEnvironment(env));
  expect(read({}).CDN_PURGE_URL).toBeUndefined();
  expect(() => read({ CDN_PURGE_URL, CDN_PURGE_FORM: "fastly" })).toThrow(/CDN_PURGE_TOKEN.*expected a token/);
  const values = read({ CDN_PURGE_URL, CDN_PURGE_FORM: "fastly", CDN_PURGE_TOKEN: token });
  expect([values.CDN_PURGE_TOKEN, JSON.stringify(values).includes(token)]).toEqual([token, false]);
});
