// Browser sessions over HTTP: cookies, two pages on one host, requests from other sites, event streams, and their end.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { decodeJwt } from "jose";
import { until } from "../../testing/index.ts";
import { ada, bob, startEntrances, type Entered } from "../entrances.fixture.ts";
import { limits } from "../limits.ts";

let house: Entered;
let person: Awaited<ReturnType<Entered["person"]>>;
beforeAll(async () => {
  house = await startEntrances({ ALLOWED_ORIGINS: "https://pages.example.com" });
  person = await house.person(ada);
  await house.person(bob);
});
afterAll(() => house.stop());
beforeEach(() => {
  house.reached.length = 0;
});
const whoami = (cookie: string, headers: Record<string, string> = {}) =>
  house.http("GET", "/whoami", { cookie, headers });

describe("a log-in by a page", () => {
  test("gets a cookie that no script can read, and no token in the body", async () => {
    const { status, json, text, headers, cookie } = await house.browser(ada);
    expect([status, Object.keys(json).toSorted()]).toEqual([200, ["expiresAt", "user"]]);
    expect(json.user).toMatchObject({ id: person.id, email: ada.email });
    const [value, ...attributes] = headers.get("set-cookie")!.split("; ");
    expect(value).toMatch(/^valence-reading=[\w-]{43}$/);
    expect(attributes.map(text => text.replace(/=.*GMT$/, "")).toSorted()).toEqual([
      "Expires",
      "HttpOnly",
      "Path=/",
      "SameSite=Lax",
    ]);
    expect(text).not.toContain(value!.split("=")[1]);
    expect(headers.get("cache-control")).toBe("private, no-store");
    const me = await house.http("GET", "/session", { cookie });
    expect([me.status, me.json]).toEqual([200, { user: json.user }]);
  });

  test("opens the API as its person; a token of ours travels with the call, and names the session", async () => {
    const { cookie } = await house.browser(ada);
    const { json } = await whoami(cookie);
    expect(json.user).toEqual({ id: person.id, roles: ["guest"], session: expect.any(String) });
    const claims = decodeJwt(house.reached[0]!.token!);
    expect(claims).toMatchObject({ sub: person.id, sid: json.user.session });
    expect(claims["scope"]).toBeUndefined();
    expect(JSON.stringify(house.reached)).not.toContain(cookie.split("=")[1]);
  });

  test("by https the cookie is bound to this host", async () => {
    const secure = await startEntrances({ PUBLIC_URL: "https://notes.example.com" });
    try {
      await secure.person(ada);
      const { headers } = await secure.browser(ada);
      expect(headers.get("set-cookie")).toMatch(/^__Host-valence-reading=[\w-]{43}; .*Path=\/;/);
      expect(headers.get("set-cookie")).toMatch(/; Secure(;|$)/);
      expect(headers.get("set-cookie")).not.toMatch(/Domain/i);
      const plain = headers.get("set-cookie")!.split(";", 1)[0]!.replace("__Host-", "");
      expect((await secure.http("GET", "/whoami", { cookie: plain })).status).toBe(401);
    } finally {
      await secure.stop();
    }
  });

  test("is a new session each time, and ends the one that the browser had: no fixation", async () => {
    const first = await house.browser(ada);
    const planted = `valence-reading=${"A".repeat(43)}`;
    const second = await house.browser(ada, undefined, first.cookie);
    const third = await house.browser(ada, undefined, planted);
    expect(new Set([first.cookie, second.cookie, third.cookie, planted]).size).toBe(4);
    expect((await whoami(first.cookie)).status).toBe(401);
    expect((await whoami(planted)).status).toBe(401);
    expect([(await whoami(second.cookie)).status, (await whoami(third.cookie)).status]).toEqual([200, 200]);
  });

  test("with a wrong password gets no cookie; the answer is the same for an unknown address", async () => {
    const wrong = await house.browser({ ...ada, password: "wrong" });
    const unknown = await house.browser({ ...ada, email: "nobody@example.com" });
    expect([wrong.status, wrong.json.type, wrong.cookie]).toEqual([401, "/problems/bad-credentials", ""]);
    expect({ ...unknown.json, requestId: "" }).toEqual({ ...wrong.json, requestId: "" });
  });
});

describe("two pages on one host", () => {
  test("are logged in as two people, each in its own cookie", async () => {
    const [reader, staff] = [await house.browser(ada), await house.browser(bob, "desk")];
    expect(staff.cookie).toMatch(/^valence-desk=/);
    const both = `${reader.cookie}; ${staff.cookie}`;
    const idOf = async (headers: Record<string, string>, query = "") =>
      (await house.http("GET", `/whoami${query}`, { cookie: both, headers })).json.user.id;
    expect(await idOf({})).toBe(person.id);
    expect(await idOf({ "x-session": "reading" })).toBe(person.id);
    const other = await idOf({ "x-session": "desk" });
    expect(other).not.toBe(person.id);
    expect(await idOf({}, "?session=desk")).toBe(other);
    const out = await house.http("DELETE", "/session", {
      cookie: both,
      headers: { origin: house.origin, "x-session": "desk" },
    });
    expect([out.status, out.headers.get("set-cookie")]).toEqual([
      204,
      expect.stringMatching(/^valence-desk=; .*Max-Age=0/),
    ]);
    expect((await whoami(both)).status).toBe(200);
    expect((await whoami(both, { "x-session": "desk" })).status).toBe(401);
  });

  test("P6 a session that there is not is refused by name", async () => {
    const { cookie } = await house.browser(ada);
    const fieldOf = ({ status, json }: { status: number; json: any }) => [status, json.errors[0].field];
    expect(fieldOf(await whoami(cookie, { "x-session": "attic" }))).toEqual([422, "X-Session"]);
    expect(fieldOf(await house.http("GET", "/whoami?session=attic", { cookie }))).toEqual([422, "session"]);
    expect(fieldOf(await house.browser(ada, "attic"))).toEqual([422, "for"]);
    expect(fieldOf(await house.browser(ada, "__proto__"))).toEqual([422, "for"]);
  });
});

describe("CSRF", () => {
  let cookie: string;
  beforeAll(async () => ({ cookie } = await house.browser(ada)));
  const write = (headers: Record<string, string>, call: { token?: string; cookie?: string } = { cookie }) =>
    house.http("POST", "/notes", { ...call, headers });
  const own = () => new URL(house.origin).host;

  test.each<[string, () => Record<string, string>]>([
    ["a page of ours", () => ({ "sec-fetch-site": "same-origin" })],
    ["the address bar", () => ({ "sec-fetch-site": "none" })],
    ["an old browser's page of ours", () => ({ origin: `http://${own()}` })],
    ["a page of an allowed origin, in an old browser", () => ({ origin: "https://pages.example.com" })],
    [
      "a page of an allowed origin on another site",
      () => ({ "sec-fetch-site": "cross-site", origin: "https://pages.example.com" }),
    ],
    ["a client that is no browser", () => ({})],
  ])("a change from %s is done", async (_, headers) => {
    expect((await write(headers())).status).toBe(200);
    expect(house.reached).toHaveLength(1);
  });

  test.each<[string, () => Record<string, string>]>([
    ["another site", () => ({ "sec-fetch-site": "cross-site" })],
    ["another site that claims our origin", () => ({ "sec-fetch-site": "cross-site", origin: `http://${own()}` })],
    ["a sibling of our host", () => ({ "sec-fetch-site": "same-site" })],
    ["a sandbox", () => ({ origin: "null" })],
    ["another origin", () => ({ origin: "https://evil.example" })],
    ["an origin that begins as ours", () => ({ origin: `http://${own()}.evil.example` })],
    ["another port of our host", () => ({ origin: "http://localhost:1" })],
    ["an origin that is no URL", () => ({ origin: "::" })],
    ["a made-up value", () => ({ "sec-fetch-site": "SAME-ORIGIN" })],
  ])("a change from %s is refused, and no action runs", async (_, headers) => {
    const { status, json } = await write(headers());
    expect([status, json.type]).toEqual([403, "/problems/csrf"]);
    expect(house.reached).toEqual([]);
  });

  test("a read changes nothing and is free; a token or a key beside the cookie wins, and needs no origin", async () => {
    expect((await whoami(cookie, { "sec-fetch-site": "cross-site" })).status).toBe(200);
    const other = await house.http("POST", "/auth/login", { body: { email: bob.email, password: bob.password } });
    const { status, json } = await write({}, { cookie, token: other.json.accessToken });
    expect([status, json.user.id]).toEqual([200, other.json.user.id]);
    const bad = await house.http("GET", "/whoami", { cookie, headers: { authorization: "Bearer x.y.z" } });
    expect([bad.status, bad.json.type]).toEqual([401, "/problems/invalid-token"]);
    expect((await house.http("GET", "/whoami", { cookie, headers: { "x-api-key": "x" } })).status).toBe(401);
  });

  test("another site cannot log its visitor in, nor out", async () => {
    const { email, password } = bob;
    for (const headers of [{ "sec-fetch-site": "cross-site" }, { origin: "https://evil.example" }]) {
      const login = await house.http("POST", "/session", { body: { email, password }, headers });
      expect([login.status, login.headers.get("set-cookie")]).toEqual([403, null]);
      const logout = await house.http("DELETE", "/session", { cookie, headers });
      expect([logout.status, logout.headers.get("set-cookie")]).toEqual([403, null]);
    }
    expect((await whoami(cookie)).status).toBe(200);
  });
});

describe("a cookie's value", () => {
  test("is nothing anywhere else", async () => {
    const { cookie } = await house.browser(ada);
    const value = cookie.split("=")[1]!;
    expect((await house.http("GET", "/whoami", { token: value })).status).toBe(401);
    expect((await house.http("GET", "/whoami", { headers: { "x-api-key": value } })).status).toBe(401);
    expect((await house.http("GET", `/whoami?session=${value}`, {})).status).toBe(401);
    expect((await house.http("GET", "/whoami", { cookie: `valence-desk=${value}`, headers: {} })).status).toBe(401);
    const refresh = await house.http("POST", "/auth/refresh", { body: { refreshToken: value } });
    expect([refresh.status, refresh.json.type]).toEqual([401, "/problems/bad-refresh-token"]);
  });

  test.each([
    ["nothing", ""],
    ["a letter", "x"],
    ["a value that nobody has", "A".repeat(43)],
    ["thousands of characters", "A".repeat(5_000)],
    ["a NUL", "\0"],
    ["a letter outside of ASCII", "\u00e4"],
    ["SQL", "' or 1=1 --"],
  ])("%s in its place opens nothing", async (_, value) => {
    const { status } = await whoami(`valence-reading=${encodeURIComponent(value)}`);
    expect(status).toBe(401);
    expect(house.reached).toEqual([]);
  });

  test("a refresh token in a cookie opens nothing, and still refreshes", async () => {
    const { json } = await house.http("POST", "/auth/login", { body: { email: ada.email, password: ada.password } });
    expect((await whoami(`valence-reading=${json.refreshToken}`)).status).toBe(401);
    expect((await house.http("POST", "/auth/refresh", { body: { refreshToken: json.refreshToken } })).status).toBe(200);
  });

  test("is in no table", async () => {
    const { cookie } = await house.browser(ada);
    await whoami(cookie);
    const value = cookie.split("=")[1]!;
    const { knex } = house.database;
    const rows = JSON.stringify([await knex("session_families"), await knex("refresh_tokens")]);
    expect(rows).not.toContain(value);
  });
});

describe("the end of a session", () => {
  test("by a log-out: at once, for good, and a second one is no error", async () => {
    const { cookie } = await house.browser(ada);
    expect((await whoami(cookie)).status).toBe(200);
    const headers = { origin: house.origin };
    expect((await house.http("DELETE", "/session", { cookie, headers })).status).toBe(204);
    const after = await whoami(cookie);
    expect([after.status, after.json.type]).toEqual([401, "/problems/session-ended"]);
    expect(after.headers.get("www-authenticate")).toBe("Bearer");
    expect((await house.http("DELETE", "/session", { cookie, headers })).status).toBe(204);
    expect((await house.http("DELETE", "/session", { headers })).status).toBe(204);
  });

  test("by its owner, from the list of sessions, where it has its device", async () => {
    const { json, cookie } = await house.browser(ada);
    const { session } = (await whoami(cookie)).json.user;
    const listed = await house.http("GET", "/me/sessions", { cookie });
    const own = listed.json.rows.find(({ id }: { id: string }) => id === session);
    expect(own).toMatchObject({ current: true, address: "127.0.0.1", device: expect.any(String) });
    expect((await house.http("DELETE", `/me/sessions/${session}`, { token: person.token })).status).toBe(204);
    expect((await whoami(cookie)).status).toBe(401);
    expect(json.user.id).toBe(person.id);
  });

  test("by a new password, which keeps the one that asks", async () => {
    const owner = { ...ada, email: "carol@example.com" };
    await house.person(owner);
    const [here, there] = [await house.browser(owner), await house.browser(owner)];
    expect((await whoami(there.cookie)).status).toBe(200);
    const body = { currentPassword: owner.password, newPassword: "other granite window" };
    const changed = await house.http("POST", "/me/password", {
      cookie: here.cookie,
      body,
      headers: { origin: house.origin },
    });
    expect(changed.status).toBe(204);
    expect([(await whoami(here.cookie)).status, (await whoami(there.cookie)).status]).toEqual([200, 401]);
  });

  test("by its absolute end, which the exchanged token does not outlive", async () => {
    const { cookie } = await house.browser(ada);
    const { session } = (await whoami(cookie)).json.user;
    const { knex } = house.database;
    const ends = Date.now() + 40_000;
    await knex("session_families").where({ id: session }).update({ ends_at: ends });
    house.gateway.exchanges.forget(person.id);
    await whoami(cookie);
    expect(decodeJwt(house.reached.at(-1)!.token!).exp! * 1_000).toBeLessThanOrEqual(ends);
    await knex("session_families")
      .where({ id: session })
      .update({ ends_at: Date.now() - 1 });
    house.gateway.exchanges.forget(person.id);
    expect((await whoami(cookie)).status).toBe(401);
  });

  test("the life of a session that is used slides on", async () => {
    const { cookie } = await house.browser(ada);
    const { session } = (await whoami(cookie)).json.user;
    const { knex } = house.database;
    const row = () => knex("refresh_tokens").where({ family: session });
    await row().update({ expires_at: Date.now() + 60_000 });
    house.gateway.exchanges.forget(person.id);
    await whoami(cookie);
    const { expires_at } = await row().first();
    expect(Number(expires_at)).toBeGreaterThan(Date.now() + limits.refreshTokenMs - 60_000);
  });
});

describe("event streams by cookie", () => {
  test("an EventSource's requests get history, changes, and the rest after Last-Event-ID", async () => {
    const { cookie } = await house.browser(ada, "desk");
    house.addEvent();
    const stream = await house.stream({ cookie }, "?session=desk");
    expect([stream.response.statusCode, stream.response.headers["content-type"]]).toEqual([200, "text/event-stream"]);
    await until("history", () => stream.ids().length === 1);
    house.addEvent();
    await until("the change", () => stream.ids().length === 2);
    stream.response.destroy();
    house.addEvent();
    const resumed = await house.stream({ cookie, "last-event-id": "2" }, "?session=desk");
    await until("the rest", () => resumed.ids().length > 0);
    expect(resumed.ids()).toEqual([3]);
    resumed.response.destroy();
    const without = await house.stream({}, "?session=desk");
    expect(without.response.statusCode).toBe(401);
    without.response.resume();
    await until("all are gone", () => house.gateway.streams.size === 0);
  });

  test("a revoked session ends its streams within a second, and no other's", async () => {
    const [gone, kept] = [await house.browser(ada), await house.browser(ada)];
    const { session } = (await whoami(gone.cookie)).json.user;
    const [ending, staying] = [
      await house.stream({ cookie: gone.cookie }),
      await house.stream({ cookie: kept.cookie }),
    ];
    await until("both are open", () => ending.ids().length > 0 && staying.ids().length > 0);
    await house.http("DELETE", `/me/sessions/${session}`, { token: person.token });
    await until("it ends", () => ending.isOver(), 1_000);
    const seen = staying.ids().length;
    house.addEvent();
    await until("the other goes on", () => staying.ids().length > seen);
    expect(staying.isOver()).toBe(false);
    expect((await house.stream({ cookie: gone.cookie })).response.statusCode).toBe(401);
    staying.response.destroy();
    await until("all are gone", () => house.gateway.streams.size === 0);
  });
});
