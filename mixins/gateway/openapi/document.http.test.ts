// What the description says of callers: how they show who they are, the permission that they need, how often they may ask,
// and how long they wait.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../kernel/index.ts";
import { ApiDescription, until } from "../../testing/index.ts";
import { api, routes, SESSIONS, startLibrary, type Library } from "../library.fixture.ts";
import { SessionCookies } from "../auth/session-cookies.ts";
import { credentialsOf } from "./credentials.ts";
import { ApiDocuments } from "./document.ts";

const PERCENT = 50;
let gateway: Library;
let description: ApiDescription;
beforeAll(async () => {
  const env = { PUBLIC_URL: "https://library.example", RATE_LIMIT_PERCENT: `${PERCENT}` };
  gateway = await startLibrary({}, [], env, api);
  const token = await gateway.token(newId(), ["reader", "admin"]);
  description = new ApiDescription((await gateway.http("GET", "/openapi.json", { token })).json);
});
afterAll(() => gateway?.stop());

const operation = (line: string, of = description): any => {
  const [method, path] = line.split(" ") as [string, string];
  return of.resolved(of.operation(method, path));
};
const parametersOf = (line: string): string[] => operation(line).parameters.map(({ name }: any) => name);
const codesOf = (line: string, status: number): string =>
  operation(line).responses[status]?.content["application/problem+json"].schema.allOf[1].properties.type.enum.join(" ");

test("an operation for users takes a token, a key or the cookie of any session; a public one takes none", () => {
  const { securitySchemes } = description.document["components"];
  expect(securitySchemes).toMatchObject({
    bearer: { type: "http", scheme: "bearer" },
    apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
    "session-reading": { type: "apiKey", in: "cookie", name: "__Host-valence-reading" },
    "session-desk": { type: "apiKey", in: "cookie", name: "__Host-valence-desk" },
  });
  expect(securitySchemes["session-desk"].description).toContain("`X-Session: desk`");
  expect(operation("GET /api/v1/shelf").security).toEqual(Object.keys(securitySchemes).map(name => ({ [name]: [] })));
  expect(operation("GET /api/v1/books").security).toEqual([]);
  const cookies = [{}, { "session-reading": [] }, { "session-desk": [] }];
  for (const line of ["POST /api/v1/session", "DELETE /api/v1/session"])
    expect(operation(line).security).toEqual(cookies);
});

test("a request names its browser session by a header, a stream also in its query; with one session there is no name", () => {
  expect(parametersOf("GET /api/v1/shelf")).toContain("X-Session");
  expect(parametersOf("DELETE /api/v1/session")).toContain("X-Session");
  expect(parametersOf("GET /api/v1/loans/x/stream")).toEqual(expect.arrayContaining(["X-Session", "session"]));
  expect(parametersOf("GET /api/v1/books")).not.toContain("X-Session");
  expect(description.document["components"].parameters.SessionHeader.schema.enum).toEqual(SESSIONS);
  const { inHeader, inQuery } = credentialsOf(new SessionCookies(["main"], undefined), undefined);
  expect([inHeader, inQuery]).toEqual([[], []]);
});

test("an operation says the permission that its action asks for, and that it may be missing", () => {
  expect(operation("POST /api/v1/books")).toMatchObject({
    "x-permissions": ["books:write"],
    "x-roles": ["admin"],
    description: expect.stringContaining("Asks for the permission `books:write`."),
  });
  expect(operation("GET /api/v1/shelf")["x-permissions"]).toBeUndefined();
  expect(codesOf("POST /api/v1/books", 403)).toContain("/problems/forbidden");
  expect(codesOf("GET /api/v1/shelf", 403)).toBeUndefined();
});

test("the node that answers a person's request may refuse its token, or be without keys to check it", () => {
  expect(codesOf("GET /api/v1/shelf", 401)).toContain("/problems/caller-unproven");
  expect(codesOf("GET /api/v1/shelf", 503)).toContain("/problems/keys-unavailable");
  expect(codesOf("GET /api/v1/books", 503)).not.toContain("/problems/keys-unavailable");
});

test("an operation with a successor is deprecated, and its successor is not; a stream may refuse what is accepted", () => {
  expect(operation("GET /api/v1/books")).toMatchObject({ deprecated: true });
  for (const line of ["GET /api/v2/books", "GET /api/v1/shelf"])
    expect(operation(line)).not.toHaveProperty("deprecated");
  expect(codesOf("GET /api/v1/loans/x/stream", 406)).toBe("/problems/not-acceptable");
});

test("a request says how long its client waits; a stream has no end", async () => {
  expect(parametersOf("GET /api/v1/books")).toContain("Request-Timeout");
  expect(parametersOf("GET /api/v1/loans/x/stream")).not.toContain("Request-Timeout");
  const pattern = new RegExp(description.document["components"].parameters.RequestTimeout.schema.pattern);
  for (const text of ["5", "0.5", "0.10", "0", "0.0", "00.00", "1e3", "-1", ""]) {
    const { status, json } = await gateway.http("GET", "/api/v1/books", { headers: { "request-timeout": text } });
    expect([text, status, json.type]).toEqual(
      pattern.test(text) ? [text, 200, undefined] : [text, 400, "/problems/bad-request-timeout"],
    );
    if (status === 400) expect(codesOf("GET /api/v1/books", 400)).toContain(json.type);
  }
});

test("the limits of an operation are those in force, as its answers say them", async () => {
  const login = operation("POST /api/v1/auth/login");
  const answer = await gateway.http("POST", "/api/v1/auth/login", { body: { email: "a@example.com", password: "x" } });
  const { policies, account } = login["x-rate-limit"];
  const said = [...policies, account].map(
    ({ name, quota, windowSeconds }: any) => `"${name}";q=${quota};w=${windowSeconds}`,
  );
  expect(answer.headers.get("ratelimit-policy")).toBe(said.join(", "));
  expect(login.description).toBe(
    "Limited to 1000 requests in 60 s and 25 in 1 s, by address; for one account at one address to 15 that fail in 60 s.",
  );
});

test("without limits the description has none, and no answer to one request too many", () => {
  const credentials = credentialsOf(new SessionCookies(SESSIONS, undefined), "https://issuer.example");
  const { broker } = gateway;
  const documents = new ApiDocuments({ broker, info: { name: "Library" }, routes, credentials, percent: 0 });
  const unlimited = new ApiDescription(JSON.parse(JSON.stringify(documents.for(["admin"]))));
  const shelf = operation("GET /api/v1/shelf", unlimited);
  expect(shelf).not.toHaveProperty("x-rate-limit");
  expect(shelf.description).toBeUndefined();
  expect(shelf.responses["429"]).toBeUndefined();
  expect(Object.keys(shelf.responses["200"].headers)).not.toContain("RateLimit");
  const { bearer, "session-reading": session } = unlimited.document["components"].securitySchemes;
  expect(bearer.description).toContain("https://issuer.example");
  expect(session.name).toBe("valence-reading");
});

test("/asyncapi.json tells anybody of the events of services that run elsewhere, and forgets those that are gone", async () => {
  const lamp = {
    type: "object",
    required: ["code"],
    properties: { code: { type: "string" }, key: { type: "string" } },
  };
  const lamps = {
    name: "lamps",
    metadata: { events: { "lamp.lit": 1 }, eventSchemas: { "lamp.lit": lamp }, secrets: ["key"] },
  };
  const service = gateway.broker.createService(lamps);
  gateway.broker.createService({ name: "watch", metadata: { takes: { "lamp.lit": true } } });
  const told = async (): Promise<any> => (await gateway.http("GET", "/asyncapi.json")).json;
  const document = await until(told, ({ channels }) => channels.lamps !== undefined);
  expect(document).toMatchObject({ asyncapi: "3.0.0", info: { title: "Library API: events" } });
  expect(document.components.messages["lamp.lit.v1"]).toMatchObject({
    examples: [{ payload: { code: "sample" } }],
    "x-owner": "lamps",
    "x-consumers": ["watch"],
  });
  expect(document.components.schemas["LampLitV1"].properties).toEqual({ code: { type: "string" } });
  await gateway.broker.destroyService(service);
  await until(told, ({ channels }) => channels.lamps === undefined);
});
