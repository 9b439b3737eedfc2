// Browser sessions over HTTP where Redis holds the sessions.
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { RedisServer } from "../../testing/servers.ts";
import { ada, startEntrances, type Entered } from "../entrances.fixture.ts";

let redis: RedisServer;
let house: Entered;
beforeAll(async () => {
  redis = await RedisServer.start();
  house = await startEntrances({ REDIS_URL: redis.url });
});
afterAll(async () => {
  await house?.stop();
  await redis?.stop();
});

test("a page logs in, is found in the list of sessions, and is out at once when it is ended there", async () => {
  const person = await house.person(ada);
  const { cookie, status } = await house.browser(ada);
  expect(status).toBe(200);
  const { json } = await house.http("GET", "/whoami", { cookie });
  expect(json.user).toMatchObject({ id: person.id, session: expect.any(String) });
  const listed = await house.http("GET", "/me/sessions", { cookie });
  expect(listed.json.rows.filter(({ current }: { current: boolean }) => current)).toMatchObject([
    { id: json.user.session },
  ]);
  expect((await house.http("DELETE", `/me/sessions/${json.user.session}`, { token: person.token })).status).toBe(204);
  expect((await house.http("GET", "/whoami", { cookie })).status).toBe(401);
});

test("a page logs out, and its session is gone from Redis", async () => {
  const { cookie } = await house.browser(ada);
  const { session } = (await house.http("GET", "/whoami", { cookie })).json.user;
  const headers = { origin: house.origin };
  expect((await house.http("DELETE", "/session", { cookie, headers })).status).toBe(204);
  expect((await house.http("GET", "/whoami", { cookie })).status).toBe(401);
  const { json } = await house.http("POST", "/auth/login", { body: { email: ada.email, password: ada.password } });
  const listed = await house.http("GET", "/me/sessions", { token: json.accessToken });
  expect(listed.json.rows.map(({ id }: { id: string }) => id)).not.toContain(session);
});

test("a password that is set anew while a log-in waits to be checked opens no session in Redis either", async () => {
  const { accounts } = house;
  const { id } = (await accounts.users.byEmail(ada.email))!.person;
  await accounts.sessions.endAll(id);
  const compare = accounts.passwords.verify.bind(accounts.passwords);
  const enter = async (path: string) => {
    jest.spyOn(accounts.passwords, "verify").mockImplementationOnce(async (hashed, password) => {
      const isRight = await compare(hashed, password);
      await accounts.users.setPassword(id, await accounts.passwords.hash(ada.password));
      await accounts.sessions.endAll(id);
      return isRight;
    });
    const body = { email: ada.email, password: ada.password };
    return (await house.http("POST", path, { body, headers: { origin: house.origin } })).status;
  };
  expect([await enter("/auth/login"), await enter("/session")]).toEqual([401, 401]);
  expect(await accounts.sessions.list(id)).toEqual([]);
});

test("an access token whose session has ended in Redis makes no key", async () => {
  const { json } = await house.http("POST", "/auth/login", { body: { email: ada.email, password: ada.password } });
  const make = () =>
    house.http("POST", "/me/keys", { token: json.accessToken, body: { name: "till", scopes: ["notes:read"] } });
  expect((await make()).status).toBe(201);
  await house.http("POST", "/auth/logout", { body: { refreshToken: json.refreshToken } });
  expect((await make()).status).toBe(401);
});

test("while Redis is away a cookie cannot be checked: 503, never 401", async () => {
  const { cookie } = await house.browser(ada);
  await redis.halt();
  house.gateway.exchanges.forget((await house.accounts.users.byEmail(ada.email))!.person.id);
  expect((await house.http("GET", "/whoami", { cookie })).status).toBe(503);
});
