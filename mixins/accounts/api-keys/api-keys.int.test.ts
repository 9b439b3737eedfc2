// API keys over HTTP: how they are made, what they open, and how they end.
import { afterAll, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import { decodeJwt } from "jose";
import { apiKey, type Route } from "../../gateway/index.ts";
import { newId, rfc3339 } from "../../kernel/index.ts";
import { ada, bob, contract, startEntrances, type Entered } from "../entrances.fixture.ts";
import { USE } from "../key-use.ts";
import { limits } from "../limits.ts";
import { accountRoutes } from "../routes.ts";

let house: Entered;
let person: Awaited<ReturnType<Entered["person"]>>;
let admin: Awaited<ReturnType<Entered["person"]>>;
beforeAll(async () => {
  house = await startEntrances();
  person = await house.person(ada);
  admin = await house.person(bob, ["admin"]);
});
afterAll(() => house.stop());
beforeEach(() => {
  house.reached.length = 0;
});

const make = (body: object = { name: "till", scopes: ["notes:read"] }, token = person.token) =>
  house.http("POST", "/me/keys", { token, body });
const whoami = (headers: Record<string, string>) => house.http("GET", "/whoami", { headers });
const DAY = 86_400_000;

test("a key is shown once, and opens the API as its owner, narrowed to its scopes, in either header", async () => {
  const { status, json: made } = await make({ name: "till", scopes: ["notes:read", "books:*"] });
  expect(status).toBe(201);
  expect(made).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    name: "till",
    scopes: ["notes:read", "books:*"],
    createdAt: expect.any(String),
    expiresAt: expect.any(String),
    key: expect.stringMatching(/^vk_[0-9a-f]{32}_[\w-]{43}_[0-9a-f]{8}$/),
  });
  expect(Date.parse(made.expiresAt) - Date.parse(made.createdAt)).toBe(limits.apiKeyLifeMs);
  for (const headers of [{ authorization: `Bearer ${made.key}` }, { "x-api-key": made.key }]) {
    const { json } = await whoami(headers);
    expect(json.user).toEqual({ id: person.id, roles: ["guest"], scopes: ["notes:read", "books:*"], key: made.id });
  }
  const claims = decodeJwt(house.reached.at(-1)!.token!);
  expect(claims).toMatchObject({ sub: person.id, scope: "notes:read books:*", iss: "valence", aud: "valence" });
  expect(claims.exp! - claims.iat!).toBe(limits.exchangedTokenSeconds);
  const listed = await house.http("GET", "/me/keys", { token: person.token });
  expect(listed.text).not.toContain(made.key.slice(36, 79));
  expect(listed.json.rows.find(({ id }: { id: string }) => id === made.id)).toMatchObject({
    name: "till",
    lastUsedAt: expect.any(String),
  });
  const some = await house.http("GET", "/me/keys?fields=name", { token: person.token });
  expect(some.json.rows).toContainEqual({ id: made.id, name: "till" });
  const headers = { accept: "text/csv" };
  for (const path of ["/me/keys?fields=name", "/me/sessions?fields=id"]) {
    const { status, text } = await house.http("GET", path, { token: person.token, headers });
    expect([path, status, text.split("\r\n")[0]]).toEqual([path, 200, path.includes("keys") ? "id,name" : "id"]);
  }
});

test("the database holds no key, and neither does the log", async () => {
  const warn = jest.spyOn(house.accounts.logger, "warn");
  const { json } = await make();
  const rows = JSON.stringify(await house.database.knex("api_keys"));
  expect(rows).toContain(json.id);
  expect(rows).not.toContain(json.key);
  expect(rows).not.toContain(json.key.slice(36, 79));
  expect(JSON.stringify(warn.mock.calls)).toContain(json.id);
  expect(JSON.stringify(warn.mock.calls)).not.toContain(json.key.slice(36, 79));
  warn.mockRestore();
});

test("a revoked key opens nothing at once, although the gateway knew it", async () => {
  const { json } = await make();
  const headers = { "x-api-key": json.key };
  expect((await whoami(headers)).status).toBe(200);
  const revoked = await house.http("DELETE", `/me/keys/${json.id}`, { token: person.token });
  expect([revoked.status, revoked.text]).toEqual([204, ""]);
  const after = await whoami(headers);
  expect([after.status, after.json.type]).toEqual([401, "/problems/invalid-key"]);
  expect((await house.http("DELETE", `/me/keys/${json.id}`, { token: person.token })).status).toBe(404);
});

test("an expired key opens nothing, and its exchange does not outlive it", async () => {
  const { json } = await make({ name: "short", scopes: ["notes:read"], expiresAt: rfc3339(Date.now() + 40_000) });
  expect((await whoami({ "x-api-key": json.key })).status).toBe(200);
  const { exp } = decodeJwt(house.reached.at(-1)!.token!);
  expect(exp! * 1_000).toBeLessThanOrEqual(Date.parse(json.expiresAt));
  await house.database
    .knex("api_keys")
    .where({ id: json.id })
    .update({ expires_at: Date.now() - 1 });
  house.gateway.exchanges.forget(person.id);
  expect((await whoami({ "x-api-key": json.key })).status).toBe(401);
});

test.each([
  [
    "another key's secret",
    (key: string) =>
      apiKey(
        `${key.slice(3, 11)}-${key.slice(11, 15)}-${key.slice(15, 19)}-${key.slice(19, 23)}-${key.slice(23, 35)}`,
        "A".repeat(43),
      ),
  ],
  ["an unknown id", () => apiKey(newId(), "A".repeat(43))],
  ["a typo", (key: string) => key.replace(/.$/, last => (last === "0" ? "1" : "0"))],
  ["half of it", (key: string) => key.slice(0, 60)],
  ["an empty text", () => ""],
])("%s is no key", async (_, change) => {
  const { json } = await make({ name: "x", scopes: ["notes:read"] }, admin.token);
  const { status, json: problem } = await whoami({ "x-api-key": change(json.key) });
  expect([status, problem.type]).toEqual([401, "/problems/invalid-key"]);
  expect(house.reached).toEqual([]);
});

test("a typo is refused without asking accounts, let alone the database", async () => {
  const find = jest.spyOn(house.accounts.apiKeys, "find");
  const { json } = await make({ name: "x", scopes: ["notes:read"] }, admin.token);
  await whoami({ "x-api-key": json.key.replace(/.$/, (last: string) => (last === "0" ? "1" : "0")) });
  expect(find).not.toHaveBeenCalled();
  await whoami({ "x-api-key": json.key });
  expect(find).toHaveBeenCalledTimes(1);
  find.mockRestore();
});

test("the last use is written once a minute, however often a key is used", async () => {
  const { json } = await make({ name: "busy", scopes: ["notes:read"] }, admin.token);
  const usedAt = async () => Number((await house.database.knex("api_keys").where({ id: json.id }).first()).used_at);
  await house.accounts.apiKeys.find(json.key);
  const first = await usedAt();
  expect(first).toBeGreaterThan(0);
  await new Promise(resolve => setTimeout(resolve, 5));
  await house.accounts.apiKeys.find(json.key);
  expect(await usedAt()).toBe(first);
  await house.database
    .knex("api_keys")
    .where({ id: json.id })
    .update({ used_at: first - limits.apiKeyUseNotedMs });
  await house.accounts.apiKeys.find(json.key);
  expect(await usedAt()).toBeGreaterThanOrEqual(first);
});

/** Acts that are refused to every key, whatever its scopes: they outlive it, or an account stands on them. */
const FOR_PERSONS = [
  "setRoles",
  "createApiKey",
  "revokeApiKey",
  "changePassword",
  "endSession",
  "endSessions",
  "sendVerification",
  "rotateKeys",
];

test("no key grants roles, makes or revokes keys, ends sessions, changes a password, asks for a mail or rotates keys", async () => {
  const { json } = await make({ name: "all", scopes: ["account:*", "accounts:*", "operations:*"] }, admin.token);
  const headers = { "x-api-key": json.key };
  const before = (await house.http("GET", "/me/sessions", { headers })).json.rows;
  const asked: Record<string, [method: string, path: string, body?: object][]> = {
    setRoles: [["PATCH", `/users/${person.id}`, { roles: ["admin"] }]],
    createApiKey: [["POST", "/me/keys", { name: "y", scopes: ["notes:read"] }]],
    revokeApiKey: [
      ["DELETE", `/me/keys/${json.id}`],
      ["DELETE", `/users/${person.id}/keys/${json.id}`],
    ],
    changePassword: [["POST", "/me/password", { currentPassword: bob.password, newPassword: "another violet tin" }]],
    endSession: [["DELETE", `/me/sessions/${before[0].id}`]],
    endSessions: [["DELETE", "/me/sessions"]],
    sendVerification: [["POST", "/me/email/verification"]],
    rotateKeys: [["POST", "/ops/keys/rotate", { stolen: true }]],
  };
  const signing = (await house.http("GET", "/ops/keys", { headers })).text;
  const refusals = await Promise.all(
    Object.values(asked)
      .flat()
      .map(async ([method, path, body]) => {
        const { status, json: problem } = await house.http(method, path, { headers, ...(body && { body }) });
        return `${status} ${problem.type}`;
      }),
  );
  expect(refusals).toEqual(Array(refusals.length).fill("403 /problems/forbidden"));
  expect((await house.http("GET", "/ops/keys", { headers })).text).toBe(signing);
  expect((await house.http("GET", "/me/sessions", { headers })).json.rows).toEqual(before);
  expect((await house.http("GET", `/users/${person.id}`, { headers })).json.roles).toEqual(["guest"]);

  // The actions refuse a key themselves, and their routes refuse it before the body is read.
  const meta = { user: { id: admin.id, roles: ["admin"], scopes: ["account:*", "accounts:*"], key: json.id } };
  const params: Record<string, object> = {
    setRoles: { id: person.id, roles: ["admin"] },
    createApiKey: { name: "y", scopes: ["notes:read"] },
    revokeApiKey: { user: admin.id, id: json.id },
    changePassword: { currentPassword: bob.password, newPassword: "another violet tin" },
    endSession: { id: before[0].id },
  };
  for (const action of FOR_PERSONS)
    await expect(house.broker.call(`accounts.${action}`, params[action] ?? {}, { meta })).rejects.toMatchObject({
      code: 403,
      message: expect.stringContaining("log in as a person"),
    });
  const closed = accountRoutes(contract).filter(({ keys }) => !keys);
  const actionOf = ({ target }: Route) => ("stream" in target ? target.stream : target).action.split(".")[1]!;
  expect([...new Set(closed.map(actionOf))].toSorted()).toEqual(FOR_PERSONS.toSorted());
  expect(Object.keys(USE).filter(action => USE[action as keyof typeof USE] === "person")).toEqual(FOR_PERSONS);
  expect(Object.keys(asked)).toEqual(FOR_PERSONS);
});

test("who may use an action is decided as its contract and its route say", () => {
  const routes = accountRoutes(contract);
  const accessOf = (action: string) =>
    routes.find(({ target }) => "action" in target && target.action === action)?.access;
  for (const [action, use] of Object.entries(USE)) {
    const access = accessOf(`accounts.${action}`);
    const permission = (contract.permissions as Record<string, unknown>)[action];
    const found = access === "public" ? "anybody" : permission === false ? "service" : "a caller";
    expect([action, found]).toEqual([action, use === "key" || use === "person" ? "a caller" : use]);
  }
});

test("the access token of a session that has ended makes no key, and still reads", async () => {
  const thief = await house.person({ ...ada, email: "robbed@example.com" });
  await house.accounts.sessions.endAll(thief.id);
  const { status, json } = await make(undefined, thief.token);
  expect([status, json.type]).toEqual([401, "/problems/session-over"]);
  expect((await house.http("GET", "/me", { token: thief.token })).status).toBe(200);
});

test("P6 bad input is refused by its field and makes no key", async () => {
  const before = (await house.database.knex("api_keys")).length;
  const refused: [object, string][] = [
    [{ scopes: ["notes:read"] }, "name"],
    [{ name: "", scopes: ["notes:read"] }, "name"],
    [{ name: "x" }, "scopes"],
    [{ name: "x", scopes: [] }, "scopes"],
    [{ name: "x", scopes: ["*"] }, "scopes.0"],
    [{ name: "x", scopes: ["notes"] }, "scopes.0"],
    [{ name: "x", scopes: ["Notes:read"] }, "scopes.0"],
    [{ name: "x", scopes: ["notes:read other:write"] }, "scopes.0"],
    [{ name: "x", scopes: ["notes:read", "notes:read"] }, "scopes"],
    [{ name: "x", scopes: ["notes:read"], expiresAt: "tomorrow" }, "expiresAt"],
    [{ name: "x", scopes: ["notes:read"], expiresAt: rfc3339(Date.now() - 1) }, "expiresAt"],
    [{ name: "x", scopes: ["notes:read"], expiresAt: rfc3339(Date.now() + 400 * DAY) }, "expiresAt"],
    [{ name: "x", scopes: ["notes:read"], user: admin.id }, "user"],
    [{ name: "x", scopes: ["notes:read"], id: newId() }, "id"],
  ];
  for (const [body, field] of refused) {
    const { status, json } = await make(body);
    expect([body, status, json.errors.map((issue: { field: string }) => issue.field)]).toEqual([body, 422, [field]]);
  }
  expect(await house.database.knex("api_keys")).toHaveLength(before);
});

test("administrators see and revoke everybody's keys; others only their own", async () => {
  const { json } = await make();
  const of = `/users/${person.id}/keys`;
  const seen = await house.http("GET", of, { token: admin.token });
  expect(seen.json.rows.map(({ id }: { id: string }) => id)).toContain(json.id);
  expect((await house.http("GET", of, { token: person.token })).status).toBe(403);
  const stranger = await house.person({ ...ada, email: "eve@example.com" });
  expect((await house.http("DELETE", `/me/keys/${json.id}`, { token: stranger.token })).status).toBe(404);
  expect((await whoami({ "x-api-key": json.key })).status).toBe(200);
  expect((await house.http("DELETE", `${of}/${json.id}`, { token: admin.token })).status).toBe(204);
  expect((await whoami({ "x-api-key": json.key })).status).toBe(401);
  await expect(house.call("accounts.revokeApiKey", { user: person.id, id: json.id })).rejects.toMatchObject({
    code: 403,
  });
  const nobody = house.call("accounts.createApiKey", { name: "x", scopes: ["notes:read"] });
  await expect(nobody).rejects.toMatchObject({ code: 403 });
});

test("a user has so many keys, however many are made at once; expired ones do not count", async () => {
  const owner = await house.person({ ...ada, email: "many@example.com" });
  const all = await Promise.all(
    Array.from({ length: limits.apiKeysPerUserMax + 5 }, () => make(undefined, owner.token)),
  );
  const statuses = all.map(({ status }) => status).toSorted((a, b) => a - b);
  expect(statuses).toEqual([...Array(limits.apiKeysPerUserMax).fill(201), ...Array(5).fill(409)]);
  const { knex } = house.database;
  const expire = (ms: number) =>
    knex("api_keys")
      .where({ user: owner.id })
      .update({ expires_at: Date.now() - ms });
  const listed = async (query: string) =>
    (await house.http("GET", `/me/keys${query}`, { token: owner.token })).json.rows;
  await expire(1);
  expect((await make(undefined, owner.token)).status).toBe(201);
  expect(await listed("?pageSize=100")).toHaveLength(limits.apiKeysExpiredMax + 1);
  // However many expire, the list does not grow.
  for (let n = 0; n < 3; n++) {
    await expire(1);
    expect((await make(undefined, owner.token)).status).toBe(201);
  }
  expect(await knex("api_keys").where({ user: owner.id })).toHaveLength(limits.apiKeysExpiredMax + 1);
  await expire(limits.apiKeyKeptMs + 1);
  expect((await make(undefined, owner.token)).status).toBe(201);
  expect(await knex("api_keys").where({ user: owner.id })).toHaveLength(1);
});

test("keys and sessions are listed page by page, and no row is shown twice or never while others are made", async () => {
  const owner = await house.person({ ...ada, email: "pages@example.com" });
  const ids = async (path: string, between: () => Promise<unknown>) => {
    const found: string[] = [];
    let next: string | undefined = `${path}?pageSize=2`;
    while (next !== undefined) {
      const { json, headers } = await house.http("GET", next, { token: owner.token });
      found.push(...json.rows.map(({ id }: { id: string }) => id));
      next = /<\/api\/v1([^>]+)>; rel="next"/.exec(headers.get("link") ?? "")?.[1];
      expect([json.rows.length <= 2, json.nextCursor !== undefined]).toEqual([true, next !== undefined]);
      await between();
    }
    return found;
  };
  const made: string[] = [];
  for (let n = 0; n < 5; n++) made.unshift((await make(undefined, owner.token)).json.id);
  expect(await ids("/me/keys", () => make(undefined, owner.token))).toEqual(made);
  const login = () =>
    house.http("POST", "/auth/login", { body: { email: "pages@example.com", password: ada.password } });
  for (let n = 0; n < 4; n++) await login();
  const sessions = await house.accounts.sessions.list(owner.id);
  const listed = await ids("/me/sessions", login);
  expect(new Set(listed)).toEqual(new Set(sessions.map(({ id }) => id)));
  expect(listed).toHaveLength(5);
  const cursorOf = async (path: string) =>
    (await house.http("GET", `${path}?pageSize=1`, { token: owner.token })).json.nextCursor;
  for (const [path, cursor] of [
    ["/me/keys", await cursorOf("/me/sessions")],
    ["/me/sessions", await cursorOf("/me/keys")],
    ["/me/sessions", Buffer.from('["sessions by -lastUsedAt, -id",true,1]').toString("base64url")],
    ["/me/keys", Buffer.from('["keys by -id",7]').toString("base64url")],
  ]) {
    const { status, json } = await house.http("GET", `${path}?cursor=${cursor}`, { token: owner.token });
    expect([status, json.errors[0].field]).toEqual([422, "cursor"]);
  }
});

test("a role that is withdrawn is gone from a key's next request", async () => {
  const clerk = await house.person({ ...ada, email: "clerk@example.com" }, ["admin", "guest"]);
  const { json } = await make({ name: "x", scopes: ["notes:read"] }, clerk.token);
  const headers = { "x-api-key": json.key };
  expect((await house.http("GET", "/staff", { headers })).status).toBe(200);
  const body = { roles: ["guest"] };
  expect((await house.http("PATCH", `/users/${clerk.id}`, { token: admin.token, body })).status).toBe(200);
  expect((await house.http("GET", "/staff", { headers })).status).toBe(403);
});
