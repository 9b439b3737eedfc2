import { expect, test } from "@jest/globals";
import { readRoleRules, rolesIn } from "./role-rules.ts";

const rules = readRoleRules("groups=staff:clerk, realm_access.roles=boss:admin,https://x.example/roles=urn:a:b:clerk")!;

test("a rule is a claim, a value and a role; a claim may be a URL, and a value may have colons", () => {
  expect(rules).toEqual([
    { claim: "groups", value: "staff", role: "clerk" },
    { claim: "realm_access.roles", value: "boss", role: "admin" },
    { claim: "https://x.example/roles", value: "urn:a:b", role: "clerk" },
  ]);
});

test.each([
  "",
  "groups",
  "groups=",
  "groups=staff",
  "=staff:clerk",
  "groups=:clerk",
  "groups=staff:",
  "a=b:c,",
  ",a=b:c",
])("%j is no list of rules", text => expect(readRoleRules(text)).toBeUndefined());

test("a claim is a text or a list of texts, at its full name or within an object", () => {
  expect(rolesIn({ groups: "staff" }, rules)).toEqual(["clerk"]);
  expect(rolesIn({ groups: ["a", "staff"], realm_access: { roles: ["boss"] } }, rules)).toEqual(["clerk", "admin"]);
  expect(rolesIn({ "realm_access.roles": ["boss"], realm_access: { roles: [] } }, rules)).toEqual(["admin"]);
  expect(rolesIn({ "https://x.example/roles": ["urn:a:b"] }, rules)).toEqual(["clerk"]);
});

test.each([
  {},
  { groups: null },
  { groups: [["staff"]] },
  { groups: { staff: true } },
  { realm_access: "roles" },
  { realm_access: null },
])("%j gives no role", claims => expect(rolesIn(claims, rules)).toEqual([]));
