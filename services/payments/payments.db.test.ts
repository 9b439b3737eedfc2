import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { newId } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { startBroker, type TestBroker } from "@valence/runtime/testing/broker";
import payments from "./payments.service.ts";
import { startProvider, type LedgerEntry, type Provider } from "./provider/provider.ts";
import paymentProvider from "./provider/provider.service.ts";

const amount = { amount: 2_500, currency: "EUR" };
/** Outcomes of tok_flaky, in order; after these every request succeeds. */
const fates: number[] = [];
const LOST_AFTER_WRITING = 0.4;
const LOST_BEFORE_WRITING = 0.2;

let folder: string;
let provider: Provider;
let shop: TestBroker;
let id: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "payments-"));
  const filename = join(folder, "ledger.sqlite");
  provider = await startProvider({ filename, slowMs: 600, random: () => fates.shift() ?? 1 });
  shop = await startBroker([payments], { PAYMENT_PROVIDER_URL: provider.url });
});
afterAll(async () => {
  await shop.stop();
  await provider.close();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  id = newId();
  fates.length = 0;
});

const authorize = (token: string, commandId = `saga:${id}/authorize/1`, timeoutMs = 5_000) =>
  shop.call("payments.authorize", { id, amount, token }, { commandId, timeoutMs });
const capture = (commandId = `saga:${id}/capture/1`) => shop.call("payments.capture", { id }, { commandId });
const voidIt = (commandId = `saga:${id}/authorize/1/undo`) =>
  shop.call("payments.void", { id, amount, token: "tok_ok" }, { commandId });
const status = async () => (await shop.call("payments.get", { id, consistent: true })).state.status;
const types = async () =>
  (await shop.call("payments.history", { id })).events.map(({ type }) => type.slice("payment.".length));
async function inLedger(): Promise<Partial<LedgerEntry> | undefined> {
  const response = await fetch(`${provider.url}/ledger`);
  return ((await response.json()) as { entries: LedgerEntry[] }).entries.find(({ key }) => key === id);
}

test("authorizes and captures", async () => {
  expect(await authorize("tok_ok")).toEqual({ paymentId: id, status: "authorized" });
  expect(await capture()).toEqual({ paymentId: id, status: "captured" });
  expect(await types()).toEqual(["requested", "authorized", "capture_requested", "captured"]);
  expect(await inLedger()).toMatchObject({ authorized: 2_500, captured: 2_500 });
  // The saga sends its calls once more when the log of orders was put back.
  expect(await authorize("tok_ok")).toEqual({ paymentId: id, status: "captured" });
});

test("P3 repeated, an authorization and a capture are the same ones", async () => {
  const first = await authorize("tok_ok");
  expect(await authorize("tok_ok")).toEqual(first);
  const second = await capture();
  expect(await capture()).toEqual(second);
  expect(await capture(`saga:${id}/capture/2`)).toEqual(second);
  expect(await types()).toHaveLength(4);
});

test("a declined payment is refused, again at every repetition and every new attempt", async () => {
  for (const attempt of [1, 1, 2])
    await expect(authorize("tok_declined", `saga:${id}/authorize/${attempt}`)).rejects.toMatchObject({
      type: "PAYMENT_DECLINED",
      retryable: false,
    });
  expect(await types()).toEqual(["requested", "declined"]);
  expect(await inLedger()).toMatchObject({ authorized: 0, declined: 2_500 });
});

test("an authorization whose answer was lost is looked up by its key", async () => {
  fates.push(LOST_AFTER_WRITING);
  expect(await authorize("tok_flaky")).toMatchObject({ status: "authorized" });
  expect(await inLedger()).toMatchObject({ authorized: 2_500 });
});

test("an authorization that was lost on its way is made by a repetition", async () => {
  fates.push(LOST_BEFORE_WRITING);
  await expect(authorize("tok_flaky")).rejects.toMatchObject({
    type: "PROVIDER_UNAVAILABLE",
    data: { outcome: "unknown" },
  });
  expect(await status()).toBe("requested");
  expect(await authorize("tok_flaky")).toMatchObject({ status: "authorized" });
  expect(await inLedger()).toMatchObject({ authorized: 2_500 });
});

test("a void takes an authorization back; nothing is left to capture", async () => {
  await authorize("tok_ok");
  expect(await voidIt()).toEqual({ paymentId: id, status: "voided" });
  expect(await voidIt()).toEqual({ paymentId: id, status: "voided" });
  await expect(capture()).rejects.toMatchObject({ type: "PAYMENT_VOIDED" });
  expect(await inLedger()).toMatchObject({ voided: 2_500, captured: 0 });
});

test("a void that overtakes its authorization stops it at the provider", async () => {
  const slow = authorize("tok_slow");
  await until("the request is recorded", async () => (await status()) === "requested");
  expect(await voidIt()).toMatchObject({ status: "voided" });
  await expect(slow).rejects.toMatchObject({ type: "PAYMENT_VOIDED" });
  expect(await inLedger()).toMatchObject({ authorized: 0, captured: 0 });
});

test("a void before anything was asked for refuses the request, also the one that is under way", async () => {
  expect(await voidIt()).toMatchObject({ status: "voided" });
  await expect(authorize("tok_ok")).rejects.toMatchObject({ type: "PAYMENT_VOIDED" });
  expect(await inLedger()).toMatchObject({ authorized: 0 });
});

test("abandoned before it arrives, an authorization does not ask the provider", async () => {
  await shop.call("payments.abandon", { id, commandId: `saga:${id}/authorize/1` });
  await expect(authorize("tok_ok")).rejects.toMatchObject({ type: "ABANDONED" });
  expect(await inLedger()).toBeUndefined();
});

test("an authorization that is recorded after its void is voided again, by itself", async () => {
  await shop.call("payments.request", { id, amount, token: "tok_ok" });
  await voidIt();
  await shop.call("payments.recordAuthorized", { id, authorizationId: "auth_late" });
  await until("it is voided again", async () => (await types()).length === 5);
  expect(await types()).toEqual(["requested", "void_requested", "voided", "authorized_late", "voided"]);
});

test("a captured payment is not voided", async () => {
  await authorize("tok_ok");
  await capture();
  await expect(voidIt()).rejects.toMatchObject({ type: "PAYMENT_CAPTURED" });
  expect(await inLedger()).toMatchObject({ captured: 2_500, voided: 0 });
});

test("no person moves money", async () => {
  const meta = { user: { id: newId(), roles: ["customer", "admin"] } };
  await expect(shop.call("payments.authorize", { id, amount, token: "tok_ok" }, { meta })).rejects.toMatchObject({
    type: "FORBIDDEN",
  });
  await expect(shop.call("payments.recordCaptured", { id }, { meta })).rejects.toMatchObject({ type: "FORBIDDEN" });
  expect(await types()).toEqual([]);
});

/** Forwards requests to the provider, and holds its answers to authorizations back until `release`. */
async function heldBack() {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { url, headers } = request;
    const key = headers["idempotency-key"] as string;
    const body = await buffer(request);
    const answer = await fetch(provider.url + url, { method: "POST", headers: { "idempotency-key": key }, body });
    const text = await answer.text();
    if (url === "/authorizations") await released;
    response.writeHead(answer.status, { "content-type": "application/json" }).end(text);
  };
  const server = createServer((request, response) => void pass(request, response));
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, release, close: () => server.close() };
}

test("a void between the provider's yes and its record: the authorization is not answered ok, and is voided again", async () => {
  const held = await heldBack();
  const late = await startBroker([payments], { PAYMENT_PROVIDER_URL: held.url });
  const eventsOf = async () => (await late.call("payments.history", { id })).events.map(({ type }) => type);
  try {
    const authorizing = late
      .call("payments.authorize", { id, amount, token: "tok_ok" })
      .catch((error: unknown) => error);
    await until("the provider has authorized", async () => (await inLedger())?.authorized === 2_500);
    expect(await late.call("payments.void", { id })).toEqual({ paymentId: id, status: "voided" });
    held.release();
    expect(await authorizing).toMatchObject({ type: "PAYMENT_VOIDED", retryable: false });
    await until("it is voided again", async () => (await eventsOf()).length === 5);
    expect((await eventsOf()).map(type => type.slice("payment.".length))).toEqual([
      "requested",
      "void_requested",
      "voided",
      "authorized_late",
      "voided",
    ]);
    expect(await inLedger()).toMatchObject({ authorized: 2_500, voided: 2_500, captured: 0 });
  } finally {
    held.release();
    await late.stop();
    held.close();
  }
});

test.each([
  ["404 of a proxy", 404, { message: "no route" }],
  ["it is authorized", 200, { status: "authorized", authorizationId: "auth_1" }],
])("a void that the provider does not confirm, but answers %s, is asked for again", async (_, code, body) => {
  let isDeaf = true;
  const server = createServer((request, response) => {
    const [status, said] = isDeaf ? [code, body] : [200, { status: "voided" }];
    request.resume().on("end", () => response.writeHead(status).end(JSON.stringify(said)));
  });
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const embedded = await startBroker([payments], { PAYMENT_PROVIDER_URL: `http://127.0.0.1:${port}` });
  try {
    const ask = () => embedded.call("payments.void", { id }, { commandId: `saga:${id}/authorize/1/undo` });
    await expect(ask()).rejects.toMatchObject({ type: "PROVIDER_UNAVAILABLE", data: { outcome: "unknown" } });
    expect((await embedded.call("payments.get", { id })).state.status).toBe("void_requested");
    isDeaf = false;
    expect(await ask()).toEqual({ paymentId: id, status: "voided" });
  } finally {
    await embedded.stop();
    server.close();
  }
});

describe("with the bundled provider", () => {
  test("payments find it, and it keeps its ledger beside the databases", async () => {
    const embedded = await startBroker([paymentProvider, payments]);
    try {
      expect(await embedded.call("payments.authorize", { id, amount, token: "tok_ok" })).toMatchObject({
        status: "authorized",
      });
      const { url } = await embedded.call("payment-provider.url", {});
      const { entries } = (await (await fetch(`${url}/ledger`)).json()) as { entries: LedgerEntry[] };
      expect(entries).toMatchObject([{ key: id, authorized: 2_500 }]);
    } finally {
      await embedded.stop();
    }
  });

  test("payments that are asked before it has started wait for it, all together", async () => {
    const embedded = await startBroker([payments]);
    try {
      const lines: string[] = [];
      for (const level of ["info", "warn"] as const)
        embedded.broker.logger[level] = (line: unknown) => void lines.push(String(line));
      const asked = Array.from({ length: 20 }, () =>
        embedded.call("payments.authorize", { id: newId(), amount, token: "tok_ok" }),
      );
      await new Promise(resolve => setTimeout(resolve, 200));
      embedded.broker.createService(paymentProvider);
      expect(new Set((await Promise.all(asked)).map(({ status }) => status))).toEqual(new Set(["authorized"]));
      expect(lines.filter(line => line.includes("payment-provider")).length).toBeLessThan(5);
    } finally {
      await embedded.stop();
    }
  });

  test("while it is away, payments are unavailable and nothing is lost", async () => {
    const embedded = await startBroker([payments], { REQUEST_TIMEOUT_MS: "3000" });
    try {
      await expect(embedded.call("payments.authorize", { id, amount, token: "tok_ok" })).rejects.toMatchObject({
        type: "PROVIDER_UNAVAILABLE",
        retryable: true,
      });
    } finally {
      await embedded.stop();
    }
  });
});
