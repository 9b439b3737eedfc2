// Changing a password, and setting a lost one anew by a token that is mailed.
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { decodeJwt } from "jose";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "../../broker/index.ts";
import { typedCall, type Call } from "../../contract/index.ts";
import type { Database } from "../../database/index.ts";
import { newId, readEnvironment, systemClock } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { newDatabases, type Databases } from "../../testing/servers.ts";
import { Accounts } from "../accounts.ts";
import { accountsContract } from "../contract.ts";
import { limits } from "../limits.ts";
import type { AccountsParts } from "../parts.ts";
import type { SessionStore } from "../session-store.ts";
import { Users } from "../users.ts";
import type { Passwords } from "./passwords.ts";

let databases: Databases;
let broker: ServiceBroker;
let call: Call;
let database: Database;
let warned: string[];
let mails: AccountsParts["mails"];
let passwords: Passwords;
let sessions: SessionStore;
beforeEach(async () => {
  databases = await newDatabases();
  broker = new ServiceBroker({ ...brokerOptions(readEnvironment(databases.env)), logger: false });
  const created = broker.createService(
    Accounts(accountsContract({ roles: ["guest"] }), { firstAdministrator: () => false }),
  );
  const service = created as unknown as AccountsParts & { logger: { warn: unknown } };
  warned = [];
  service.logger.warn = jest.fn((line: string) => void warned.push(line));
  await broker.start();
  ({ database, mails, passwords, sessions } = service);
  call = typedCall(broker);
});
afterEach(async () => {
  await broker.stop();
  await databases.remove();
});

const ada = { email: "ada@example.com", password: "correct horse" };
const NEW = "battery staple 7";
const register = async () => {
  const person = await call("accounts.register", { ...ada, name: "Ada" });
  await mailed("Verify");
  return person;
};
const login = (password = ada.password, meta: object = {}) =>
  call("accounts.login", { email: ada.email, password }, { meta: { ...meta } });
/** A call as the gateway makes it for the person of this access token. */
const as = ({ accessToken }: { accessToken: string }, address = "192.0.2.1") => {
  const { sub, roles, sid } = decodeJwt(accessToken);
  return { meta: { user: { id: sub, roles, session: sid }, address } };
};
const refreshes = ({ refreshToken }: { refreshToken: string }) => call("accounts.refresh", { refreshToken });
const gone = { type: "BAD_REFRESH_TOKEN", code: 401 };
const refused = (type: string, code: number, field: string) => ({ type, code, data: { errors: [{ field }] } });

/** The next mail with this subject; it is taken away. */
async function mailed(subject: string): Promise<string> {
  const folder = join(databases.folder, "mail");
  const found = await until(`a mail "${subject}"`, async () => {
    for (const name of await readdir(folder).catch(() => [] as string[])) {
      if (!name.endsWith(".eml")) continue;
      const text = await readFile(join(folder, name), "utf8");
      if (text.includes(`Subject: ${subject}`)) return { name, text };
    }
    return undefined;
  });
  await rm(join(folder, found.name));
  return found.text;
}
const tokenIn = (mail: string) => /^([\w-]{43})$/m.exec(mail)![1]!;
const forgot = (email = ada.email, address?: string) =>
  call("accounts.forgotPassword", { email }, { meta: { ...(address !== undefined && { address }) } });
const resetToken = async () => {
  await forgot();
  return tokenIn(await mailed("Set a new password"));
};
const reset = (token: string, newPassword = NEW) => call("accounts.resetPassword", { token, newPassword });

test("a password is changed by the person who knows it; their other sessions end, and they are told by mail", async () => {
  const { id } = await register();
  const [here, there] = [await login(), await login()];
  await call("accounts.changePassword", { currentPassword: ada.password, newPassword: NEW }, as(here));
  expect(warned).toEqual([
    expect.stringMatching(`^the password of user ${id} was changed, from 192.0.2.1, request [\\w-]+$`),
  ]);
  await expect(refreshes(there)).rejects.toMatchObject(gone);
  await refreshes(here);
  await expect(login()).rejects.toMatchObject({ type: "BAD_CREDENTIALS" });
  await login(NEW);
  expect(await mailed("Your password was changed")).not.toContain("/reset-password");
});

test("P6 a wrong current password, a weak new one and a malformed one change nothing, and end no session", async () => {
  await register();
  const [here, there] = [await login(), await login()];
  const change = (currentPassword: string, newPassword: string) =>
    call("accounts.changePassword", { currentPassword, newPassword }, as(here));
  await expect(change("wrong", NEW)).rejects.toMatchObject(refused("WRONG_PASSWORD", 403, "currentPassword"));
  await expect(change(ada.password, "password1")).rejects.toMatchObject(refused("WEAK_PASSWORD", 422, "newPassword"));
  await expect(change(ada.password, "ada@example.com")).rejects.toMatchObject({ type: "WEAK_PASSWORD" });
  await expect(change(ada.password, "short")).rejects.toMatchObject({ code: 422, data: [{ field: "newPassword" }] });
  await refreshes(there);
  await login();
});

test("guesses at the current password count as log-ins: with a stolen access token nobody finds it", async () => {
  await register();
  const here = await login();
  const guess = () => call("accounts.changePassword", { currentPassword: "guess", newPassword: NEW }, as(here));
  for (let n = 0; n < limits.failedLoginsMax; n++)
    await expect(guess()).rejects.toMatchObject({ type: "WRONG_PASSWORD" });
  await expect(guess()).rejects.toMatchObject({ type: "TOO_MANY_ATTEMPTS", code: 429 });
});

test("of two changes at once one wins, and the other is told that its current password is wrong", async () => {
  await register();
  const here = await login();
  const results = await Promise.allSettled(
    [NEW, "another one 8"].map(newPassword =>
      call("accounts.changePassword", { currentPassword: ada.password, newPassword }, as(here)),
    ),
  );
  expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  expect(results.find(({ status }) => status === "rejected")).toMatchObject({ reason: { type: "WRONG_PASSWORD" } });
});

/** Runs `work` when the next password has been compared, and before the comparison is told. */
function whenCompared(work: () => Promise<unknown>): void {
  const compare = passwords.verify.bind(passwords);
  jest.spyOn(passwords, "verify").mockImplementationOnce(async (hashed, password) => {
    const isRight = await compare(hashed, password);
    await work();
    return isRight;
  });
}

test.each(["login", "openSession"] as const)(
  "a password that is set anew while %s waits to be checked opens no session",
  async action => {
    const { id } = await register();
    const here = await login();
    const enter = (password: string) => call(`accounts.${action}`, { email: ada.email, password });
    whenCompared(() => call("accounts.changePassword", { currentPassword: ada.password, newPassword: NEW }, as(here)));
    await expect(enter(ada.password)).rejects.toMatchObject({ type: "BAD_CREDENTIALS", code: 401 });
    expect((await sessions.list(id)).map(session => session.id)).toEqual([as(here).meta.user.session]);
    const token = await resetToken();
    whenCompared(() => reset(token, "another one 8"));
    await expect(enter(NEW)).rejects.toMatchObject({ type: "BAD_CREDENTIALS", code: 401 });
    expect(await sessions.list(id)).toEqual([]);
  },
);

test("sessions that do not end leave the password as it was", async () => {
  await register();
  const here = await login();
  jest.spyOn(sessions, "endAll").mockRejectedValueOnce(new Error("the session store is away"));
  const change = call("accounts.changePassword", { currentPassword: ada.password, newPassword: NEW }, as(here));
  await expect(change).rejects.toThrow("the session store is away");
  await login();
});

test("a person who sets a new password gets in with it at once, whatever they or strangers tried before", async () => {
  await register();
  const home = { address: "192.0.2.1" };
  await login(ada.password, home);
  const token = await resetToken();
  const guess = async (address: string) => {
    for (let n = 0; n < 2 * limits.failedLoginsMax; n++) await login("guess", { address }).catch(() => {});
  };
  await guess("198.51.100.1");
  await guess(home.address);
  await call("accounts.resetPassword", { token, newPassword: NEW }, { meta: { ...home } });
  await login(NEW, home);
  await guess("198.51.100.1");
  await login(NEW, home);
});

test.each(["before", "after"])(
  "who registered with somebody's address keeps no way in: a reset %s the owner has verified it ends the keys of before",
  async when => {
    await call("accounts.register", { ...ada, name: "Ada" });
    const toVerify = tokenIn(await mailed("Verify"));
    const make = async (entered: { accessToken: string }) =>
      (await call("accounts.createApiKey", { name: "till", scopes: ["account:*"] }, as(entered))).key;
    const opens = (key: string) => call("accounts.exchange", { kind: "key", credential: key });
    const strangers = await make(await login());
    await opens(strangers);
    if (when === "after") {
      await sleep(2);
      await call("accounts.verifyEmail", { token: toVerify });
    }
    await reset(await resetToken());
    await expect(opens(strangers)).rejects.toMatchObject({ type: "BAD_CREDENTIAL" });
    expect(warned.at(-1)).toContain("and 1 keys of before its address was verified ended");
    // From now on the account is its mailbox's owner's, whose machines go on after another reset.
    const own = await make(await login(NEW));
    await reset(await resetToken(), "another one 8");
    await opens(own);
  },
);

test("the access token of a session that has ended changes nothing of the account, and reads until its end", async () => {
  const { id } = await register();
  const thief = as(await login());
  const { meta } = thief;
  const asAdministrator = { meta: { user: { ...meta.user, roles: ["admin"] } } };
  const kept = as(await login());
  const { key: _, ...made } = await call("accounts.createApiKey", { name: "till", scopes: ["notes:read"] }, kept);
  await call("accounts.endSession", { id: meta.user.session as string }, kept);
  const over = { type: "SESSION_OVER", code: 401 };
  await Promise.all(
    [
      call("accounts.createApiKey", { name: "back door", scopes: ["account:*"] }, thief),
      call("accounts.revokeApiKey", { user: id, id: made.id }, thief),
      call("accounts.changePassword", { currentPassword: ada.password, newPassword: NEW }, thief),
      call("accounts.changeProfile", { person: id, name: "Eve" }, thief),
      call("accounts.endSession", { id: kept.meta.user.session as string }, thief),
      call("accounts.endSessions", {}, thief),
      call("accounts.sendVerification", {}, thief),
      call("accounts.setRoles", { id, roles: ["admin"] }, asAdministrator),
      call("accounts.rotateKeys", { stolen: true }, asAdministrator),
    ].map(asked => expect(asked).rejects.toMatchObject(over)),
  );
  expect((await call("accounts.apiKeys", { user: id }, thief)).rows).toEqual([made]);
  expect((await call("accounts.sessions", {}, thief)).rows.map(row => row.id)).toEqual([kept.meta.user.session]);
  expect(await call("accounts.get", { id }, thief)).toMatchObject({ name: "Ada", roles: [] });
  await login();
});

test("a key that is made while all sessions end is made before, or not at all", async () => {
  const { id } = await register();
  const thief = as(await login());
  const make = () => call("accounts.createApiKey", { name: "back door", scopes: ["account:*"] }, thief);
  const { making } = await database.transaction(async trx => {
    await new Users({ knex: trx }, systemClock).setPassword(id, await passwords.hash(NEW));
    const making = expect(make()).rejects.toMatchObject({ type: "SESSION_OVER" });
    await sessions.endAll(id, undefined, trx);
    return { making };
  });
  await making;
  expect(await database.knex("api_keys")).toEqual([]);
});

test("a session that ends while its password change waits to be checked changes nothing", async () => {
  const { id } = await register();
  const thief = as(await login());
  whenCompared(() => sessions.endAll(id));
  const change = call("accounts.changePassword", { currentPassword: ada.password, newPassword: NEW }, thief);
  await expect(change).rejects.toMatchObject({ type: "SESSION_OVER", code: 401 });
  await login();
});

test("a call on nobody's behalf has no account of its own", async () => {
  const { id } = await register();
  const calls = (meta: object) => [
    call("accounts.changePassword", { currentPassword: ada.password, newPassword: NEW }, { meta: { ...meta } }),
    call("accounts.sessions", {}, { meta: { ...meta } }),
    call("accounts.endSession", { id }, { meta: { ...meta } }),
    call("accounts.endSessions", {}, { meta: { ...meta } }),
    call("accounts.sendVerification", {}, { meta: { ...meta } }),
  ];
  for (const asked of [...calls({}), ...calls({ user: { id: "", roles: [] } })])
    await expect(asked).rejects.toMatchObject({ type: "FORBIDDEN", code: 403 });
});

test("a lost password is set anew by the mailed token, once; all sessions end, and the address is verified", async () => {
  const { id } = await register();
  const [one, two] = [await login(), await login()];
  const token = await resetToken();
  await reset(token);
  for (const session of [one, two]) await expect(refreshes(session)).rejects.toMatchObject(gone);
  await expect(login()).rejects.toMatchObject({ type: "BAD_CREDENTIALS" });
  await login(NEW);
  expect((await call("accounts.get", { id })).emailVerified).toBe(true);
  await expect(reset(token, "yet another 9")).rejects.toMatchObject(refused("TOKEN_USED", 422, "token"));
  await mailed("Your password was changed");
  await login(NEW);
});

test("a token that is unknown, mailed for something else, used, withdrawn or expired changes nothing, and says which", async () => {
  await call("accounts.register", { ...ada, name: "Ada" });
  const verification = tokenIn(await mailed("Verify"));
  const here = await login();
  await expect(reset("x".repeat(43))).rejects.toMatchObject(refused("BAD_TOKEN", 422, "token"));
  await expect(reset(verification)).rejects.toMatchObject(refused("BAD_TOKEN", 422, "token"));
  const verify = (token: string) => call("accounts.verifyEmail", { token });
  const withdrawn = await resetToken();
  await expect(verify(withdrawn)).rejects.toMatchObject(refused("BAD_TOKEN", 422, "token"));
  await call("accounts.changePassword", { currentPassword: ada.password, newPassword: NEW }, as(here));
  await expect(reset(withdrawn, "yet another 9")).rejects.toMatchObject(refused("TOKEN_USED", 422, "token"));
  const expired = await resetToken();
  await database
    .knex("mailed_tokens")
    .whereNull("used_at")
    .update({ expires_at: Date.now() - 1_000 });
  await expect(reset(expired)).rejects.toMatchObject(refused("TOKEN_EXPIRED", 422, "token"));
  await expect(verify(verification)).rejects.toMatchObject(refused("TOKEN_EXPIRED", 422, "token"));
  await login(NEW);
});

test("a weak new password does not use up the token; of two uses at once one wins", async () => {
  await register();
  const token = await resetToken();
  await expect(reset(token, "12345678")).rejects.toMatchObject(refused("WEAK_PASSWORD", 422, "newPassword"));
  const results = await Promise.allSettled([reset(token), reset(token, "another one 8")]);
  expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  expect(results.find(({ status }) => status === "rejected")).toMatchObject({ reason: { type: "TOKEN_USED" } });
});

test("no table and no line of the log has a token in it", async () => {
  await register();
  const token = await resetToken();
  const rows = [await database.knex("mailed_tokens"), await database.knex("mails"), await database.knex("users")];
  expect(JSON.stringify([rows, warned])).not.toContain(token);
});

test("a request for an unknown address is answered alike, in the same time, and mails nothing", async () => {
  await register();
  // Without the loop only the request itself is measured.
  await mails.stop();
  const medianMs = async (emailOf: (n: number) => string) => {
    const times: number[] = [];
    for (let n = 0; n < 41; n++) {
      const from = performance.now();
      expect(await forgot(emailOf(n))).toEqual({ accepted: true });
      times.push(performance.now() - from);
    }
    return times.toSorted((a, b) => a - b)[20]!;
  };
  const row = { name: "K", roles: "[]", password_hash: "", created_at: "" };
  for (let n = 0; n < 41; n++)
    await database
      .knex("users")
      .insert({ ...row, id: newId(), email: `known${n}@example.com`, email_key: `known${n}@example.com` });
  await medianMs(n => `warm${n}@example.com`);
  const [known, unknown] = [
    await medianMs(n => `known${n}@example.com`),
    await medianMs(n => `stranger${n}@example.com`),
  ];
  expect(known).toBeLessThan(2 * unknown + 1);
  expect(unknown).toBeLessThan(2 * known + 1);
});

test("an unknown address gets no mail, and its request leaves no trace but a row that goes", async () => {
  await register();
  await forgot("stranger@example.com");
  await until("it is done", async () => (await database.knex("mails").whereNotNull("next_at")).length === 0);
  expect(await readdir(join(databases.folder, "mail"))).toEqual([]);
  expect(await database.knex("mailed_tokens").where({ purpose: "reset-password" })).toEqual([]);
});

test("a mailbox is not filled: some mails of a kind, then none, with the same answer; an address asks so often", async () => {
  await register();
  for (let n = 0; n < limits.mailsPerAccountMax + 3; n++)
    expect(await forgot("ADA@example.com")).toEqual({ accepted: true });
  await until("all are sent", async () => (await database.knex("mails").whereNotNull("next_at")).length === 0);
  expect(await database.knex("mails").where({ kind: "reset-password" })).toHaveLength(limits.mailsPerAccountMax);
  for (let n = 0; n < limits.resetsPerAddressMax; n++) await forgot(`stranger${n}@example.com`, "192.0.2.7");
  await expect(forgot("another@example.com", "192.0.2.7")).rejects.toMatchObject({ type: "TOO_MANY_MAILS", code: 429 });
  await forgot("another@example.com", "192.0.2.8");
});

test("the token of another form of the address goes to the mailbox of the account", async () => {
  await register();
  await forgot("\uff21\uff24\uff21@example.com");
  expect(await mailed("Set a new password")).toContain("To: ada@example.com");
});

test("another verification is mailed on request, so often, and not to a person whose address is verified", async () => {
  await register();
  const here = await login();
  const send = () => call("accounts.sendVerification", {}, as(here));
  await send();
  const token = tokenIn(await mailed("Verify"));
  for (let n = 1; n < limits.mailsPerAccountMax; n++) await send();
  await expect(send()).rejects.toMatchObject({ type: "TOO_MANY_MAILS", code: 429 });
  await call("accounts.verifyEmail", { token });
  await expect(send()).rejects.toMatchObject({ type: "EMAIL_ALREADY_VERIFIED", code: 409 });
});

test("a registration with a weak password is refused by name, and nothing is left of it", async () => {
  for (const password of ["password1", "qwertyuiop", "ada@example.com"])
    await expect(call("accounts.register", { ...ada, password, name: "Ada" })).rejects.toMatchObject(
      refused("WEAK_PASSWORD", 422, "password"),
    );
  expect(await database.knex("users")).toEqual([]);
  expect(await database.knex("mails")).toEqual([]);
});

test("many registrations of one address at once make one account and one mail", async () => {
  const results = await Promise.allSettled(
    ["ada@example.com", "ADA@example.com", "\uff41da@example.com", "ada@example.com"].map(email =>
      call("accounts.register", { ...ada, email, name: "Ada" }),
    ),
  );
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const result of results)
    if (result.status === "rejected") expect(result.reason).toMatchObject({ type: "EMAIL_TAKEN", code: 409 });
  expect(await database.knex("mails")).toHaveLength(1);
});

test("a person sees and ends their own sessions, and knows which one asks", async () => {
  await register();
  const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
  const [laptop, script] = [
    await login(ada.password, { userAgent: firefox, address: "192.0.2.1" }),
    await login(ada.password, { userAgent: "curl/8.5.0", address: "192.0.2.2" }),
  ];
  await refreshes(laptop);
  const { rows } = await call("accounts.sessions", {}, as(laptop));
  expect(rows).toMatchObject([
    { device: "Firefox on Linux", address: "192.0.2.1", current: true },
    { device: "curl", address: "192.0.2.2", current: false },
  ]);
  const other = { meta: { user: { id: newId(), roles: [] } } };
  await expect(call("accounts.endSession", { id: rows[1]!.id }, other)).rejects.toMatchObject({
    type: "SESSION_NOT_FOUND",
    code: 404,
  });
  await call("accounts.endSession", { id: rows[1]!.id }, as(laptop));
  await expect(refreshes(script)).rejects.toMatchObject(gone);
  const third = await login();
  await call("accounts.endSessions", { others: true }, as(third));
  expect((await call("accounts.sessions", {}, as(third))).rows).toMatchObject([{ current: true }]);
  await call("accounts.endSessions", {}, as(third));
  await expect(refreshes(third)).rejects.toMatchObject(gone);
});

test("a used refresh token that comes again late ends the session, and leaves a line in the log", async () => {
  const { id } = await register();
  const { refreshToken } = await login();
  const next = await call("accounts.refresh", { refreshToken });
  await database
    .knex("refresh_tokens")
    .whereNotNull("used_at")
    .update({ used_at: Date.now() - limits.refreshReuseMs - 1_000 });
  await expect(call("accounts.refresh", { refreshToken }, { meta: { address: "203.0.113.9" } })).rejects.toMatchObject(
    gone,
  );
  await expect(refreshes(next)).rejects.toMatchObject(gone);
  expect(warned).toEqual([
    expect.stringMatching(
      `^a used refresh token came again, its session is ended: user ${id}, session [\\w-]+, from 203.0.113.9, request `,
    ),
  ]);
  expect(warned.join()).not.toContain(refreshToken);
});
