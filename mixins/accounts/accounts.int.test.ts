import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Database } from "../database/index.ts";
import { hash, verify } from "@node-rs/argon2";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "../broker/index.ts";
import { until } from "../testing/index.ts";
import { isOnPostgres, newDatabases, type Databases } from "../testing/servers.ts";
import { typedCall } from "../contract/index.ts";
import { migrate, openDatabase } from "../database/mixin.ts";
import { newId, plainError, readEnvironment, rfc3339, systemClock, type Refusal } from "../kernel/index.ts";
import type { Counter } from "../redis/index.ts";
import { Accounts, type AccountsOptions } from "./accounts.ts";
import { accountsContract } from "./contract.ts";
import { FirstAdministrator } from "./first-administrator.ts";
import { locationOf } from "@valence/runtime/database";
import type { KnownAddresses } from "./known-addresses.ts";
import { limits } from "./limits.ts";
import type { LoginAttempts } from "./login-attempts.ts";
import type { Passwords } from "./passwords/passwords.ts";
import type { Users } from "./users.ts";
import { sessionTables } from "./sql-sessions.ts";
import { userTable } from "./users.ts";

let databases: Databases;
const brokers: ServiceBroker[] = [];
beforeEach(async () => {
  databases = await newDatabases();
});
afterEach(async () => {
  await Promise.all(brokers.splice(0).map(broker => broker.stop()));
  await databases.remove();
});

const contract = accountsContract({ roles: ["guest"] });
/** Starts without a first administrator, unless the options say otherwise. */
async function start(options: AccountsOptions = {}, env: Record<string, string> = {}) {
  const environment = readEnvironment({ ...databases.env, ...env });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  brokers.push(broker);
  broker.createService(Accounts(contract, { registered: ["guest"], firstAdministrator: () => false, ...options }));
  await broker.start();
  return typedCall(broker);
}
const ada = { email: "Ada@Example.com", password: "correct horse" };
const register = (call: Awaited<ReturnType<typeof start>>) => call("accounts.register", { ...ada, name: "Ada" });
const refused = (type: string, code: number) => ({ type, code, data: { family: "refusal" } });

test("a person who registers is a guest, in lower case, and can log in in any case", async () => {
  const call = await start();
  const person = await register(call);
  expect(person).toMatchObject({ email: "ada@example.com", name: "Ada", roles: ["guest"] });
  const { user } = await call("accounts.login", { ...ada, email: "ADA@example.COM" });
  expect(user).toEqual(person);
  expect(Object.keys(user).toSorted()).toEqual(["createdAt", "email", "emailVerified", "id", "name", "roles"]);
});

test("P6 a role in a registration is refused by name and changes nothing", async () => {
  const call = await start();
  await expect(call("accounts.register", { ...ada, name: "Ada", roles: ["admin"] } as never)).rejects.toMatchObject({
    code: 422,
    data: [{ field: "roles" }],
  });
  await expect(call("accounts.login", ada)).rejects.toMatchObject(refused("BAD_CREDENTIALS", 401));
});

test("an address can be taken once, however it is written, also by two at once", async () => {
  const call = await start();
  const results = await Promise.allSettled([
    register(call),
    call("accounts.register", { ...ada, email: "ada@example.com", name: "Ada" }),
  ]);
  expect(results.map(result => result.status).toSorted()).toEqual(["fulfilled", "rejected"]);
  await expect(register(call)).rejects.toMatchObject(refused("EMAIL_TAKEN", 409));
});

const [composed, decomposed] = ["ren\u00e9@example.com", "rene\u0301@example.com"];
const databaseOf = (broker: ServiceBroker) =>
  (broker.getLocalService("accounts") as unknown as { database: Database }).database;

test("an address is one account, composed or not, with blanks around it, in letters or as DNS has it", async () => {
  const call = await start();
  const { id, email } = await call("accounts.register", {
    ...ada,
    email: ` ${decomposed}\u00a0`,
    name: " Rene\u0301\u200b",
  });
  expect(email).toBe(composed);
  expect((await call("accounts.get", { id })).name).toBe("Ren\u00e9");
  for (const email of [composed, decomposed, composed.toUpperCase()]) {
    await expect(call("accounts.register", { ...ada, email, name: "R" })).rejects.toMatchObject(
      refused("EMAIL_TAKEN", 409),
    );
    expect((await call("accounts.login", { ...ada, email: `${email} ` })).user.id).toBe(id);
  }
  const b = await call("accounts.register", { ...ada, email: "ada@b\u00fccher.example", name: "B" });
  expect((await call("accounts.login", { ...ada, email: "ada@xn--bcher-kva.example" })).user.id).toBe(b.id);
});

test("a password is taken as another system types it, and one that was hashed as typed is hashed anew", async () => {
  const call = await start();
  const passwords = ["pass caf\u00e9", "pass cafe\u0301"] as const;
  const { id } = await call("accounts.register", { ...ada, password: passwords[1], name: "Ada" });
  for (const password of passwords) await call("accounts.login", { ...ada, password });
  const { knex } = databaseOf(brokers[0]!);
  await knex("users").update({ password_hash: await hash(passwords[1]) });
  for (const password of passwords) expect((await call("accounts.login", { ...ada, password })).user.id).toBe(id);
  const { password_hash: renewed } = await knex("users").first();
  expect(await verify(renewed, passwords[0])).toBe(true);
});

test("of two log-ins at once one hashes the password anew, and both are let in", async () => {
  const call = await start();
  const password = "pass cafe\u0301";
  await call("accounts.register", { ...ada, password, name: "Ada" });
  await databaseOf(brokers[0]!)
    .knex("users")
    .update({ password_hash: await hash(password) });
  const login = () => call("accounts.login", { ...ada, password });
  expect(await Promise.all([login(), login()])).toHaveLength(2);
});

test("the address of a log-in that hashes the password anew is known under the new hash", async () => {
  const call = await start();
  const password = "pass cafe\u0301";
  const { id } = await call("accounts.register", { ...ada, password, name: "Ada" });
  const { database, known, users } = brokers[0]!.getLocalService("accounts") as unknown as {
    database: Database;
    known: KnownAddresses;
    users: Users;
  };
  await database.knex("users").update({ password_hash: await hash(password) });
  await call("accounts.login", { ...ada, password }, from("192.0.2.1"));
  expect(await known.has((await users.byId(id))!, "192.0.2.1")).toBe(true);
});

test.each(["", "\u00a0\u200b", "a\u202eb", "a\u0007"])("the name %j is refused", async name => {
  const call = await start();
  await expect(call("accounts.register", { ...ada, name })).rejects.toMatchObject({
    code: 422,
    data: [{ field: "name" }],
  });
});

test("accounts of the release before keep their address in its form; of two for one, each keeps its own", async () => {
  const database = await openDatabase(locationOf(readEnvironment(databases.env), "accounts"));
  await migrate(database, "accounts", [userTable, sessionTables]);
  const { knex } = database;
  const add = (email: string) =>
    knex("users").insert({
      id: newId(),
      email,
      name: email,
      roles: '["guest"]',
      password_hash: HASH,
      created_at: rfc3339(Date.now()),
    });
  const HASH = await hash(ada.password);
  const lone = "zoe\u0308@example.com";
  for (const email of [decomposed, composed, lone, "ada@example.com"]) await add(email);
  const call = await start();
  const nameOf = async (email: string) => (await call("accounts.login", { ...ada, email })).user.name;
  expect(await nameOf(decomposed)).toBe(decomposed);
  expect(await nameOf(composed)).toBe(composed);
  expect(await nameOf("zo\u00eb@example.com")).toBe(lone);
  expect(await nameOf("ADA@example.com")).toBe("ada@example.com");

  // A node of the previous release goes on adding accounts without keys.
  const late = "noe\u0308l@example.com";
  await add(late);
  expect(await nameOf(late)).toBe(late);
  await start();
  expect(await nameOf("no\u00ebl@example.com")).toBe(late);
  await expect(call("accounts.register", { ...ada, email: "no\u00ebl@example.com", name: "N" })).rejects.toMatchObject(
    refused("EMAIL_TAKEN", 409),
  );
  await database.close();
});

test("an unknown account and a wrong password get the same refusal", async () => {
  const call = await start();
  await register(call);
  const errors = await Promise.all(
    [
      { ...ada, password: "wrong" },
      { ...ada, email: "eve@example.com" },
    ].map(params =>
      call("accounts.login", params).catch((error: unknown) => ({
        ...plainError(error),
        data: (error as Refusal).data,
      })),
    ),
  );
  expect(errors[0]).toMatchObject(refused("BAD_CREDENTIALS", 401));
  expect(errors[1]).toEqual(errors[0]);
});

test("guessing ends after some failures, for accounts that are not there too", async () => {
  const call = await start();
  await register(call);
  for (const email of [ada.email, "eve@example.com"]) {
    const guess = () => call("accounts.login", { email, password: "guess" });
    for (let n = 0; n < limits.failedLoginsMax; n++)
      await expect(guess()).rejects.toMatchObject(refused("BAD_CREDENTIALS", 401));
    await expect(guess()).rejects.toMatchObject(refused("TOO_MANY_ATTEMPTS", 429));
  }
});

test("the access token is what RFC 9068 asks for, and verifies by the published key", async () => {
  const call = await start();
  const { id } = await register(call);
  const { accessToken, expiresIn } = await call("accounts.login", ada);
  const keys = await call("accounts.jwks", {});
  const { payload } = await jwtVerify(accessToken, createLocalJWKSet(keys), { algorithms: ["ES256"], typ: "at+jwt" });
  expect(payload).toMatchObject({ iss: "valence", aud: "valence", sub: id, roles: ["guest"] });
  expect(payload.jti).toMatch(/^[\da-f-]{36}$/);
  expect(payload.exp! - payload.iat!).toBe(900);
  expect(expiresIn).toBe(900);
  expect(decodeProtectedHeader(accessToken)).toEqual({ alg: "ES256", typ: "at+jwt", kid: keys.keys[0]!["kid"] });
  expect(keys.keys[0]).not.toHaveProperty("d");
});

test("processes that start at once agree on one key, and keep it over a restart", async () => {
  const calls = await Promise.all([start(), start(), start()]);
  const keys = await Promise.all(calls.map(call => call("accounts.jwks", {})));
  expect(keys[1]).toEqual(keys[0]);
  expect(keys[2]).toEqual(keys[0]);
  await Promise.all(brokers.splice(0).map(broker => broker.stop()));
  expect(await (await start())("accounts.jwks", {})).toEqual(keys[0]);
});

test("refresh gives new tokens; after log-out there are none", async () => {
  const call = await start();
  await register(call);
  const first = await call("accounts.login", ada);
  const second = await call("accounts.refresh", { refreshToken: first.refreshToken });
  expect(second.refreshToken).not.toBe(first.refreshToken);
  expect(second.accessToken).not.toBe(first.accessToken);
  await call("accounts.logout", { refreshToken: second.refreshToken });
  for (const refreshToken of [first.refreshToken, second.refreshToken, "made-up"])
    await expect(call("accounts.refresh", { refreshToken })).rejects.toMatchObject(refused("BAD_REFRESH_TOKEN", 401));
});

test("a person reads their own account only, an administrator any", async () => {
  const call = await start();
  const { id } = await register(call);
  const asked = (user: object) => call("accounts.get", { id }, { meta: { user } });
  await expect(asked({ id: "someone", roles: ["guest"] })).rejects.toMatchObject(refused("USER_NOT_FOUND", 404));
  expect(await asked({ id, roles: ["guest"] })).toMatchObject({ id });
  expect(await asked({ id: "root", roles: ["admin"] })).toMatchObject({ id });
});

/** The first administrator, as the n-th node makes it. */
const firstStart = (n = 0) => {
  const { database, passwords } = brokers[n]!.getLocalService("accounts") as unknown as {
    database: Database;
    passwords: Passwords;
  };
  const first = new FirstAdministrator(database, systemClock);
  return {
    makeAdministrator: async (email: string, password: string) =>
      first.make(email, await passwords.hash(password), ["guest"]),
    administratorShown: () => first.shown(),
  };
};
const admin = { email: "admin@example.com", password: "first password" };
const root = (password = admin.password) => firstStart().makeAdministrator(admin.email, password);

test("a first start that another one overtakes finds its administrator", async () => {
  await start();
  const { database } = brokers[0]!.getLocalService("accounts") as unknown as { database: Database };
  const row = { id: newId(), email: admin.email, name: "Administrator", password_hash: "", created_at: "" };
  const seeded = await database.transaction(async trx => {
    await trx("users").insert({ ...row, roles: '["admin","guest"]' });
    const seeding = root();
    // On SQLite it gets no further than its first read.
    const waiting = `select from pg_locks join pg_stat_activity using (pid) where not granted and datname = current_database()`;
    if (isOnPostgres())
      await until("it waits for the other's row", async () => (await database.knex.raw(waiting)).rows.length > 0);
    return { seeding };
  });
  expect(await seeded.seeding).toBe("kept");
  expect(await database.knex("users").pluck("password_hash")).toEqual([""]);
});

test("two first starts at once make one administrator", async () => {
  const call = await start();
  await start();
  const made = await Promise.all([0, 1].map(n => firstStart(n).makeAdministrator(admin.email, admin.password)));
  expect(made).toEqual(["made", "made"]);
  expect((await call("accounts.login", admin)).user.roles).toContain("admin");
});

test("the first administrator gets the newest password until a person has seen it, and none after", async () => {
  const call = await start();
  expect(await root()).toBe("made");
  expect(await root("second password")).toBe("made");
  await expect(call("accounts.login", admin)).rejects.toMatchObject(refused("BAD_CREDENTIALS", 401));
  const { user } = await call("accounts.login", { ...admin, password: "second password" });
  expect(user.roles).toContain("admin");
  await firstStart().administratorShown();

  expect(await root("taken over")).toBe("kept");
  expect(await firstStart().makeAdministrator("evil@example.com", "taken over")).toBe("kept");
  await call("accounts.login", { ...admin, password: "second password" });
  await expect(call("accounts.login", { ...admin, password: "taken over" })).rejects.toMatchObject({ code: 401 });
});

test("a guest's account never becomes the administrator's", async () => {
  const call = await start();
  await register(call);
  expect(await firstStart().makeAdministrator(ada.email, "another one")).toBe("taken");
  expect((await call("accounts.login", ada)).user.roles).toEqual(["guest"]);
});

test("no action makes an administrator unless an administrator asks, and one sets a password for its owner only", async () => {
  const call = await start();
  const names = brokers[0]!.registry.getActionList({}).map(({ name }) => name);
  expect(names.filter(name => name.startsWith("accounts.")).toSorted()).toEqual(
    `apiKeys changePassword changeProfile claimAnswer closeSession createApiKey endSession endSessions exchange finishAnswer forgotPassword get jwks list login
      logout openSession readLog readSession refresh register releaseAnswer resetPassword revokeApiKey rotateKeys sendVerification sessions
      setRoles signingKeys verifyEmail`
      .split(/\s+/)
      .map(name => `accounts.${name}`),
  );
  const { id } = await register(call);
  const grant = (meta: object) => call("accounts.setRoles", { id, roles: ["admin"] }, { meta: { ...meta } });
  // Another node of the bus may not, nor may a user that such a node made up.
  for (const meta of [{}, { user: { id, roles: ["admin"] } }, { user: { id: newId(), roles: ["admin"] } }])
    await expect(grant(meta)).rejects.toMatchObject(refused("FORBIDDEN", 403));
  expect((await call("accounts.get", { id })).roles).toEqual(["guest"]);
});

/** A call as the gateway makes it for a client at that address. */
const from = (address: string) => ({ meta: { address } });

test("200 guesses at once from many addresses: no more are verified than the limit says, and the owner gets in", async () => {
  const call = await start();
  await call("accounts.register", { ...ada, name: "Ada" }, from("192.0.2.1"));
  const guesses = await Promise.all(
    Array.from({ length: 200 }, (_, n) =>
      call("accounts.login", { email: ada.email, password: `guess ${n}` }, from(`198.51.100.${n}`)).catch(
        (error: unknown) => (error as Refusal).type,
      ),
    ),
  );
  expect(guesses.filter(type => type === "BAD_CREDENTIALS")).toHaveLength(limits.failedLoginsMax);
  expect(guesses.filter(type => type === "TOO_MANY_ATTEMPTS")).toHaveLength(200 - limits.failedLoginsMax);
  // At another address it may be a guesser who has found the password.
  await expect(call("accounts.login", ada, from("203.0.113.1"))).rejects.toMatchObject(
    refused("TOO_MANY_ATTEMPTS", 429),
  );
  for (let n = 0; n < 15; n++) await call("accounts.login", ada, from("192.0.2.1"));
});

test("an account knows the addresses it was logged in to from, so many and so long, and none in clear", async () => {
  const call = await start();
  const person = await register(call);
  for (let n = 0; n < limits.knownAddressesMax + 2; n++) await call("accounts.login", ada, from(`192.0.2.${n}`));
  const { database, known, users } = brokers[0]!.getLocalService("accounts") as unknown as {
    database: Database;
    known: KnownAddresses;
    users: Users;
  };
  const rows = await database.knex("known_addresses").where({ user: person.id });
  expect(rows).toHaveLength(limits.knownAddressesMax);
  expect(JSON.stringify(rows)).not.toContain("192.0.2");
  const user = (await users.byId(person.id))!;
  expect(await known.has(user, `192.0.2.${limits.knownAddressesMax + 1}`)).toBe(true);
  expect(await known.has(user, "203.0.113.1")).toBe(false);
  await database.knex("known_addresses").update({ seen_at: Date.now() - limits.knownAddressMs });
  expect(await known.has(user, `192.0.2.${limits.knownAddressesMax + 1}`)).toBe(false);
});

test("an address gets so many wrong passwords on all accounts, and so many registrations", async () => {
  const call = await start();
  await register(call);
  const here = from("192.0.2.1");
  const { attempts, registrations } = brokers[0]!.getLocalService("accounts") as unknown as {
    attempts: LoginAttempts;
    registrations: Counter;
  };
  for (let n = 0; n < limits.failedLoginsPerAddressMax; n++)
    await attempts.isRight(
      { account: `victim ${n}`, address: "192.0.2.1", isKnown: async () => false },
      async () => false,
    );
  await expect(call("accounts.login", ada, here)).rejects.toMatchObject(refused("TOO_MANY_ATTEMPTS", 429));
  await call("accounts.login", ada, from("192.0.2.2"));
  for (let n = 0; n < limits.registrationsPerAddressMax; n++) await registrations.add("192.0.2.1");
  const another = { email: "eve@example.com", password: "correct horse", name: "Eve" };
  await expect(call("accounts.register", another, here)).rejects.toMatchObject(refused("TOO_MANY_REGISTRATIONS", 429));
  await call("accounts.register", another, from("192.0.2.2"));
});
