// Requests to a real receiver: what is followed, waited for and connected to.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { limits } from "./limits.ts";
import { Networks } from "./networks.ts";
import { Poster, retryAfterOf } from "./post.ts";
import { Receiver } from "./receiver.fixture.ts";

const poster = new Poster(new Networks(["127.0.0.0/8", "::1/128"]));
let receiver: Receiver;
beforeEach(async () => void (receiver = await Receiver.start()));
afterEach(() => receiver.stop());

const post = (url = receiver.url, by = poster, withinMs = 10_000) =>
  by.post({ url, headers: { "webhook-id": "1" }, body: '{"ä":1}', withinMs });

test("the body arrives as it is, and a 2xx is all that counts", async () => {
  receiver.answer = (_got, response) => void response.writeHead(202).end("thanks");
  expect(await post()).toEqual({ status: 202, ms: expect.any(Number) });
  expect(receiver.got).toMatchObject([{ body: '{"ä":1}', headers: { "webhook-id": "1", "content-length": "8" } }]);
});

test.each([301, 302, 307, 308])("a redirect is not followed: %s", async status => {
  receiver.answer = (_got, response) => void response.writeHead(status, { location: `${receiver.url}/other` }).end();
  expect(await post()).toMatchObject({ status, reason: `HTTP ${status}: redirects are not followed` });
  expect(receiver.at("/other")).toEqual([]);
});

test("a receiver that says nothing is given up in time", async () => {
  receiver.answer = () => {};
  expect(await post(receiver.url, poster, 100)).toMatchObject({ reason: "no answer within 100 ms" });
});

test("an answer without an end counts by its status, and is not read for ever", async () => {
  const ended = Promise.withResolvers<void>();
  receiver.answer = (_got, response) => {
    response.on("close", () => ended.resolve());
    response.writeHead(200);
    const more = (): void => void response.write("x".repeat(limits.answerBytes), more);
    more();
  };
  expect(await post()).toMatchObject({ status: 200 });
  await ended.promise;
});

test("an answer that trickles without an end is a 2xx, and its connection does not outlive the request", async () => {
  const ended = Promise.withResolvers<void>();
  receiver.answer = (_got, response) => {
    response.on("close", () => ended.resolve());
    response.writeHead(200).write("x");
  };
  expect(await post(receiver.url, poster, 60_000)).toMatchObject({ status: 200 });
  await ended.promise;
});

test("a receiver that changes the protocol has not taken the event", async () => {
  receiver.answer = (_got, response) =>
    void response.writeHead(101, { connection: "upgrade", upgrade: "websocket" }).end();
  expect(await post()).toMatchObject({ status: 101, reason: "HTTP 101" });
});

test("a name, or an address, of a network that is not allowed is not connected to", async () => {
  const strict = new Poster(new Networks());
  const { port } = new URL(receiver.url);
  for (const url of [receiver.url, `http://localhost:${port}`, `https://localhost:${port}`, `https://[::1]:${port}`])
    expect((await post(url, strict)).reason).toContain("is not at a public address");
  expect(receiver.got).toEqual([]);
  // The same name is connected to where its network is allowed.
  expect(await post(`http://localhost:${port}/named`)).toMatchObject({ status: 204 });
});

test("a receiver that is away, or a certificate that nobody has signed, is a reason", async () => {
  const { port } = new URL(receiver.url);
  expect((await post(`https://127.0.0.1:${port}`)).reason).toMatch(/SSL|TLS|EPROTO|wrong version/i);
  await receiver.stop();
  expect((await post(`http://127.0.0.1:${port}`)).reason).toContain("ECONNREFUSED");
  receiver = await Receiver.start();
});

test("Retry-After is seconds or a date, and no longer than a day", () => {
  const now = Date.parse("2026-11-30T10:00:00Z");
  expect(retryAfterOf("120", now)).toBe(120_000);
  expect(retryAfterOf("Mon, 30 Nov 2026 10:01:00 GMT", now)).toBe(60_000);
  expect(retryAfterOf("Mon, 30 Nov 2026 09:00:00 GMT", now)).toBe(0);
  expect(retryAfterOf("999999999", now)).toBe(limits.retryAfterMsMax);
  expect(["soon", undefined].map(text => retryAfterOf(text, now))).toEqual([undefined, undefined]);
});
