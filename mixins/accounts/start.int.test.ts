// The first administrator, as starts of the service make it.
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "../broker/index.ts";
import { typedCall } from "../contract/index.ts";
import type { Database } from "../database/index.ts";
import { readEnvironment, takeAnnouncements } from "../kernel/index.ts";
import { newDatabases, type Databases } from "../testing/servers.ts";
import { Accounts, type AccountsOptions } from "./accounts.ts";
import { accountsContract } from "./contract.ts";

let databases: Databases;
const brokers: ServiceBroker[] = [];
beforeEach(async () => {
  databases = await newDatabases();
});
afterEach(async () => {
  await stopAll();
  await databases.remove();
});
const stopAll = () => Promise.all(brokers.splice(0).map(broker => broker.stop()));

const contract = accountsContract({ roles: ["clerk"] });
const ADMIN = { email: "root@example.com", password: "correct horse" };

/** A start whose announcements the test takes, as if it had been killed before they are printed. */
async function start(env: Record<string, string> = {}, options: AccountsOptions = {}, worker?: number) {
  const variables = { ...databases.env, ADMIN_EMAIL: ADMIN.email, ...env };
  const broker = new ServiceBroker({ ...brokerOptions(readEnvironment(variables)), logger: false });
  // After the transporter was chosen: a worker's transporter would listen to its supervisor, which here is the test
  // runner.
  if (worker !== undefined)
    Object.assign(broker.options, { valence: readEnvironment({ ...variables, WORKER: `${worker}` }) });
  brokers.push(broker);
  const warn = jest.fn();
  broker.createService({
    name: "accounts",
    mixins: [Accounts(contract, options)],
    created() {
      this.logger.warn = warn;
    },
    // A service that is not ready keeps the broker from printing.
    methods: { ready: () => false },
  });
  await broker.start();
  const [announced] = takeAnnouncements(broker);
  return {
    call: typedCall(broker),
    text: announced?.lines()[0]?.[1],
    shown: () => announced!.shown!(),
    warned: warn.mock.calls.map(([line]) => line),
    database: (broker.getLocalService("accounts") as unknown as { database: Database }).database,
  };
}
const passwordIn = (text: string | undefined): string => /password (\S+) \(shown only now\)/.exec(text ?? "")![1]!;

test("a first start makes an administrator with the password of the environment, and does not print it", async () => {
  const { call, text } = await start({ ADMIN_PASSWORD: ADMIN.password }, { registered: ["clerk"] });
  expect(text).toBe("root@example.com, the password in ADMIN_PASSWORD");
  const { user } = await call("accounts.login", ADMIN);
  expect(user).toMatchObject({ name: "Administrator", roles: ["admin", "clerk"] });
});

test("a password that is made up works, and a start that was killed before it was shown makes up another", async () => {
  const first = await start();
  await stopAll();
  const second = await start();
  const [old, fresh] = [passwordIn(first.text), passwordIn(second.text)];
  expect(fresh).not.toBe(old);
  const login = (password: string) => second.call("accounts.login", { ...ADMIN, password });
  await expect(login(old)).rejects.toMatchObject({ type: "BAD_CREDENTIALS" });
  expect((await login(fresh)).user.roles).toEqual(["admin"]);
  await second.shown();
  await stopAll();

  const third = await start({ ADMIN_PASSWORD: "something else" });
  expect([third.text, third.warned]).toEqual([undefined, []]);
  await third.call("accounts.login", { ...ADMIN, password: fresh });
});

test("where the address has an account already it stays as it is, and each start says so", async () => {
  const { call } = await start({}, { firstAdministrator: () => false });
  await call("accounts.register", { ...ADMIN, name: "Root" });
  await stopAll();
  const { text, warned, call: again } = await start({ ADMIN_PASSWORD: "something else" });
  expect(text).toBeUndefined();
  expect(warned).toEqual([expect.stringMatching(/^ADMIN_EMAIL: root@example.com has an account already/)]);
  expect((await again("accounts.login", ADMIN)).user.roles).toEqual([]);
});

test("a service that is told to make none makes the one that the environment has a password for", async () => {
  const { call } = await start({ ADMIN_PASSWORD: ADMIN.password }, { firstAdministrator: () => false });
  expect((await call("accounts.login", ADMIN)).user.roles).toEqual(["admin"]);
});

test("a service that is told to makes none, and neither does a worker besides the first", async () => {
  for (const { database, text } of [await start({}, { firstAdministrator: () => false }), await start({}, {}, 2)]) {
    expect(text).toBeUndefined();
    expect(await database.knex("users")).toEqual([]);
  }
});

test("roles that a registration cannot give stop the start by name", () => {
  expect(() => Accounts(contract, { registered: ["admin"] })).toThrow("would be an administrator");
  expect(() => Accounts(contract, { registered: ["manager"] })).toThrow('the role "manager" is not declared');
  expect(() => accountsContract({ roles: ["Front Desk"] })).toThrow('the role "Front Desk"');
});
