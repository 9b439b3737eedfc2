// The four ways in, at the gateway: what it asks accounts, what it passes on, and what it refuses by itself.
import { createHmac, randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { decodeJwt, exportSPKI, importJWK, SignJWT, type CryptoKey } from "jose";
import { newId, Refusal, Unavailable } from "../../kernel/index.ts";
import { newSigner } from "../gateway.fixture.ts";
import { book, startLibrary, type Library } from "../library.fixture.ts";
import { apiKey } from "./api-key.ts";

const ISSUER = "https://issuer.example";
const METRICS_TOKEN = "a-token-for-prometheus";
let gateway: Library;
const ann = newId();
const staff = newId();
const exchanged: { kind: string; credential: string }[] = [];
/** The answer of the exchange. */
let exchange: (asked: { kind: string; credential: string }) => Promise<string>;
const known = () => gateway.signer.sign({ sub: ann, roles: ["reader"], scope: "shelves:read" }, {}, "90s");

beforeAll(async () => {
  gateway = await startLibrary(
    {
      "accounts.exchange": async ({ params }) => {
        exchanged.push(params);
        return { token: await exchange(params) };
      },
      "accounts.openSession": ctx => {
        ctx.meta["session-opened"] = { value: "v".repeat(43), expiresAt: Date.now() + 60_000 };
        return { user: { id: ann } };
      },
      "accounts.jwks": () => ({ keys: [gateway.signer.jwk, second.jwk] }),
    },
    [],
    { OIDC_ISSUER: ISSUER, METRICS_TOKEN },
  );
});
let second: Awaited<ReturnType<typeof newSigner>>;
beforeAll(async () => void (second = await newSigner("key-2")));
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.reached.length = 0;
  exchanged.length = 0;
  exchange = known;
});
const newKey = () => apiKey(newId(), randomBytes(32).toString("base64url"));
const shelf = (headers: Record<string, string>, path = "/api/v1/shelf") => gateway.http("GET", path, { headers });
const actionsReached = () =>
  gateway.reached.map(({ action }) => action).filter(action => !/^accounts\.(jwks|exchange)$/.test(action));
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const foreign = (claims: object = {}) =>
  `${encode({ alg: "RS256" })}.${encode({ iss: ISSUER, ...claims })}.${encode("signature")}`;

describe("a credential", () => {
  test.each<[string, string, () => Record<string, string>]>([
    ["an API key as a bearer token", "key", () => ({ authorization: `Bearer ${newKey()}` })],
    ["an API key in its own header", "key", () => ({ "x-api-key": newKey() })],
    ["a cookie", "session", () => ({ cookie: `other=1; valence-reading=${newId()}` })],
    ["an issuer's token", "oidc", () => ({ authorization: `Bearer ${foreign({ jti: newId() })}` })],
  ])("%s is exchanged once, and its user and token travel with the call", async (_, kind, headersOf) => {
    const headers = headersOf();
    for (const status of [200, 200]) expect((await shelf(headers)).status).toBe(status);
    const text = Object.values(headers)[0]!.replace(/^Bearer |^.*valence-reading=/, "");
    expect(exchanged).toEqual([{ kind, credential: text }]);
    expect(gateway.reached.filter(({ action }) => action === "shelves.get")).toMatchObject([
      { params: { owner: ann }, user: { id: ann, roles: ["reader"], scopes: ["shelves:read"] } },
      { params: { owner: ann }, user: { id: ann, roles: ["reader"], scopes: ["shelves:read"] } },
    ]);
  });

  test("of ours is never exchanged", async () => {
    expect((await shelf({ authorization: `Bearer ${await gateway.token(ann)}` })).status).toBe(200);
    expect(exchanged).toEqual([]);
  });

  test("that was checked a moment ago is remembered; a wrong one never is", async () => {
    const { callers } = gateway.service;
    const as = (headers: Record<string, string>) => ({ headers, url: "/" }) as never;
    const good = [
      { authorization: `Bearer ${await gateway.token(ann)}` },
      { "x-api-key": newKey() },
      { cookie: `valence-reading=${newId()}` },
    ] as Record<string, string>[];
    for (const headers of good) {
      expect(callers.remembers(as(headers))).toBe(false);
      await shelf(headers);
      expect(callers.remembers(as(headers))).toBe(true);
    }
    const [, key] = good as [unknown, { "x-api-key": string }];
    expect((await callers.identify(as(key))).keyId).toMatch(/^[0-9a-f-]{36}$/);
    exchange = () => Promise.reject(new Refusal("BAD_CREDENTIAL", { status: 401 }));
    const bad = [{}, { authorization: "Basic x" }, { authorization: "Bearer x.y.z" }, { "x-api-key": newKey() }];
    for (const headers of [...bad, { cookie: "valence-reading=x; session=attic" }] as Record<string, string>[]) {
      await shelf(headers);
      expect([headers, callers.remembers(as(headers))]).toEqual([headers, false]);
    }
  });

  test("in `Authorization` comes before a key, and a key before a cookie", async () => {
    const all = { cookie: `valence-reading=${newId()}`, "x-api-key": newKey() };
    await shelf({ ...all, authorization: `Bearer ${await gateway.token(staff)}` });
    expect(gateway.reached.at(-1)!.params).toEqual({ owner: staff });
    await shelf(all);
    expect(exchanged.map(({ kind }) => kind)).toEqual(["key"]);
    expect((await shelf({ ...all, authorization: "Basic YTpi" })).status).toBe(401);
    expect((await shelf({ ...all, authorization: "" })).status).toBe(401);
  });

  test("that accounts refuses is a 401 of its kind, and is asked about again", async () => {
    exchange = () => Promise.reject(new Refusal("BAD_CREDENTIAL", { status: 401 }));
    const [key, cookie] = [newKey(), `valence-reading=${newId()}`];
    const typeOf = async (headers: Record<string, string>) => {
      const { status, json, headers: answered } = await shelf(headers);
      return [status, json.type, answered.get("www-authenticate")];
    };
    const invalid = 'Bearer error="invalid_token"';
    expect(await typeOf({ authorization: `Bearer ${key}` })).toEqual([401, "/problems/invalid-key", invalid]);
    expect(await typeOf({ "x-api-key": key })).toEqual([401, "/problems/invalid-key", "Bearer"]);
    expect(await typeOf({ cookie })).toEqual([401, "/problems/session-ended", "Bearer"]);
    expect(await typeOf({ authorization: `Bearer ${foreign()}` })).toEqual([401, "/problems/invalid-token", invalid]);
    expect(exchanged).toHaveLength(4);
    exchange = known;
    expect((await shelf({ "x-api-key": key })).status).toBe(200);
  });

  test("cannot be checked while accounts is away: 503, never 401", async () => {
    exchange = () => Promise.reject(new Unavailable("ISSUER_UNAVAILABLE", { retryAfterMs: 5_000 }));
    const { status, headers, json } = await shelf({ "x-api-key": newKey() });
    expect([status, headers.get("retry-after"), json.type]).toEqual([503, "5", "/problems/issuer-unavailable"]);
    exchange = () => Promise.reject(new Error("a bug"));
    expect((await shelf({ "x-api-key": newKey() })).status).toBe(500);
  });

  test("whose exchange is a token that does not verify opens nothing", async () => {
    const stranger = await newSigner("key-1");
    for (const token of [
      await stranger.sign({ sub: ann, roles: ["admin"] }),
      await gateway.signer.sign({ sub: ann, roles: ["reader"], scope: ["not", "a", "text"] }),
      await gateway.signer.sign({ sub: ann, roles: ["reader"] }, {}, "-1h"),
      "",
    ]) {
      exchange = async () => token;
      expect((await shelf({ "x-api-key": newKey() })).status).toBe(401);
    }
    expect(actionsReached()).toEqual([]);
  });

  test("opens what operators read, as its user may", async () => {
    const asAdmin = () => gateway.signer.sign({ sub: staff, roles: ["admin"] }, {}, "90s");
    const cookie = `valence-reading=${newId()}`;
    expect((await gateway.http("GET", "/metrics", { headers: { cookie } })).status).toBe(403);
    exchange = asAdmin;
    const other = `valence-reading=${newId()}`;
    expect((await gateway.http("GET", "/metrics", { headers: { cookie: other } })).status).toBe(200);
    const asked = (path: string) => gateway.http("GET", path, { headers: { "x-api-key": newKey() } });
    const { json } = await asked("/openapi.json");
    expect(Object.keys(json.paths)).toContain("/api/v1/staff/loans/{id}/report");
    expect((await gateway.http("GET", "/openapi.json", { headers: { "x-api-key": "vk_x" } })).status).toBe(401);
    // A key of the same administrator that is narrowed to something else.
    exchange = () => gateway.signer.sign({ sub: staff, roles: ["admin"], scope: "shelves:read" }, {}, "90s");
    expect((await asked("/metrics")).status).toBe(403);
    const { json: narrowed } = await asked("/openapi.json");
    expect(Object.keys(narrowed.paths)).not.toContain("/api/v1/staff/loans/{id}/report");
  });
});

describe("a public route", () => {
  test("asks for no credential and ignores a bad one; the name of a session is no field of its query", async () => {
    const headers = { "x-api-key": "nonsense", cookie: "valence-reading=nonsense" };
    expect((await gateway.http("GET", `/api/v1/books/${book.id}?session=attic`, { headers })).status).toBe(200);
    expect((await gateway.http("GET", "/api/v1/books?q=a&session=desk&sort=title", {})).status).toBe(200);
    expect(gateway.reached.at(-1)!.params).toEqual({ q: "a", sort: "title" });
    expect(exchanged).toEqual([]);
  });
});

describe("a session's cookie", () => {
  test("is set for the session that the page names, and only there", async () => {
    const body = { email: "a@example.com", password: "secret" };
    const headers = { "sec-fetch-site": "same-origin" };
    const set = async (named: object) => {
      const { headers: answered, text } = await gateway.http("POST", "/api/v1/session", {
        body: { ...body, ...named },
        headers,
      });
      expect(text).not.toContain("vvv");
      return answered.get("set-cookie");
    };
    expect(await set({})).toMatch(/^valence-reading=v{43}; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/);
    expect(await set({ for: "desk" })).toMatch(/^valence-desk=v{43}; /);
    expect(gateway.reached.at(-1)!.params).toEqual(body);
    const login = await gateway.http("POST", "/api/v1/auth/login", { body });
    expect(login.headers.get("set-cookie")).toBeNull();
  });
});

describe("a forged token of ours", () => {
  const refused = async (name: string, token: string) => {
    const { status } = await shelf({ authorization: `Bearer ${token}` });
    expect([name, status]).toEqual([name, 401]);
  };

  test("HS256 with the public key as its secret", async () => {
    const { jwk } = gateway.signer;
    const pem = await exportSPKI((await importJWK(jwk, "ES256", { extractable: true })) as CryptoKey);
    const claims = { sub: ann, roles: ["admin"], iss: "valence", aud: "valence", jti: newId(), exp: 4_000_000_000 };
    for (const secret of [pem, pem.trim(), JSON.stringify(jwk), `${jwk.x}`]) {
      const body = `${encode({ alg: "HS256", typ: "at+jwt", kid: "key-1" })}.${encode(claims)}`;
      await refused("HS256", `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`);
    }
    expect(actionsReached()).toEqual([]);
  });

  test("a swapped kid, a key or an address of keys in the header, an unknown critical extension, no expiry, no id", async () => {
    const { signer } = gateway;
    const claims = { sub: ann, roles: ["reader"] };
    expect((await shelf({ authorization: `Bearer ${await second.sign(claims)}` })).status).toBe(200);
    gateway.reached.length = 0;
    await refused("key-1's token under key-2's id", await signer.sign(claims, { kid: "key-2" }));
    await refused("key-2's token under key-1's id", await second.sign(claims, { kid: "key-1" }));
    const stranger = await newSigner("mine");
    await refused("jku", await stranger.sign(claims, { jku: `${gateway.url}/keys` }));
    await refused("jwk", await stranger.sign(claims, { jwk: stranger.jwk, kid: "key-1" }));
    await refused("x5u", await stranger.sign(claims, { x5u: `${gateway.url}/keys` }));
    await refused("no expiry", await signer.sign(claims, {}, ""));
    const [, payload, signature] = (await signer.sign(claims)).split(".");
    const header = { alg: "ES256", kid: "key-1", typ: "at+jwt", crit: ["x"], x: 1 };
    await refused("crit", `${encode(header)}.${payload}.${signature}`);
    const noId = new SignJWT({ roles: ["reader"] }).setProtectedHeader({ alg: "ES256", kid: "key-1", typ: "at+jwt" });
    const unsigned = noId.setSubject(ann).setIssuer("valence").setAudience("valence").setExpirationTime("5m");
    await refused("no jti", await unsigned.sign(signer.privateKey));
    await refused("an unsigned part", `${(await signer.sign(claims)).split(".").slice(0, 2).join(".")}.`);
    expect(actionsReached()).toEqual([]);
  });

  test("a token of ours is not exchanged because it says another issuer, and the reverse", async () => {
    const own = await gateway.signer.sign({ sub: ann, roles: ["admin"], iss: ISSUER });
    exchange = () => Promise.reject(new Refusal("BAD_CREDENTIAL", { status: 401 }));
    await refused("our key, the issuer's name", own);
    expect(exchanged).toEqual([{ kind: "oidc", credential: own }]);
    expect(decodeJwt(own).iss).toBe(ISSUER);
  });
});
