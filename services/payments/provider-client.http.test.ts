import { afterEach, expect, test } from "@jest/globals";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { bundledCompany, formCompany } from "./companies.fixture.ts";
import { ProviderClient } from "./provider-client.ts";
import { PATIENT_MS, paymentProviderConformance } from "./provider.conformance.ts";

paymentProviderConformance("as the bundled one", bundledCompany);
paymentProviderConformance("of another kind, by forms", formCompany);

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise(resolve => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
});

/** A client of a provider that gives these answers. */
async function clientOf(listener: RequestListener): Promise<ProviderClient> {
  server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return new ProviderClient({ url: async () => `http://127.0.0.1:${port}`, deadlineMs: PATIENT_MS });
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

test.each([
  [402, "unknown"],
  [404, "misconfigured"],
  [405, "misconfigured"],
  [408, "unknown"],
  [409, "unknown"],
  [410, "unknown"],
  [415, "misconfigured"],
  [422, "misconfigured"],
  [425, "unknown"],
  [451, "misconfigured"],
  [503, "unknown"],
])("a status %i whose body says nothing is %s, and never an outcome", async (code, status) => {
  for (const body of ["", {}, { error: "in progress" }, "null", "[]", "<html>"]) {
    expect(await authorize(await answering(code, body))).toMatchObject({ status });
    server!.closeAllConnections();
    await new Promise(resolve => server!.close(resolve));
    server = undefined;
  }
});

test("a bundled provider of the release before says what stands in the way as its error", async () => {
  expect(await authorize(await answering(409, { error: "voided" }))).toEqual({ status: "voided" });
});

test("the outcome is unknown when the port is closed", async () => {
  const client = await answering(201, {});
  server!.close();
  server!.closeAllConnections();
  server = undefined;
  expect(await authorize(client)).toMatchObject({ status: "unknown" });
});
