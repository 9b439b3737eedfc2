// Public reads through a real gateway: from memory, with every header that a browser, a delivery network and a page of
// another origin need, and never with anything of the client that asked first.
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { CHANGED, type Changed } from "../../contract/index.ts";
import { newId } from "../../kernel/index.ts";
import { COMMITTED, type Committed } from "../../stream/index.ts";
import { until } from "../../testing/index.ts";
import { raw } from "../gateway.fixture.ts";
import { limits } from "../limits.ts";
import { SECURITY_HEADERS } from "../../http/siblings.ts";
import { startEditions, type Editions } from "./editions.fixture.ts";

const ORIGIN = "https://reader.example.com";
let gateway: Editions;
let admin: string;
let id: string;

beforeAll(async () => {
  gateway = await startEditions({ ALLOWED_ORIGINS: ORIGIN });
  admin = await gateway.token(newId(), ["admin"]);
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  gateway.service.answers.clear();
  gateway.reached.length = 0;
  id = newId();
  gateway.editions.set(id, { id, title: "First", text: "x".repeat(100), updatedAt: "2026-01-01T00:00:00.000Z" });
});
const get = (path: string, headers: Record<string, string> = {}) =>
  gateway.http("GET", `/api/v1${path}`, { headers: { "accept-encoding": "identity", ...headers } });
const asked = () => gateway.reached.filter(({ action }) => action.startsWith("editions.")).length;
const tell = (tags: string[]) => gateway.broker.broadcast(CHANGED, { tags } satisfies Changed);
const outcomes = async (...paths: string[]) => {
  const found: (string | null)[] = [];
  for (const path of paths) found.push((await get(path)).headers.get("x-cache"));
  return found;
};

describe("a kept answer", () => {
  test("is given again with all its headers, and its age", async () => {
    const [first, second] = [await get(`/editions/${id}`), await get(`/editions/${id}`)];
    expect([first.headers.get("x-cache"), second.headers.get("x-cache"), asked()]).toEqual(["miss", "hit", 1]);
    expect([first.headers.get("age"), second.headers.get("age")]).toEqual([null, "0"]);
    for (const { status, headers, json } of [first, second]) {
      expect(status).toBe(200);
      expect(json).toEqual(gateway.editions.get(id));
      expect(headers.get("cache-control")).toBe(
        "public, max-age=5, s-maxage=10, stale-while-revalidate=20, stale-if-error=30",
      );
      expect([headers.get("surrogate-key"), headers.get("cache-tag")]).toEqual([`edition:${id}`, `edition:${id}`]);
      expect(headers.get("vary")).toBe("Accept-Encoding, Accept, Origin");
      expect(headers.get("etag")).toMatch(/^"[\w-]{22}"$/);
      expect(headers.get("last-modified")).toBe("Thu, 01 Jan 2026 00:00:00 GMT");
      expect(headers.get("content-type")).toBe("application/json; charset=utf-8");
      expect(headers.get("x-request-id")).toMatch(/./);
      for (const [name, value] of SECURITY_HEADERS) expect(headers.get(name)).toBe(value);
    }
    expect(first.headers.get("etag")).toBe(second.headers.get("etag"));
    expect(first.headers.get("x-request-id")).not.toBe(second.headers.get("x-request-id"));
  });

  test("is refused to a malformed Request-Timeout, as any other answer", async () => {
    for (const _round of ["miss", "hit"]) {
      expect((await get(`/editions/${id}`, { "request-timeout": "x" })).status).toBe(400);
      expect((await get(`/editions/${id}`, { "request-timeout": "5" })).status).toBe(200);
    }
  });

  test("answers HEAD, without a body and with its length", async () => {
    await get(`/editions/${id}`);
    const answer = await raw(
      gateway.port,
      `HEAD /api/v1/editions/${id} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*X-Cache: hit\r\n/);
    expect(answer).toMatch(/Content-Length: [1-9]\d\d\r\n/);
    expect(answer).toMatch(/\r\n\r\n$/);
    expect(asked()).toBe(1);
  });

  test("is one for all spellings of a request: capitals, escapes, unknown fields, their order, no one's cookie or token", async () => {
    const spellings = [
      `/editions?q=a&page=2`,
      `/editions?page=2&q=a`,
      `/editions?q=%61&page=2`,
      `/editions?q=a&page=2&utm_source=x&fbclid=y&_=17`,
      `/editions?whatever=1&q=a&page=2`,
    ];
    for (const path of spellings)
      expect([path, (await get(path, { cookie: "a=b", authorization: `Bearer ${admin}` })).status]).toEqual([
        path,
        200,
      ]);
    expect(asked()).toBe(1);
    await get(`/editions/${id}`);
    await get(`/editions/${id.toUpperCase()}`);
    await get(`/editions/%${id.charCodeAt(0).toString(16)}${id.slice(1)}`);
    expect(asked()).toBe(2);
    await get(`/editions?q=a&page=3`);
    expect(asked()).toBe(3);
  });

  test("20 clients at once are one call", async () => {
    gateway.pace.delayMs = 50;
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(`/editions/${id}`)));
    gateway.pace.delayMs = 0;
    expect([new Set(answers.map(({ text }) => text)).size, asked()]).toEqual([1, 1]);
  });

  test("a missing resource and other refusals are not kept, nor stored by others", async () => {
    const missing = newId();
    for (let i = 0; i < 2; i++) {
      const { status, headers } = await get(`/editions/${missing}`);
      expect([status, headers.get("cache-control"), headers.get("x-cache")]).toEqual([404, "private, no-store", null]);
    }
    expect(asked()).toBe(2);
    expect((await get("/editions?page=0")).headers.get("cache-control")).toBe("private, no-store");
  });

  test("takes no body, two hosts or malformed conditions, hit or not", async () => {
    for (const _round of ["miss", "hit"]) {
      const head = `GET /api/v1/editions/${id} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n`;
      expect(await raw(gateway.port, `${head}Host: b\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
      expect(await raw(gateway.port, `${head}Content-Length: 2\r\n\r\n{}`)).toMatch(/^HTTP\/1\.1 400 /);
      expect(await raw(gateway.port, `${head}Expect: more\r\n\r\n`)).toMatch(/^HTTP\/1\.1 417 /);
      expect((await get(`/editions/${id}`, { "if-none-match": "abc" })).status).toBe(400);
      expect((await get(`/editions/${id}`, { "if-match": '"other"' })).status).toBe(412);
      await get(`/editions/${id}`);
    }
  });
});

describe("a change", () => {
  test("through this gateway is seen by the very next request, and by all after it", async () => {
    await get(`/editions/${id}`);
    await get(`/editions/${id}`);
    const changed = await gateway.http("PATCH", `/api/v1/editions/${id}`, { token: admin, body: { title: "Second" } });
    expect(changed.status).toBe(200);
    for (let i = 0; i < 3; i++) expect((await get(`/editions/${id}`)).json.title).toBe("Second");
  });

  test("that another node tells drops what has one of its tags", async () => {
    const other = newId();
    gateway.editions.set(other, { ...gateway.editions.get(id)!, id: other });
    const paths = [`/editions/${id}`, `/editions/${other}`, "/editions"];
    // Right after a change, of the test before, nothing with its tag is kept.
    await until("all are kept", async () => (await outcomes(...paths)).every(outcome => outcome === "hit"));
    await tell([`edition:${id}`]);
    expect(await outcomes(...paths)).toEqual(["miss", "hit", "hit"]);
    await tell(["editions"]);
    expect(await outcomes(...paths)).toEqual(["miss", "hit", "miss"]);
  });

  test("of an actor drops what is about it; of unknown actors, all of their service", async () => {
    const paths = ["/prints/a", "/prints/b"];
    await outcomes(...paths);
    const commit = (told: Committed) => gateway.broker.broadcast(COMMITTED, told);
    await commit({ service: "presses", streams: ["print.a"] });
    expect(await outcomes(...paths)).toEqual(["miss", "hit"]);
    await commit({ service: "others" });
    expect(await outcomes("/prints/b")).toEqual(["hit"]);
    await commit({ service: "presses" });
    expect(await outcomes(...paths)).toEqual(["miss", "miss"]);
  });

  test("while a call is under way is not hidden by its answer", async () => {
    gateway.pace.delayMs = 50;
    const before = get(`/editions/${id}`);
    await until("the call", () => asked() === 1);
    gateway.editions.set(id, { ...gateway.editions.get(id)!, title: "Second" });
    await tell([`edition:${id}`]);
    gateway.pace.delayMs = 0;
    expect((await get(`/editions/${id}`)).json.title).toBe("Second");
    const older = await before;
    expect(older.json.title).toBe("First");
    // A cache before the gateway that has been purged already would keep it as the new state.
    expect(older.headers.get("cache-control")).toBe("public, max-age=0, s-maxage=1");
    expect((await get(`/editions/${id}`)).json.title).toBe("Second");
  });

  test("is the reason to forget everything when messages about it may be lost", async () => {
    await outcomes(`/editions/${id}`);
    expect(await outcomes(`/editions/${id}`)).toEqual(["hit"]);
    for (const event of ["$transporter.disconnected", "$node.disconnected"]) {
      gateway.broker.localBus.emit(event, { node: { id: "another" } });
      expect(await outcomes(`/editions/${id}`, `/editions/${id}`)).toEqual(["miss", "hit"]);
    }
  });
});

describe("a stale answer", () => {
  test("is given at once while the action is asked anew", async () => {
    await get(`/briefs/${id}`);
    gateway.editions.set(id, { ...gateway.editions.get(id)!, title: "Second" });
    await new Promise(resolve => setTimeout(resolve, 1_050));
    const stale = await get(`/briefs/${id}`);
    expect([stale.json.title, stale.headers.get("x-cache"), stale.headers.get("age")]).toEqual(["First", "stale", "1"]);
    await until("the refresh", async () => (await get(`/briefs/${id}`)).json.title === "Second");
    expect(gateway.reached.at(-1)).toMatchObject({ action: "editions.get", user: { id: "", roles: [] } });
  });
});

describe("conditions", () => {
  test("If-None-Match is 304 with the headers of the answer and without a body, hit or not", async () => {
    const { headers } = await get(`/editions/${id}`);
    const tag = headers.get("etag")!;
    for (const round of ["hit", "miss"]) {
      for (const ask of [{ "if-none-match": `"x", W/${tag}` }, { "if-none-match": "*" }]) {
        const answer = await get(`/editions/${id}`, ask);
        expect([answer.status, answer.text, answer.headers.get("x-cache")]).toEqual([304, "", expect.any(String)]);
        expect(answer.headers.get("etag")).toBe(tag);
        expect(answer.headers.get("cache-control")).toContain("s-maxage=10");
        expect(answer.headers.get("content-type")).toBeNull();
      }
      expect((await get(`/editions/${id}`, { "if-none-match": '"x"' })).status).toBe(200);
      if (round === "hit") gateway.service.answers.clear();
    }
  });

  test("a conditional request fills the cache for others", async () => {
    const tag = (await get(`/editions/${id}`)).headers.get("etag")!;
    gateway.service.answers.clear();
    expect((await get(`/editions/${id}`, { "if-none-match": tag })).status).toBe(304);
    expect((await get(`/editions/${id}`)).headers.get("x-cache")).toBe("hit");
  });

  test("`If-None-Match: *` on a change is no 304, and the change is not made when it does not hold", async () => {
    const { status } = await gateway.http("PATCH", `/api/v1/editions/${id}`, {
      token: admin,
      body: { title: "Second" },
      headers: { "if-none-match": "*" },
    });
    expect([status, gateway.editions.get(id)!.title]).toEqual([412, "First"]);
  });

  test("a change may name the tag of any encoding", async () => {
    gateway.editions.set(id, { ...gateway.editions.get(id)!, text: "x".repeat(3_000) });
    const { headers } = await gateway.http("GET", `/api/v1/editions/${id}`, { headers: { "accept-encoding": "br" } });
    const tag = headers.get("etag")!;
    expect(tag).toMatch(/-br"$/);
    const change = (match: string) =>
      gateway.http("PATCH", `/api/v1/editions/${id}`, {
        token: admin,
        body: { title: "Second" },
        headers: { "if-match": match },
      });
    expect((await change(tag.replace("-br", "-zz"))).status).toBe(412);
    expect((await change(tag)).status).toBe(200);
    expect((await change(tag)).status).toBe(412);
  });
});

describe("compression", () => {
  const bytesOf = async (encoding: string, more = "", query = "") => {
    const text = await raw(
      gateway.port,
      `GET /api/v1/editions/${id}${query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAccept-Encoding: ${encoding}\r\n${more}\r\n`,
    );
    const at = text.indexOf("\r\n\r\n");
    return { head: text.slice(0, at), body: Buffer.from(text.slice(at + 4), "latin1") };
  };
  const tagIn = (head: string) => /ETag: (.*)\r/.exec(head)![1]!;

  test.each([3_000, 50_000])(
    "of %i bytes by Accept-Encoding, once for all, with a tag for each encoding",
    async size => {
      gateway.editions.set(id, { ...gateway.editions.get(id)!, text: "ab".repeat(size / 2) });
      for (const _round of ["miss", "hit", "hit"]) {
        const plain = await bytesOf("identity");
        const br = await bytesOf("gzip;q=0.5, br");
        const gzip = await bytesOf("gzip");
        expect(plain.head).not.toContain("Content-Encoding");
        expect(br.head).toContain("Content-Encoding: br\r\n");
        expect(gzip.head).toContain("Content-Encoding: gzip\r\n");
        expect(br.body.length).toBeLessThan(size / 10);
        expect(brotliDecompressSync(br.body).equals(plain.body)).toBe(true);
        expect(gunzipSync(gzip.body).equals(plain.body)).toBe(true);
        const tags = [plain, br, gzip].map(({ head }) => tagIn(head));
        expect(tags).toEqual([tags[0], tags[0]!.replace(/"$/, '-br"'), tags[0]!.replace(/"$/, '-gzip"')]);
        // A cache lists the tags of all its copies: the answer names the one that this client gets.
        for (const [i, encoding] of ["identity", "br", "gzip"].entries()) {
          const unchanged = await bytesOf(encoding, `If-None-Match: ${tags.join(", ")}\r\n`);
          expect([unchanged.head.slice(9, 12), unchanged.body.length]).toEqual(["304", 0]);
          expect([tagIn(unchanged.head), unchanged.head.includes("Content-Encoding")]).toEqual([tags[i], false]);
          // No response with an unknown field is kept: this one passes the pipeline.
          const made = await bytesOf(encoding, `If-None-Match: ${tags.join(", ")}\r\n`, "?_=1");
          expect([made.head.slice(9, 12), tagIn(made.head)]).toEqual(["304", tags[i]]);
          const others = tags.filter(tag => tag !== tags[i]);
          expect((await bytesOf(encoding, `If-None-Match: ${others.join(", ")}\r\n`)).head).toMatch(/^HTTP\/1.1 200/);
        }
      }
      expect(asked()).toBe(1);
    },
  );

  test("not of short answers, nor for HEAD, which still tells the encoding", async () => {
    expect((await bytesOf("br")).head).not.toContain("Content-Encoding");
    gateway.service.answers.clear();
    gateway.editions.set(id, { ...gateway.editions.get(id)!, text: "x".repeat(3_000) });
    for (const _round of ["miss", "hit"]) {
      const head = await raw(
        gateway.port,
        `HEAD /api/v1/editions/${id} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAccept-Encoding: br\r\n\r\n`,
      );
      expect(head).toContain("Content-Encoding: br\r\n");
      expect(head).toContain('-br"\r\n');
      expect(head).not.toContain("Content-Length");
      expect(head).toMatch(/\r\n\r\n$/);
    }
  });

  test("of private reads, but of no answer to a POST: it may have a secret beside text of the request", async () => {
    const token = await gateway.token(newId());
    const own = await gateway.http("GET", "/api/v1/notes?size=5000", { token, headers: { "accept-encoding": "br" } });
    expect([own.headers.get("content-encoding"), own.headers.get("cache-control")]).toEqual([
      "br",
      "private, no-store",
    ]);
    expect(own.json.text).toHaveLength(5_000);
    const posted = await gateway.http("POST", "/api/v1/auth/tokens", {
      body: { name: "x".repeat(3_000) },
      headers: { "accept-encoding": "br" },
    });
    expect([posted.status, posted.headers.get("content-encoding")]).toEqual([200, null]);
  });
});

describe("cache poisoning (OWASP API8): the shared entry is the same for everybody", () => {
  test.each([
    { "x-forwarded-host": "evil.example" },
    { "x-original-url": "/api/v1/notes" },
    { "x-rewrite-url": "/api/v1/notes" },
    { "x-forwarded-scheme": "nothttps" },
    { forwarded: "host=evil.example" },
    { host: "evil.example" },
    { origin: ORIGIN },
    { origin: "https://evil.example" },
    { accept: "text/evil" },
    { "accept-encoding": "br;q=1, evil" },
    { "if-none-match": "*" },
    { range: "bytes=0-1" },
    { cookie: "session=evil" },
    { authorization: "Bearer evil" },
    { "x-http-method-override": "DELETE" },
  ])("%j", async poison => {
    gateway.editions.set(id, { ...gateway.editions.get(id)!, text: "x".repeat(2_000) });
    await get(`/editions/${id}`, poison);
    await get(`/editions/${id}`, poison);
    const { status, headers, json, text } = await get(`/editions/${id}`);
    expect([status, json]).toEqual([200, gateway.editions.get(id)]);
    expect(text + JSON.stringify([...headers])).not.toContain("evil");
    expect(headers.get("access-control-allow-origin")).toBeNull();
    expect(headers.get("content-encoding")).toBeNull();
  });

  test("paths in another case, with a slash or encoded, are not its key", async () => {
    await get(`/editions/${id}`);
    for (const path of [`/Editions/${id}`, `/editions/${id}/`, `/editions/${id}%2f`, `//editions/${id}`])
      expect([path, (await get(path)).status >= 400]).toEqual([path, true]);
    expect((await get(`/editions/${id}`)).headers.get("x-cache")).toBe("hit");
  });

  test("targets of strangers fill no memory", async () => {
    await get(`/editions/${id}`);
    const { bytes } = gateway.service.responses;
    for (let i = 0; i < 50; i++) await get(`/editions/${id}?x=${i}`);
    await get(`/editions/${id}`, { accept: `text/${"x".repeat(limits.cacheKeyCharsMax)}` });
    expect([gateway.service.responses.bytes, asked()]).toEqual([bytes, 1]);
  });
});

test("hits, misses, fills and invalidations are in /metrics, and hits count as requests of their route", async () => {
  const count = async (name: string) => {
    const { text } = await gateway.http("GET", "/metrics", { token: admin });
    return Number(new RegExp(`^${name.replace(/[{}"/:=,]/g, String.raw`\$&`)} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
  };
  const route = 'valence_http_requests_total{method="GET",route="/api/v1/editions/:id",status="200"}';
  const names = ["hits", "misses", "fills", "invalidations"].map(name => `valence_http_cache_${name}_total`);
  const before = await Promise.all([...names, route].map(count));
  for (let i = 0; i < 3; i++) await get(`/editions/${id}`);
  await tell([`edition:${id}`]);
  const after = await Promise.all([...names, route].map(count));
  expect(after.map((n, i) => n - before[i]!)).toEqual([2, 1, 1, 1, 3]);
});
