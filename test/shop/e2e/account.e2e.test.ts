// One's own account over HTTP: sessions, passwords, the address; and the rotation of keys, which nobody notices.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Service, ServiceSchema } from "moleculer";
import { startBroker, type TestBroker } from "@valence/runtime/testing/broker";
import accounts from "../../../services/accounts/accounts.service.ts";
import api from "../../../services/api/api.service.ts";
import { mailServer, type MailServer } from "../../../mixins/mail/mail-server.fixture.ts";
import { until } from "../../../mixins/testing/index.ts";

const ADMIN = { email: "root@example.com", password: "correct horse" };
let house: TestBroker;
let url: string;
let server: MailServer;
beforeEach(async () => {
  server = await mailServer();
  house = await startBroker([accounts, api as unknown as ServiceSchema], {
    PORT: "0",
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
    ...server.env,
  });
  ({ url } = house.broker.getLocalService("api") as Service & { url: string });
});
afterEach(async () => {
  await house.stop();
  await server.stop();
});

const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
async function http(method: string, path: string, { token, body }: { token?: string; body?: unknown } = {}) {
  const response = await fetch(`${url}${path.startsWith("/.") ? "" : "/api/v1"}${path}`, {
    method,
    headers: {
      "User-Agent": FIREFOX,
      ...(body !== undefined && { "Content-Type": "application/json" }),
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const answer: unknown = text === "" ? undefined : JSON.parse(text);
  return { status: response.status, body: answer as any };
}
const ann = { email: "ann@example.com", password: "correct horse" };
const login = async (person = ann) => (await http("POST", "/auth/login", { body: person })).body;
const register = () => http("POST", "/auth/register", { body: { ...ann, name: "Ann" } });
const tokenOf = async (subject: string) => {
  const mail = await until(`the mail "${subject}"`, () =>
    server.got.find(({ text }) => text.includes(`Subject: ${subject}`)),
  );
  return /^([\w-]{43})$/m.exec(mail.text)![1]!;
};

test("a person sees their sessions by device, and ends one, the others, and all", async () => {
  await register();
  const [one, two] = [await login(), await login()];
  const { status, body } = await http("GET", "/me/sessions", { token: one.accessToken });
  expect([status, body.rows.length]).toEqual([200, 2]);
  expect(body.rows[0]).toEqual({
    id: expect.stringMatching(/^[\w-]+$/),
    device: "Firefox on Linux",
    address: expect.any(String),
    createdAt: expect.stringMatching(/Z$/),
    lastUsedAt: expect.stringMatching(/Z$/),
    current: false,
  });
  const [second, first] = body.rows;
  expect([first.current, second.current]).toEqual([true, false]);

  const refresh = ({ refreshToken }: { refreshToken: string }) =>
    http("POST", "/auth/refresh", { body: { refreshToken } });
  expect((await http("DELETE", `/me/sessions/${second.id}`, { token: one.accessToken })).status).toBe(204);
  expect((await http("DELETE", `/me/sessions/${second.id}`, { token: one.accessToken })).status).toBe(404);
  expect((await refresh(two)).status).toBe(401);
  const three = await login();
  expect((await http("DELETE", "/me/sessions?others=true", { token: three.accessToken })).status).toBe(204);
  expect((await refresh(one)).status).toBe(401);
  const next = (await refresh(three)).body;
  expect((await http("DELETE", "/me/sessions?others=maybe", { token: next.accessToken })).status).toBe(422);
  expect((await http("DELETE", "/me/sessions", { token: next.accessToken })).status).toBe(204);
  expect((await refresh(next)).status).toBe(401);
  expect((await http("GET", "/me/sessions")).status).toBe(401);
});

test("another person's session does not exist", async () => {
  await register();
  const { accessToken } = await login();
  const admin = await login(ADMIN);
  const { rows } = (await http("GET", "/me/sessions", { token: accessToken })).body;
  expect((await http("DELETE", `/me/sessions/${rows[0].id}`, { token: admin.accessToken })).status).toBe(404);
  for (const id of ["a%00b", "..", "x".repeat(65), "a%2Fb"])
    expect((await http("DELETE", `/me/sessions/${id}`, { token: accessToken })).status).toBeLessThan(500);
});

test("a password is changed, forgotten and set anew, each answered without a body", async () => {
  await register();
  const { accessToken: token } = await login();
  const change = { currentPassword: ann.password, newPassword: "battery staple 7" };
  const weak = await http("POST", "/me/password", { token, body: { ...change, newPassword: "password1" } });
  expect([weak.status, weak.body.errors[0]]).toEqual([
    422,
    { field: "newPassword", message: "is easy to guess: this is a commonly used password" },
  ]);
  expect((await http("POST", "/me/password", { token, body: { ...change, currentPassword: "no" } })).status).toBe(403);
  expect(await http("POST", "/me/password", { token, body: change })).toEqual({ status: 204, body: undefined });
  const answers = [];
  for (const email of [ann.email, "nobody@example.com"])
    answers.push(await http("POST", "/auth/password/forgot", { body: { email } }));
  expect(answers[0]).toEqual({ status: 202, body: { accepted: true } });
  expect(answers[1]).toEqual(answers[0]);
  const body = { token: await tokenOf("Set a new password"), newPassword: "another one 8" };
  expect((await http("POST", "/auth/password/reset", { body })).status).toBe(204);
  expect((await http("POST", "/auth/password/reset", { body })).status).toBe(422);
  expect((await http("POST", "/auth/login", { body: { ...ann, password: body.newPassword } })).status).toBe(200);
});

test("an address is verified by the mailed token, and shown as such", async () => {
  const { body: person } = await register();
  expect(person.emailVerified).toBe(false);
  const { accessToken: token } = await login();
  expect((await http("POST", "/me/email/verification", { token })).status).toBe(202);
  const verify = (mailed: string) => http("POST", "/auth/email/verify", { body: { token: mailed } });
  expect((await verify("made-up")).body).toMatchObject({ status: 422, errors: [{ field: "token" }] });
  expect((await verify(await tokenOf("Verify"))).status).toBe(204);
  expect((await http("GET", "/me", { token })).body.emailVerified).toBe(true);
  expect((await http("POST", "/me/email/verification", { token })).status).toBe(409);
});

test("an administrator rotates the keys; tokens of before go on, and a customer may not", async () => {
  await register();
  const [{ accessToken: token }, admin] = [await login(), await login(ADMIN)];
  expect((await http("POST", "/ops/keys/rotate", { token })).status).toBe(403);
  expect((await http("GET", "/ops/keys", { token })).status).toBe(403);
  const rotated = await http("POST", "/ops/keys/rotate", { token: admin.accessToken });
  expect([rotated.status, rotated.body.keys.map(({ state }: { state: string }) => state)]).toEqual([
    200,
    ["published", "signing"],
  ]);
  expect((await http("GET", "/ops/keys", { token: admin.accessToken })).body).toEqual(rotated.body);
  const { keys } = (await http("GET", "/.well-known/jwks.json")).body;
  expect(keys.map(({ kid }: { kid: string }) => kid).toSorted()).toEqual(
    rotated.body.keys.map(({ kid }: { kid: string }) => kid).toSorted(),
  );
  expect(JSON.stringify([rotated.body, keys])).not.toContain('"d"');
  expect((await http("GET", "/me", { token })).status).toBe(200);
  expect((await http("GET", "/me", { token: (await login()).accessToken })).status).toBe(200);

  const session = await login();
  const replaced = await http("POST", "/ops/keys/rotate", { token: admin.accessToken, body: { stolen: true } });
  expect(replaced.body.keys).toHaveLength(1);
  // The gateway looks for new keys, at most every few seconds, when it meets one that it does not know.
  const refreshed = (await http("POST", "/auth/refresh", { body: { refreshToken: session.refreshToken } })).body;
  await until("the new key is known", async () => {
    return (await http("GET", "/me", { token: refreshed.accessToken })).status === 200;
  });
});
