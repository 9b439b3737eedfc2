// Persons change their own name, nobody else's, and only in the state that they have seen.
import { expect, test } from "@jest/globals";
import { entityTag } from "../contract/index.ts";
import { newId } from "../kernel/index.ts";
import { startBroker } from "../testing/broker.ts";
import { Accounts } from "./accounts.ts";
import { accountsContract, type Person } from "./contract.ts";

async function start() {
  const contract = accountsContract({ roles: ["clerk"] });
  const { call, stop } = await startBroker([Accounts(contract, { firstAdministrator: () => false })]);
  const register = (name: string) =>
    call("accounts.register", { email: `${name}@example.com`, password: "correct horse", name });
  return { call, stop, ann: await register("ann"), ben: await register("ben") };
}
const as = ({ id, roles }: Pick<Person, "id" | "roles">) => ({ meta: { user: { id, roles } } });

test("the owner alone changes the name: not another person, an administrator, or a call without a person", async () => {
  const { call, stop, ann, ben } = await start();
  const named = await call("accounts.changeProfile", { person: ann.id, name: "Ann Other" }, as(ann));
  expect(named).toEqual({ ...ann, name: "Ann Other" });
  const notFound = { type: "USER_NOT_FOUND", code: 404 };
  const change = { person: ann.id, name: "Lost" };
  await expect(call("accounts.changeProfile", change, as(ben))).rejects.toMatchObject(notFound);
  await expect(call("accounts.changeProfile", change, as({ ...ben, roles: ["admin"] }))).rejects.toMatchObject(
    notFound,
  );
  await expect(call("accounts.changeProfile", change)).rejects.toMatchObject(notFound);
  const nobody = { id: newId(), roles: [] };
  await expect(call("accounts.changeProfile", { ...change, person: nobody.id }, as(nobody))).rejects.toMatchObject(
    notFound,
  );
  expect(await call("accounts.get", { id: ann.id }, as(ann))).toEqual(named);
  await stop();
});

test("a change in another state than the one that was seen, or of a fixed field, changes nothing", async () => {
  const { call, stop, ann } = await start();
  const { name: _name, ...unchanged } = ann;
  const change = (more: object) => call("accounts.changeProfile", { person: ann.id, name: "Lost", ...more }, as(ann));
  await expect(change({ if: { match: [entityTag({})] } })).rejects.toMatchObject({ type: "PRECONDITION_FAILED" });
  await expect(change({ unchanged: { ...unchanged, roles: ["admin"] } })).rejects.toMatchObject({
    type: "VALIDATION_ERROR",
    data: { errors: [{ field: "roles" }] },
  });
  expect(await call("accounts.get", { id: ann.id }, as(ann))).toEqual(ann);
  expect(await change({ name: undefined, unchanged, if: { match: [entityTag(ann)] } })).toEqual(ann);
  expect((await change({ name: "Ann B.", unchanged })).name).toBe("Ann B.");
  await stop();
});
