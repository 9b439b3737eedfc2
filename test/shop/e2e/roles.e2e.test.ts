// Roles over HTTP: what an administrator may do to people, and how long an older token keeps its roles.
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import type { Service, ServiceSchema } from "moleculer";
import accounts from "../../../services/accounts/accounts.service.ts";
import api from "../../../services/api/api.service.ts";
import { startBroker, type TestBroker } from "@valence/runtime/testing/broker";

let house: TestBroker;
let url: string;
/** Lines of the log of `accounts`. */
let warned: string[];
const ADMIN = { email: "root@example.com", password: "correct horse" };
beforeEach(async () => {
  house = await startBroker([accounts, api as unknown as ServiceSchema], {
    PORT: "0",
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
  });
  ({ url } = house.broker.getLocalService("api") as Service & { url: string });
  warned = [];
  const { logger } = house.broker.getLocalService("accounts");
  jest.spyOn(logger, "warn").mockImplementation((line: string) => void warned.push(line));
});
afterEach(() => house.stop());

interface Asked {
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}
async function http(method: string, path: string, { token, body, headers }: Asked = {}) {
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: {
      ...(body !== undefined && { "Content-Type": "application/json" }),
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as any, headers: response.headers };
}
const login = async ({ email, password }: typeof ADMIN) =>
  (await http("POST", "/auth/login", { body: { email, password } })).body;
async function register(name: string) {
  const person = { email: `${name}@example.com`, password: "correct horse", name };
  return { ...person, ...(await http("POST", "/auth/register", { body: person })).body };
}
const patch = (token: string, id: string, body: unknown, headers: Record<string, string> = {}) =>
  http("PATCH", `/users/${id}`, { token, body, headers });

test("an administrator finds a person and makes them one too, from their next token on", async () => {
  const { accessToken: token, user: root } = await login(ADMIN);
  const ann = await register("ann");
  const session = await login(ann);
  expect((await http("GET", "/users", { token: session.accessToken })).status).toBe(403);

  const found = await http("GET", "/users?email=ANN@example.com", { token });
  expect([found.status, found.body.total, found.body.rows[0].id]).toEqual([200, 1, ann.id]);
  const granted = await patch(token, ann.id, { roles: ["admin", "customer"] });
  expect([granted.status, granted.body]).toEqual([200, { ...found.body.rows[0], roles: ["admin", "customer"] }]);
  expect(warned).toEqual([
    expect.stringMatching(
      `^roles of user ${ann.id}: customer → admin, customer, by user ${root.id}, from .+, request ` +
        granted.headers.get("x-request-id"),
    ),
  ]);

  // The older token keeps its roles for a quarter of an hour.
  expect((await http("GET", "/users", { token: session.accessToken })).status).toBe(403);
  const { body } = await http("POST", "/auth/refresh", { body: { refreshToken: session.refreshToken } });
  expect((await http("GET", "/users?role=admin", { token: body.accessToken })).body.total).toBe(2);
  expect((await patch(body.accessToken, root.id, { roles: [] })).status).toBe(200);
  // A role in a token lasts as long as the token; granting is checked against the table.
  expect((await http("GET", "/users", { token })).status).toBe(200);
  expect((await patch(token, root.id, { roles: ["admin"] })).status).toBe(403);
});

test.each<[string, unknown, string]>([
  ["a role that is none", { roles: ["clerk"] }, "roles.0"],
  ["a role twice", { roles: ["admin", "admin"] }, "roles"],
  ["no roles", {}, "roles"],
  ["a field that cannot be changed", { roles: ["admin"], email: "eve@example.com" }, "email"],
])("P6 %s is refused (422) by name and changes nothing", async (_name, body, field) => {
  const { accessToken: token } = await login(ADMIN);
  const { id } = await register("ann");
  const { status, body: problem } = await patch(token, id, body);
  expect([status, problem.errors[0].field]).toEqual([422, field]);
  expect((await http("GET", `/users/${id}`, { token })).body.roles).toEqual(["customer"]);
  expect(warned).toEqual([]);
});

test("the last administrator cannot be withdrawn (409), nor a person changed who is not there, or in another state", async () => {
  const { accessToken: token, user } = await login(ADMIN);
  const last = await patch(token, user.id, { roles: ["customer"] });
  expect([last.status, last.body.type, last.body.errors[0].field]).toEqual([
    409,
    "/problems/last-administrator",
    "roles",
  ]);
  expect((await patch(token, "0190a0b0-0000-7000-8000-000000000000", { roles: [] })).status).toBe(404);
  const ann = await register("ann");
  const tag = (await http("GET", `/users/${ann.id}`, { token })).headers.get("etag")!;
  const changed = await patch(token, ann.id, { roles: [] }, { "If-Match": tag });
  expect([changed.status, changed.headers.get("etag")]).toEqual([200, expect.not.stringMatching(tag)]);
  expect((await patch(token, ann.id, { roles: ["customer"] }, { "If-Match": tag })).status).toBe(412);
});

test("only administrators grant: a customer cannot, not even to themselves, nor a caller without a token", async () => {
  const { id, email, password } = await register("ann");
  const { accessToken: token } = await login({ email, password });
  expect((await patch(token, id, { roles: ["admin"] })).status).toBe(403);
  expect((await http("GET", `/users/${id}`, { token })).status).toBe(403);
  expect((await http("PATCH", `/users/${id}`, { body: { roles: ["admin"] } })).status).toBe(401);
});

test("the API's description shows the roles and the operation to administrators alone", async () => {
  const { accessToken } = await login(ADMIN);
  const documentFor = async (headers: Record<string, string>): Promise<any> =>
    (await fetch(`${url}/openapi.json`, { headers })).json();
  const described = async (headers: Record<string, string>) => (await documentFor(headers)).paths["/api/v1/users/{id}"];
  const { get, patch: change } = await described({ Authorization: `Bearer ${accessToken}` });
  expect(get.operationId).toBe("getUser");
  const { $ref } = change.requestBody.content["application/json"].schema;
  const { roles } = (await documentFor({ Authorization: `Bearer ${accessToken}` })).components.schemas[
    $ref.split("/").at(-1)
  ].properties;
  expect(roles.items.enum).toEqual(["admin", "viewer", "customer"]);
  expect(await described({})).toBeUndefined();
});
