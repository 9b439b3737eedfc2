// Access tokens of an external issuer, over HTTP, against a real one.
import { createHmac } from "node:crypto";
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { decodeJwt, decodeProtectedHeader, exportSPKI, importJWK, type CryptoKey } from "jose";
import { ada, startEntrances, type Entered } from "../entrances.fixture.ts";
import { limits } from "../limits.ts";
import { AUDIENCE, newIssuerKey, startIssuer, type RunningIssuer } from "./issuer.fixture.ts";

const people: Record<string, Record<string, unknown>> = {
  dora: { name: "Dora", email: "dora@corp.example", email_verified: true, groups: ["staff", "other"] },
  emil: { email: "emil@corp.example", email_verified: true, realm_access: { roles: ["boss"] } },
  robot: {},
  unverified: { email: "victim@example.com", email_verified: false },
  spelled: { email: "victim@example.com", email_verified: "true" },
  twin: { email: "dora@corp.example", email_verified: true },
};
const OIDC_ROLES = "groups=staff:clerk,realm_access.roles=boss:admin";

let issuer: RunningIssuer;
let house: Entered;
beforeAll(async () => {
  issuer = await startIssuer(people);
  house = await startEntrances({ OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: AUDIENCE, OIDC_ROLES });
});
afterAll(async () => {
  await house?.stop();
  await issuer?.stop();
});
beforeEach(() => {
  house.reached.length = 0;
});
const whoami = (token: string) => house.http("GET", "/whoami", { token });
const userOf = async (token: string) => (await whoami(token)).json.user as { id: string; roles: string[] };

describe("a token of the issuer", () => {
  test("opens the API; a token of ours travels with the call, and outlives neither itself nor the issuer's", async () => {
    const token = await issuer.token("dora");
    expect(decodeProtectedHeader(token)).toMatchObject({ typ: "at+jwt", alg: "RS256" });
    const { status, json } = await whoami(token);
    expect([status, json.user.roles]).toEqual([200, ["guest", "clerk"]]);
    const minted = house.reached[0]!.token!;
    expect(decodeProtectedHeader(minted)).toMatchObject({ alg: "ES256", typ: "at+jwt" });
    expect(decodeJwt(minted)).toMatchObject({ iss: "valence", aud: "valence", sub: json.user.id });
    expect(decodeJwt(minted).exp! - decodeJwt(minted).iat!).toBe(limits.exchangedTokenSeconds);
    const short = await issuer.sign({ sub: "dora", exp: Math.floor(Date.now() / 1_000) + 40 });
    await whoami(short);
    expect(decodeJwt(house.reached.at(-1)!.token!).exp).toBeLessThanOrEqual(decodeJwt(short).exp!);
  });

  test("gives the roles that its claims have, also nested ones, and they go with the claims", async () => {
    expect((await userOf(await issuer.token("emil"))).roles).toEqual(["guest", "admin"]);
    expect((await house.http("GET", "/staff", { token: await issuer.token("emil") })).status).toBe(200);
    people["emil"]!["realm_access"] = { roles: [] };
    expect((await userOf(await issuer.token("emil"))).roles).toEqual(["guest"]);
    expect((await house.http("GET", "/staff", { token: await issuer.token("emil") })).status).toBe(403);
  });

  test("is asked about once a minute, not for each request", async () => {
    const token = await issuer.token("dora");
    const verify = jest.spyOn(house.accounts.issuer!, "verify");
    await Promise.all(Array.from({ length: 10 }, () => whoami(token)));
    expect(verify).toHaveBeenCalledTimes(1);
    verify.mockRestore();
  });
});

describe("a forged token", () => {
  const refused = async (token: string) => {
    const { status, json } = await whoami(token);
    expect([status, json.type]).toEqual([401, "/problems/invalid-token"]);
    expect(house.reached).toEqual([]);
  };
  const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = (more: object = {}) => {
    const now = Math.floor(Date.now() / 1_000);
    return { iss: issuer.url, aud: AUDIENCE, sub: "forged", iat: now, exp: now + 300, ...more };
  };

  test("with alg none", async () => {
    for (const alg of ["none", "None", "NONE"])
      await refused(`${base64({ alg, kid: "issuer-1" })}.${base64(claims())}.`);
  });

  test("with HS256 and the public key as its secret", async () => {
    const pem = await exportSPKI((await importJWK(issuer.key.publicJwk, "RS256", { extractable: true })) as CryptoKey);
    const secrets = [pem, pem.trim(), JSON.stringify(issuer.key.publicJwk), issuer.key.publicJwk.n!];
    for (const secret of secrets) {
      const body = `${base64({ alg: "HS256", typ: "at+jwt", kid: "issuer-1" })}.${base64(claims())}`;
      await refused(`${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`);
    }
  });

  test("with a key that it brings along or names, in jwk, jku or x5u: nobody fetches it", async () => {
    const own = await newIssuerKey("mine");
    let fetched = 0;
    const server: Server = createServer((_, res) => {
      fetched++;
      res.end(JSON.stringify({ keys: [own.publicJwk] }));
    });
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    const jku = `http://127.0.0.1:${(server.address() as { port: number }).port}/jwks`;
    for (const header of [{ jwk: own.publicJwk }, { jku }, { x5u: jku }, { jwk: own.publicJwk, kid: "issuer-1" }])
      await refused(await issuer.sign({}, { kid: "mine", ...header }, own.privateKey));
    await refused(await issuer.sign({}, {}, own.privateKey));
    server.close();
    expect(fetched).toBe(0);
  });

  test.each<[string, Record<string, unknown>, object]>([
    ["for another audience", { aud: "https://other.example.com" }, {}],
    ["for no audience", { aud: undefined }, {}],
    ["without an end", { exp: undefined }, {}],
    ["that has expired", { exp: 1_700_000_000 }, {}],
    ["that is not valid yet", { nbf: 4_000_000_000 }, {}],
    ["of nobody", { sub: undefined }, {}],
    ["of an empty subject", { sub: "" }, {}],
    ["of a subject of thousands of characters", { sub: "x".repeat(1_000) }, {}],
    ["that is bound to a key", { cnf: { jkt: "x" } }, {}],
    ["for a log-out", {}, { typ: "logout+jwt" }],
    ["of another type", {}, { typ: "dpop+jwt" }],
    ["of an unknown key", {}, { kid: "issuer-99" }],
  ])("%s", async (_, more, header) => refused(await issuer.sign(more, header)));

  test("with an extension that it calls critical", async () => {
    const [, payload, signature] = (await issuer.sign()).split(".");
    await refused(`${base64({ alg: "RS256", kid: "issuer-1", crit: ["exp"], exp: 1 })}.${payload}.${signature}`);
  });

  test("that claims our own issuer, or another one", async () => {
    await refused(await issuer.sign({ iss: "valence", aud: "valence", roles: ["admin"], jti: "x" }, { typ: "at+jwt" }));
    await refused(await issuer.sign({ iss: "https://issuer.example" }));
    await refused(await issuer.sign({ iss: `${issuer.url}/` }));
  });

  test("roles of its own are nothing: only mapped claims count", async () => {
    const { roles } = await userOf(await issuer.sign({ sub: "robot", roles: ["admin"], scope: "admin" }));
    expect(roles).toEqual(["guest"]);
  });

  test("a good token for another API of the same issuer opens nothing here", async () => {
    await refused(await issuer.token("dora", "https://other.example.com"));
  });
});

describe("the first visit", () => {
  test("makes an account, once, however many requests come at once", async () => {
    const [token, other] = [await issuer.sign({ sub: "many" }), await issuer.sign({ sub: "many", jti: "2" })];
    const users = await Promise.all(Array.from({ length: 10 }, (_, i) => userOf(i % 2 ? token : other)));
    expect(new Set(users.map(({ id }) => id)).size).toBe(1);
    expect(await house.database.knex("external_people").where({ subject: "many" })).toHaveLength(1);
  });

  test("with a verified address: an account under it, which no password opens", async () => {
    const { id } = await userOf(await issuer.token("dora"));
    const { json: me } = await house.http("GET", "/me", { token: await issuer.token("dora") });
    expect(me).toMatchObject({ id, email: "dora@corp.example", emailVerified: true, name: "Dora", roles: ["guest"] });
    const login = { email: "dora@corp.example", password: "a password" };
    expect((await house.http("POST", "/auth/login", { body: login })).json.type).toBe("/problems/bad-credentials");
  });

  test("the same subject stays the same person, whatever its address says later", async () => {
    const { id } = await userOf(await issuer.token("dora"));
    await house.person({ ...ada, email: "chief@example.com" });
    const moved = await issuer.sign({ sub: "dora", email: "chief@example.com", email_verified: true });
    expect((await userOf(moved)).id).toBe(id);
  });

  test("without an address, or with one that is not verified: an account that no mail reaches, and nobody else's", async () => {
    const victim = await house.person({ ...ada, email: "victim@example.com" });
    for (const client of ["robot", "unverified", "spelled"]) {
      const { id } = await userOf(await issuer.token(client));
      expect(id).not.toBe(victim.id);
      const { person } = (await house.accounts.users.byId(id))!;
      expect(person).toMatchObject({
        email: expect.stringMatching(/^[0-9a-f]{32}@external\.invalid$/),
        emailVerified: false,
      });
    }
    expect((await whoami(victim.token)).status).toBe(200);
  });

  test("a second subject with an address that has a subject already is somebody else", async () => {
    const dora = await userOf(await issuer.token("dora"));
    const twin = await userOf(await issuer.token("twin"));
    expect(twin.id).not.toBe(dora.id);
    expect((await house.accounts.users.byId(twin.id))!.person.email).toMatch(/@external\.invalid$/);
  });

  test("a verified address takes over the account that a stranger opened with it: every way of theirs ends", async () => {
    const stranger = { email: "owner@corp.example", password: "planted garden shovel", name: "Stranger" };
    const { id, token, refreshToken } = await house.person(stranger);
    const { cookie } = await house.browser(stranger);
    const key = await house.http("POST", "/me/keys", { token, body: { name: "x", scopes: ["notes:read"] } });
    expect((await house.http("GET", "/whoami", { cookie })).status).toBe(200);
    const headers = { "x-api-key": key.json.key };
    expect((await house.http("GET", "/whoami", { headers })).status).toBe(200);
    const owner = await issuer.sign({ sub: "owner", email: stranger.email, email_verified: true });
    expect((await userOf(owner)).id).toBe(id);
    expect((await house.browser(stranger)).status).toBe(401);
    expect((await house.http("GET", "/whoami", { cookie })).status).toBe(401);
    expect((await house.http("GET", "/whoami", { headers })).status).toBe(401);
    expect((await house.http("POST", "/auth/refresh", { body: { refreshToken } })).status).toBe(401);
    expect((await house.accounts.users.byId(id))!.person.emailVerified).toBe(true);
  });

  test("an account whose owner has verified the address is linked and keeps its ways in", async () => {
    const owner = { email: "kept@corp.example", password: "quiet river stone", name: "Kept" };
    const { id } = await house.person(owner);
    await house.accounts.users.setEmailVerified(id);
    const { cookie } = await house.browser(owner);
    expect((await userOf(await issuer.sign({ sub: "kept", email: owner.email, email_verified: true }))).id).toBe(id);
    expect((await house.browser(owner)).status).toBe(200);
    expect((await house.http("GET", "/whoami", { cookie })).status).toBe(200);
  });

  test("a name that is no line of text is left out", async () => {
    const { id } = await userOf(await issuer.sign({ sub: "nameless", name: "a\u202eb\u0007" }));
    expect((await house.accounts.users.byId(id))!.person.name).toBe("Unnamed");
  });
});

describe("the issuer", () => {
  test("signs with another key: its tokens are taken, those of the old key are not", async () => {
    const old = await issuer.sign({ sub: "dora" });
    await issuer.rotate();
    // The keys are fetched again for an unknown one, but not more often than every few seconds.
    await new Promise(resolve => setTimeout(resolve, limits.issuerKeysPauseMs + 100));
    expect((await whoami(await issuer.token("dora"))).status).toBe(200);
    expect((await whoami(old)).status).toBe(401);
  });

  test("unknown keys make it fetch at most every few seconds", async () => {
    const before = issuer.asked.length;
    for (let n = 0; n < 10; n++)
      expect((await whoami(await issuer.sign({}, { kid: `unknown-${n}` }))).status).toBe(401);
    expect(issuer.asked.length - before).toBeLessThanOrEqual(1);
  });

  test("is away: known tokens and keys go on, and a start without it answers 503 with Retry-After, never 401", async () => {
    const token = await issuer.token("dora");
    await issuer.leave();
    expect((await whoami(token)).status).toBe(200);
    const fresh = await startEntrances({ OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: AUDIENCE });
    try {
      const away = await fresh.http("GET", "/whoami", { token });
      expect([away.status, away.json.type]).toEqual([503, "/problems/issuer-unavailable"]);
      expect(Number(away.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      const own = await fresh.person(ada);
      expect((await fresh.http("GET", "/whoami", { token: own.token })).status).toBe(200);
      await issuer.come();
      await new Promise(resolve => setTimeout(resolve, limits.issuerKeysPauseMs + 100));
      expect((await fresh.http("GET", "/whoami", { token })).status).toBe(200);
    } finally {
      await fresh.stop();
    }
  });

  test("that never answers costs a client no more than the time-out", async () => {
    const silent = createServer(() => {});
    await new Promise<void>(resolve => silent.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(silent.address() as { port: number }).port}`;
    const fresh = await startEntrances({ OIDC_ISSUER: url, OIDC_AUDIENCE: AUDIENCE });
    try {
      const token = await issuer.sign({ iss: url });
      const startedAt = performance.now();
      const answers = await Promise.all([1, 2, 3].map(() => fresh.http("GET", "/whoami", { token })));
      expect(answers.map(({ status }) => status)).toEqual([503, 503, 503]);
      expect(performance.now() - startedAt).toBeLessThan(limits.issuerTimeoutMs + 4_000);
      const again = performance.now();
      expect((await fresh.http("GET", "/whoami", { token })).status).toBe(503);
      expect(performance.now() - again).toBeLessThan(1_000);
    } finally {
      await fresh.stop();
      silent.closeAllConnections();
      silent.close();
    }
  });

  test.each([
    ["names another issuer", { issuer: "https://other.example", jwks_uri: "http://127.0.0.1/jwks" }],
    ["has its keys nowhere", {}],
    ["has its keys in a file", { jwks_uri: "file:///etc/passwd" }],
  ])("whose description %s is as if it were away", async (_, description) => {
    let url = "";
    const server = createServer((_req, res) => {
      res.setHeader("content-type", "application/json");
      res.end(JSON.stringify({ issuer: url, ...description }));
    });
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    const fresh = await startEntrances({ OIDC_ISSUER: url, OIDC_AUDIENCE: AUDIENCE });
    try {
      expect((await fresh.http("GET", "/whoami", { token: await issuer.sign({ iss: url }) })).status).toBe(503);
    } finally {
      await fresh.stop();
      server.closeAllConnections();
      server.close();
    }
  });
});

describe("a wrong configuration stops the start and names the variable", () => {
  test.each([
    ["OIDC_AUDIENCE", { OIDC_ISSUER: "https://issuer.example" }],
    ["OIDC_AUDIENCE", { OIDC_AUDIENCE: AUDIENCE }],
    ["OIDC_ISSUER", { OIDC_ISSUER: "http://issuer.example", OIDC_AUDIENCE: AUDIENCE }],
    ["OIDC_ISSUER", { OIDC_ISSUER: "issuer", OIDC_AUDIENCE: AUDIENCE }],
    ["OIDC_ISSUER", { OIDC_ISSUER: "https://issuer.example/?x=1", OIDC_AUDIENCE: AUDIENCE }],
    ["OIDC_ROLES", { OIDC_ISSUER: "https://issuer.example", OIDC_AUDIENCE: AUDIENCE, OIDC_ROLES: "groups" }],
    [
      "OIDC_ROLES",
      { OIDC_ISSUER: "https://issuer.example", OIDC_AUDIENCE: AUDIENCE, OIDC_ROLES: "groups=staff:wizard" },
    ],
  ])("%s of %j", async (variable, env) => {
    await expect(startEntrances(env as unknown as Record<string, string>)).rejects.toThrow(new RegExp(`^${variable}=`));
  });
});
