import { afterEach, expect, test } from "@jest/globals";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { Bug, Unavailable } from "../../mixins/kernel/index.ts";
import { limits, ProviderClient } from "./provider-client.ts";

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise(resolve => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
});

/** A client of a provider that answers so. */
async function clientOf(listener: RequestListener, deadlineMs = 1_000): Promise<ProviderClient> {
  server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return new ProviderClient({ url: async () => `http://127.0.0.1:${port}`, deadlineMs });
}
const answering = (status: number, body: unknown): Promise<ProviderClient> =>
  clientOf((_request, response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  });

const asked = { amount: { amount: 100, currency: "EUR" }, token: "tok_ok" };
const authorize = (client: ProviderClient) => client.authorize("order-1", asked);

test("sends the payment's id as idempotency key", async () => {
  const seen: unknown[] = [];
  const client = await clientOf((request, response) => {
    void json(request).then(body => {
      seen.push(request.url, request.headers["idempotency-key"], body);
      response.writeHead(201).end(JSON.stringify({ status: "authorized", authorizationId: "auth_1", extra: true }));
    });
  });
  expect(await authorize(client)).toEqual({ status: "authorized", authorizationId: "auth_1" });
  expect(seen).toEqual(["/authorizations", "order-1", { amount: 100, currency: "EUR", token: "tok_ok" }]);
});

test("402 is a decline, 404 unknown, 409 and 410 what stands in the way", async () => {
  expect(await authorize(await answering(402, {}))).toEqual({ status: "declined" });
  server?.close();
  expect(await (await answering(404, {})).capture("a")).toEqual({ status: "unknown" });
  server?.close();
  for (const status of [409, 410]) {
    const client = await answering(status, {});
    expect(await authorize(client)).toEqual({ status: "voided" });
    expect(await client.capture("a")).toEqual({ status: "voided" });
    expect(await client.void("a")).toEqual({ status: "captured" });
    server?.close();
  }
});

const unknownOutcome = { type: "PROVIDER_UNAVAILABLE", retryable: true, data: { outcome: "unknown" } };
test.each<[string, () => Promise<ProviderClient>]>([
  ["5xx", () => answering(503, {})],
  ["a status nobody agreed on", () => answering(302, {})],
  ["too many requests", () => answering(429, {})],
  ["no JSON", () => answering(201, "<html>")],
  ["another shape", () => answering(201, { status: "maybe" })],
  ["null", () => answering(201, "null")],
  [
    "an answer past the bound",
    () => answering(201, { status: "authorized", authorizationId: "a", padding: "x".repeat(limits.answerBytes) }),
  ],
  ["a lost connection", () => clientOf((_request, response) => void response.destroy())],
  ["no answer in time", () => clientOf(() => {}, 50)],
  [
    "an answer that stops half-way",
    () => clientOf((_request, response) => void response.writeHead(201).write('{"status"'), 50),
  ],
  ["a redirect", () => clientOf((_request, response) => void response.writeHead(307, { location: "/" }).end())],
])("the outcome is unknown after %s", async (_what, client) => {
  const failed = authorize(await client());
  await expect(failed).rejects.toBeInstanceOf(Unavailable);
  await expect(failed).rejects.toMatchObject(unknownOutcome);
});

test("the outcome is unknown when nobody listens", async () => {
  const client = await answering(201, {});
  server!.close();
  server!.closeAllConnections();
  server = undefined;
  await expect(authorize(client)).rejects.toMatchObject(unknownOutcome);
});

test("a key that is used with another amount is our own mistake", async () =>
  expect(authorize(await answering(422, {}))).rejects.toBeInstanceOf(Bug));
