// INTERNAL_ROUTES=internal: routes for operators are on HEALTH_PORT and not on the public one.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import Type from "typebox";
import { defineContract } from "../contract/index.ts";
import { newId, readEnvironment } from "../kernel/index.ts";
import { freePort } from "../testing/servers.ts";
import { gatewayEnvironment } from "./environment.ts";
import { raw, startGateway, type RunningGateway } from "./gateway.fixture.ts";
import { looseRoute } from "./library.fixture.ts";
import { Gateway } from "./mixin.ts";

const shelves = defineContract({
  service: "shelves",
  actions: {
    list: { params: {}, returns: Type.Object({ rows: Type.Array(Type.String()) }) },
    repair: { params: {}, returns: Type.Object({ repaired: Type.Integer() }) },
  },
  permissions: { repair: "shelves:write" },
});
const routes = [
  looseRoute("GET /shelves", "shelves.list", { summary: "The shelves", access: "public", params: () => ({}) }),
  looseRoute("POST /ops/shelves/repair", "shelves.repair", { summary: "Repair", access: "admin", params: () => ({}) }),
];

let gateway: RunningGateway;
let internal: string;
let admin: string;
let reader: string;
beforeAll(async () => {
  const port = await freePort();
  internal = `http://127.0.0.1:${port}`;
  gateway = await startGateway(
    signer => ({
      contracts: [
        shelves,
        defineContract({ service: "accounts", actions: { jwks: { params: {}, returns: Type.Any() } } }),
      ],
      services: [Gateway({ api: { name: "Shelves API" }, routes })],
      roles: ["reader"],
      answers: {
        "shelves.list": () => ({ rows: [] }),
        "shelves.repair": () => ({ repaired: 1 }),
        "accounts.jwks": () => ({ keys: [signer.jwk] }),
      },
    }),
    { HEALTH_PORT: `${port}`, INTERNAL_ROUTES: "internal", PUBLIC_URL: "https://shelves.example" },
  );
  admin = await gateway.token(newId(), ["admin"]);
  reader = await gateway.token(newId());
});
afterAll(() => gateway.stop());

const asked = async (origin: string, line: string, token?: string) => {
  const [method, path] = line.split(" ") as [string, string];
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(origin + path, { method, headers });
  return { status: response.status, text: await response.text() };
};
const statusOf = async (origin: string, line: string, token?: string) => (await asked(origin, line, token)).status;

test("the public port has no routes for operators, whoever asks", async () => {
  for (const line of [
    "GET /metrics",
    "POST /api/v1/ops/shelves/repair",
    "GET /api/v1/ops/shelves/repair",
    "GET /api/v1/ops/",
  ])
    expect([line, await statusOf(gateway.url, line, admin)]).toEqual([line, 404]);
  expect(await statusOf(gateway.url, "GET /api/v1/shelves")).toBe(200);
});

test("the internal port has them, for the same users, beside the health of the process", async () => {
  expect(await statusOf(internal, "POST /api/v1/ops/shelves/repair")).toBe(401);
  expect(await statusOf(internal, "POST /api/v1/ops/shelves/repair", reader)).toBe(403);
  expect(await statusOf(internal, "GET /api/v1/ops/shelves/repair", admin)).toBe(405);
  expect(await asked(internal, "POST /api/v1/ops/shelves/repair", admin)).toEqual({
    status: 200,
    text: '{"repaired":1}',
  });
  expect(await statusOf(internal, "GET /metrics")).toBe(401);
  expect((await asked(internal, "GET /metrics", admin)).text).toContain("process_resident_memory_bytes");
  expect(await statusOf(internal, "GET /health/ready")).toBe(200);
  for (const line of ["GET /api/v1/shelves", "GET /docs"])
    expect([line, await statusOf(internal, line, admin)]).toEqual([line, 404]);
});

test("the internal port is guarded as the public one is", async () => {
  const { port } = new URL(internal);
  const begin = "POST /api/v1/ops/shelves/repair HTTP/1.1\r\nHost: a\r\n";
  expect(await raw(Number(port), `${begin}Host: b\r\n\r\n`)).toMatch(/^HTTP\/1.1 400 [^]*bad-host/);
  // An operation that was read whole is answered, whatever follows it.
  expect(await raw(Number(port), `${begin}Authorization: Bearer ${admin}\r\n\r\nx\r\n`)).toMatch(/^HTTP\/1.1 200 /);
});

test("each port describes the routes that it has", async () => {
  const described = async (origin: string) => JSON.parse((await asked(origin, "GET /openapi.json", admin)).text);
  const [open, operators] = [await described(gateway.url), await described(internal)];
  expect([Object.keys(open.paths), open.servers]).toEqual([["/api/v1/shelves"], [{ url: "https://shelves.example" }]]);
  expect([Object.keys(operators.paths), operators.servers]).toEqual([["/api/v1/ops/shelves/repair"], [{ url: "/" }]]);
});

test("without HEALTH_PORT they would be nowhere: the start refuses", () => {
  expect(() => gatewayEnvironment.of(readEnvironment({ INTERNAL_ROUTES: "internal" }))).toThrow(
    'INTERNAL_ROUTES="internal": expected HEALTH_PORT, on which they are served',
  );
});
