// Attacks on the running shop by the bytes of HTTP: what one reader takes for one request, another for two; paths, headers
// and bodies that mean more than they say; senders that are slow. Each fails, and other clients are served meanwhile.
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { WireClient, type Received } from "@valence/runtime/testing";
import { newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { Shop } from "../support/shop.ts";

const ADMIN = { email: "root@example.org", password: "correct horse battery" };
const api = "/api/v1";

let databases: Databases;
let shop: Shop;
let client: WireClient;
let port: number;
let admin: string;
let product: { id: string };

beforeAll(async () => {
  databases = await newDatabases();
  shop = await Shop.start({ ...databases.env, ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password });
  client = new WireClient(shop.url);
  port = Number(new URL(shop.url).port);
  admin = await shop.login(ADMIN.email, ADMIN.password);
  [product] = (await shop.request("GET", `${api}/products?pageSize=1`)).body.rows;
}, 120_000);
afterAll(async () => {
  client?.close();
  await shop?.stop();
  await databases.remove();
});

const get = (path: string, headers = {}): Promise<Received> => client.send({ method: "GET", path, headers });

/** Sends bytes and answers every byte that comes back, until the other side closes or is silent for a while. */
function raw(bytes: string, quietMs = 800): Promise<{ text: string; closed: boolean }> {
  return new Promise(resolve => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setTimeout(quietMs, () => {
      resolve({ text, closed: false });
      socket.destroy();
    });
    socket.on("data", chunk => (text += chunk.toString("latin1")));
    socket.on("error", () => {});
    socket.on("close", () => resolve({ text, closed: true }));
    socket.write(bytes, "latin1");
  });
}
const answersIn = (text: string): number => text.match(/HTTP\/1\.1 \d{3}/g)?.length ?? 0;

describe("smuggling", () => {
  const inner = `GET ${api}/ops/nodes HTTP/1.1\r\nHost: a\r\n\r\n`;
  const post = `POST ${api}/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n`;
  test.each([
    ["a length and chunks", `${post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`],
    ["two lengths", `${post}Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}${inner}`],
    ["a length with a sign", `${post}Content-Length: +4\r\n\r\n{}  ${inner}`],
    ["chunks twice", `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`],
    ["chunks and identity", `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${inner}`],
    ["an unknown coding", `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${inner}`],
    ["a blank before the colon", `${post}Content-Length : 2\r\n\r\n{}${inner}`],
    ["a folded line", `${post}X-A: 1\r\n Content-Length: 2\r\n\r\n${inner}`],
    ["a bare line feed", `GET /health/live HTTP/1.1\nHost: a\n\n${inner}`],
    ["a bare carriage return", `GET /health/live HTTP/1.1\r\nHost: a\rX: b\r\n\r\n${inner}`],
    ["a NUL", `GET /health/live HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n${inner}`],
    ["two hosts", `GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n${inner}`],
    ["a preface of HTTP/2", `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${inner}`],
  ])("%s: one refusal, and the connection closes", async (_what, bytes) => {
    const { text, closed } = await raw(bytes);
    expect([answersIn(text), closed]).toEqual([1, true]);
    expect(text).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(text).not.toContain("nodes");
  });
});

describe("paths and headers", () => {
  test.each([
    "/..",
    `${api}/../ops/nodes`,
    `${api}/%2e%2e/ops`,
    `${api}/..%2fops`,
    `${api}/products/%5c..%5c`,
    `${api}/products/%00`,
    `//evil.example${api}/products`,
    `${api}/products/..;/ops`,
    `${api}/products/%c0%ae%c0%ae/`,
    "/%",
  ])("%s leads nowhere", async path => expect([400, 404, 422]).toContain((await get(path)).status));

  test("input that reaches a header makes no second one", async () => {
    for (const path of [`${api}/products?q=%0d%0aSet-Cookie:x=1&pageSize=1`, `${api}/products?cursor=%0d%0aX:y`]) {
      const { headers } = await get(path, { "X-Request-ID": "abc\tdef-12345" });
      expect(headers["set-cookie"]).toBeUndefined();
      expect(headers["x-request-id"]).toMatch(/^[\w-]{8,64}$/);
    }
  });

  test("nothing of a query becomes a prototype", async () => {
    for (const query of ["__proto__[x]=1", "constructor[prototype][x]=1", "__proto__=1", "q[__proto__][x]=1"])
      expect([200, 400, 422]).toContain((await get(`${api}/products?${query}&pageSize=1`)).status);
    expect((await get(`${api}/products?pageSize=1`)).json.rows[0].x).toBeUndefined();
  });

  test("what is public is the same for the next visitor, whatever the first one sent", async () => {
    const path = `${api}/products/${product.id}`;
    const clean = await get(path);
    for (const headers of [
      { "X-Forwarded-Host": "evil.example" },
      { "X-Original-URL": "/ops" },
      { "X-Rewrite-URL": "/ops" },
      { Origin: "https://evil.example" },
      { "Accept-Language": "xx" },
      { Accept: "application/json;q=0.1" },
    ])
      await get(path, headers);
    for (const query of ["?utm_source=evil", "?cb=1", "?x=%3Cscript%3E"]) await get(path + query);
    await get(path.toUpperCase());
    const after = await get(path);
    expect([after.status, after.text]).toEqual([200, clean.text]);
    expect(JSON.stringify(after.headers)).not.toContain("evil");
    const { status } = await client.send({
      method: "POST",
      path: `${api}/auth/login`,
      headers: { "If-None-Match": "*", "Content-Type": "application/json" },
      body: "{}",
    });
    expect(status).not.toBe(304);
  });

  test("a form of another site is no JSON, and no answer leads to another site", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
      const headers = { Authorization: `Bearer ${admin}`, "Content-Type": type };
      const body = '{"quantity":1}';
      const path = `${api}/cart/items/${product.id}`;
      expect((await client.send({ method: "PUT", path, headers, body })).status).toBe(415);
    }
    for (const path of [`${api}/products?next=//evil.example`, "/?next=https://evil.example", "//evil.example"])
      expect((await get(path)).headers["location"]).toBeUndefined();
  });
});

describe("bodies and sizes", () => {
  test("50 kB that inflate to 50 MB are refused, and the memory stays", async () => {
    const bomb = gzipSync(Buffer.alloc(50e6));
    const headers = { "Content-Type": "application/json", "Content-Encoding": "gzip" };
    for (const encoding of ["gzip", "br", "deflate", "zstd"]) {
      const sent = { ...headers, "Content-Encoding": encoding };
      const { status } = await client.send({ method: "POST", path: `${api}/auth/login`, headers: sent, body: bomb });
      expect([413, 415]).toContain(status);
    }
  });

  test("no text of 50,000 characters keeps the shop busy", async () => {
    const evil = `${"a".repeat(50_000)}!`;
    const headers = { "Content-Type": "application/json" };
    for (const body of [
      { email: evil, password: "x" },
      { email: `${"a.".repeat(25_000)}@${"b.".repeat(25_000)}`, password: "x" },
      { email: "a@example.org", password: evil },
    ]) {
      const began = performance.now();
      const sent = { method: "POST", path: `${api}/auth/login`, headers, body: JSON.stringify(body) };
      expect((await client.send(sent)).status).toBe(422);
      // A pattern that backtracks takes minutes; the machine is shared.
      expect(performance.now() - began).toBeLessThan(1_000);
    }
    for (const field of ["q", "sort", "cursor", "category"])
      expect([422, 414]).toContain((await get(`${api}/products?${field}=${"a".repeat(3_900)}!`)).status);
  });

  test.each([
    ["a header of 20 kB", `GET /health/live HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    ["a URL of 20 kB", `GET /${"x".repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431],
    ["a URL of 5 kB", `GET /${"x".repeat(5_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    ["1,002 fields", `GET /health/live HTTP/1.1\r\nHost: a\r\n${"a: b\r\n".repeat(1_002)}\r\n`, 431],
    [
      "an extension of 20 kB",
      `POST ${api}/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2;${"x".repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
      413,
    ],
  ])("%s is refused", async (_what, bytes, status) => {
    expect((await raw(bytes)).text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});

describe("slow senders", () => {
  const open = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(socket));
      socket.once("error", reject);
    });

  test("a thousand silent connections and dripping headers take no place from others", async () => {
    const silent = await Promise.all(Array.from({ length: 1_000 }, open));
    const drips = await Promise.all(Array.from({ length: 50 }, open));
    for (const socket of drips) socket.write(`GET ${api}/products HTTP/1.1\r\nHost: a\r\nX-A: `);
    const drip = setInterval(() => drips.forEach(socket => socket.writable && socket.write("a")), 200);
    try {
      const times: number[] = [];
      for (let n = 0; n < 20; n++) {
        const began = performance.now();
        expect((await get(`${api}/products?pageSize=1`)).status).toBe(200);
        times.push(performance.now() - began);
      }
      expect(times.sort((a, b) => a - b)[10]).toBeLessThan(250);
    } finally {
      clearInterval(drip);
      for (const socket of [...silent, ...drips]) socket.destroy();
    }
  }, 60_000);

  test("a body that drips is cut, and so is a client that does not read 16 MB of answers", async () => {
    const dripping = await open();
    let answer = "";
    dripping.on("data", chunk => (answer += chunk.toString()));
    dripping.write(
      `POST ${api}/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n{`,
    );
    const drip = setInterval(() => dripping.writable && dripping.write(" "), 500);
    const deaf = await open();
    deaf.pause();
    deaf.write(`GET ${api}/products?pageSize=100 HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(1_000));
    const closed = (socket: Socket): Promise<void> =>
      new Promise(resolve => (socket.destroyed ? resolve() : socket.once("close", () => resolve())));
    await closed(dripping);
    clearInterval(drip);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    // A socket that is not read does not tell that it was closed: a write does.
    const poke = setInterval(() => deaf.write("x"), 500);
    deaf.on("error", () => {});
    await closed(deaf);
    clearInterval(poke);
    expect((await get("/health/ready")).status).toBe(200);
  }, 90_000);
});

test("after all that the shop has logged no error", () => {
  expect(shop.child.output).not.toMatch(/ERROR|unhandled/i);
});
