// Granting and withdrawing roles: validated, in the person's next tokens, in the log, and never without an
// administrator.
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { decodeJwt } from "jose";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "../broker/index.ts";
import { entityTag, typedCall, type Call } from "../contract/index.ts";
import type { Database } from "../database/index.ts";
import { newId, readEnvironment, systemClock } from "../kernel/index.ts";
import { newDatabases, type Databases } from "../testing/servers.ts";
import { Accounts } from "./accounts.ts";
import { accountsContract, type Person } from "./contract.ts";
import { FirstAdministrator } from "./first-administrator.ts";

let databases: Databases;
let broker: ServiceBroker;
let call: Call;
/** Lines of the service's log. */
let warned: string[];
let database: Database;
beforeEach(async () => {
  databases = await newDatabases();
  broker = new ServiceBroker({ ...brokerOptions(readEnvironment(databases.env)), logger: false });
  const contract = accountsContract({ roles: ["clerk", "guest"] });
  const created = broker.createService(Accounts(contract, { registered: ["guest"], firstAdministrator: () => false }));
  const service = created as unknown as { database: Database; logger: { warn: unknown } };
  warned = [];
  service.logger.warn = jest.fn((line: string) => warned.push(line));
  await broker.start();
  ({ database } = service);
  call = typedCall(broker);
});
afterEach(async () => {
  await broker.stop();
  await databases.remove();
});

const password = "correct horse";
const register = (name: string) => call("accounts.register", { email: `${name}@example.com`, password, name });
const login = (name: string) => call("accounts.login", { email: `${name}@example.com`, password });
/** A call as the gateway makes it for a person who is logged in. */
const as = ({ id, roles }: Pick<Person, "id" | "roles">, address = "192.0.2.1") => ({
  meta: { user: { id, roles }, address },
});
const grant = (by: Person, id: string, roles: string[], match?: string) =>
  call("accounts.setRoles", { id, roles, ...(match !== undefined && { if: { match: [match] } }) }, as(by));
const refused = (type: string, code: number) => ({ type, code, data: { family: "refusal" } });

/** The administrator of a first start. */
async function root(): Promise<Person> {
  const first = new FirstAdministrator(database, systemClock);
  await first.make("root@example.com", "", []);
  return (await call("accounts.list", { role: "admin" })).rows[0]!;
}
const rolesIn = (token: string) => decodeJwt(token)["roles"];

test("roles that are granted are in the next tokens, those of a session at its next refresh, and withdrawn likewise", async () => {
  const admin = await root();
  const { id } = await register("ann");
  const session = await login("ann");
  expect(rolesIn(session.accessToken)).toEqual(["guest"]);
  expect((await grant(admin, id, ["clerk", "guest"])).roles).toEqual(["clerk", "guest"]);
  const refreshed = await call("accounts.refresh", { refreshToken: session.refreshToken });
  expect(rolesIn(refreshed.accessToken)).toEqual(["clerk", "guest"]);
  expect(rolesIn((await login("ann")).accessToken)).toEqual(["clerk", "guest"]);
  await grant(admin, id, []);
  const last = await call("accounts.refresh", { refreshToken: refreshed.refreshToken });
  expect([rolesIn(last.accessToken), last.user.roles]).toEqual([[], []]);
});

test.each<[string, unknown, string]>([
  ["that is not declared", ["manager"], "roles.0"],
  ["in another spelling", ["Clerk"], "roles.0"],
  ["twice", ["clerk", "clerk"], "roles"],
  ["that is no text", [["admin"]], "roles.0"],
  ["by no list", "admin", "roles"],
  ["by nothing", undefined, "roles"],
])("P6 a role %s is refused by name and changes nothing", async (_name, roles, field) => {
  const admin = await root();
  const { id } = await register("ann");
  await expect(grant(admin, id, roles as string[])).rejects.toMatchObject({ code: 422, data: [{ field }] });
  expect((await call("accounts.get", { id })).roles).toEqual(["guest"]);
  expect(warned).toEqual([]);
});

test("the last administrator stays one, whichever other roles change", async () => {
  const admin = await root();
  for (const roles of [[], ["clerk"]])
    await expect(grant(admin, admin.id, roles)).rejects.toMatchObject(refused("LAST_ADMINISTRATOR", 409));
  expect((await grant(admin, admin.id, ["admin", "clerk"])).roles).toEqual(["admin", "clerk"]);
  const { id } = await register("ann");
  await grant(admin, id, ["admin"]);
  expect((await grant(admin, admin.id, [])).roles).toEqual([]);
});

test("when two administrators withdraw each other's role at once, one remains", async () => {
  const admin = await root();
  const ann = await register("ann");
  await grant(admin, ann.id, ["admin"]);
  const results = await Promise.allSettled([grant(admin, ann.id, []), grant(ann, admin.id, [])]);
  expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  expect(results.find(({ status }) => status === "rejected")).toMatchObject({ reason: refused("FORBIDDEN", 403) });
  expect((await call("accounts.list", { role: "admin" })).total).toBe(1);
});

test("an administrator whose role was withdrawn grants nothing any more, though their token still has it", async () => {
  const admin = await root();
  const ann = await register("ann");
  await grant(admin, ann.id, ["admin"]);
  await grant(admin, ann.id, []);
  const withOldToken = { ...ann, roles: ["admin"] };
  await expect(grant(withOldToken, ann.id, ["admin"])).rejects.toMatchObject(refused("FORBIDDEN", 403));
});

test("only administrators grant roles and list the accounts", async () => {
  await root();
  const ann = await register("ann");
  const anybody = [as(ann), as({ id: "", roles: [] })];
  for (const options of anybody) {
    await expect(call("accounts.setRoles", { id: ann.id, roles: ["admin"] }, options)).rejects.toMatchObject(
      refused("FORBIDDEN", 403),
    );
    await expect(call("accounts.list", {}, options)).rejects.toMatchObject(refused("FORBIDDEN", 403));
  }
});

test("the account must be there, and in the state that a condition names", async () => {
  const admin = await root();
  await expect(grant(admin, newId(), ["clerk"])).rejects.toMatchObject(refused("USER_NOT_FOUND", 404));
  const ann = await register("ann");
  const tag = entityTag(ann);
  const changed = await grant(admin, ann.id, ["clerk"], tag);
  await expect(grant(admin, ann.id, ["guest"], tag)).rejects.toMatchObject(refused("PRECONDITION_FAILED", 412));
  await grant(admin, ann.id, ["guest"], entityTag(changed));
});

test("the log says which roles changed, by whom and from where; a repetition changes nothing and says nothing", async () => {
  const admin = await root();
  const { id } = await register("ann");
  for (let n = 0; n < 2; n++) await grant(admin, id, ["clerk", "admin"]);
  await grant(admin, id, []);
  const by = `by user ${admin.id}, from 192\\.0\\.2\\.1, request [\\w-]+$`;
  expect(warned).toEqual([
    expect.stringMatching(`^roles of user ${id}: guest → clerk, admin, ${by}`),
    expect.stringMatching(`^roles of user ${id}: clerk, admin → none, ${by}`),
  ]);
});

test("people are listed newest first, page by page, and found by role and by address in any form", async () => {
  const admin = await root();
  const people: Person[] = [];
  for (const name of ["ann", "bob", "rene\u0301"]) people.push(await register(name));
  const [ann, bob, rene] = people as [Person, Person, Person];
  const newest = [rene, bob, ann, admin];
  expect(await call("accounts.list", {})).toEqual({ rows: newest, total: 4, page: 1, pageSize: 20 });

  const first = await call("accounts.list", { pageSize: 3 });
  expect(first).toMatchObject({ rows: newest.slice(0, 3), total: 4 });
  const rest = await call("accounts.list", { pageSize: 3, cursor: first.nextCursor! });
  expect(rest).toEqual({ rows: [admin], total: 4, pageSize: 3 });
  expect((await call("accounts.list", { pageSize: 3, page: 2 })).rows).toEqual([admin]);

  await grant(admin, bob.id, ["clerk"]);
  expect((await call("accounts.list", { role: "clerk" })).rows.map(({ id }) => id)).toEqual([bob.id]);
  expect((await call("accounts.list", { email: "REN\u00c9@example.com" })).rows).toEqual([rene]);
  expect(await call("accounts.list", { email: "eve@example.com" })).toMatchObject({ rows: [], total: 0 });
});

test.each<[string, object, string]>([
  ["a cursor of another list", { cursor: "WyJuYW1lIiwieCJd" }, "cursor"],
  ["a page and a cursor", { page: 1, cursor: "WyItaWQiLCJ4Il0" }, "page"],
])("%s is refused by name", async (_name, params, field) => {
  await expect(call("accounts.list", params)).rejects.toMatchObject({ code: 422, data: { errors: [{ field }] } });
});

test("a filter by an undeclared role is refused", async () => {
  await expect(call("accounts.list", { role: "manager" })).rejects.toMatchObject({
    code: 422,
    data: [{ field: "role" }],
  });
});
