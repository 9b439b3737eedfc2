import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { defineRoles, isAllowed, isGrant, isPermission, type User } from "./index.ts";

const define = defineRoles as unknown as (roles: object, options?: object) => void;
beforeAll(() => {
  const clerk = { says: "Books rooms.", may: ["rooms:*", "guests:read"] };
  define({ admin: { says: "Runs the hotel.", may: ["*"] }, clerk }, { everybody: ["bookings:read"] });
});
afterAll(() => define({ admin: { says: "Operates.", may: ["*"] } }));

const user = (roles: readonly string[], scopes?: readonly string[]): User =>
  ({ id: "ann", roles, ...(scopes && { scopes }) }) as User;

test("a role has its permissions, all words of a thing, or everything", () => {
  expect(isAllowed(user(["clerk"]), "rooms:write")).toBe(true);
  expect(isAllowed(user(["clerk"]), "guests:read")).toBe(true);
  expect(isAllowed(user(["clerk"]), "guests:write")).toBe(false);
  expect(isAllowed(user(["clerk"]), "roomservice:read")).toBe(false);
  expect(isAllowed(user(["admin"]), "guests:write")).toBe(true);
  expect(isAllowed(user(["constructor"]), "guests:write")).toBe(false);
});

test("who looks on reads operations and the audit unless the domain says otherwise, and changes nothing", () => {
  expect(isAllowed(user(["viewer"]), "operations:read")).toBe(true);
  expect(isAllowed(user(["viewer"]), "audit:read")).toBe(true);
  expect(isAllowed(user(["viewer"]), "operations:write")).toBe(false);
  expect(isAllowed(user(["viewer"]), "accounts:read")).toBe(false);
});

test("everybody who is logged in has their own account and what the domain gives to all; a stranger has nothing", () => {
  expect(["account:read", "bookings:read"].map(one => isAllowed(user([]), one as never))).toEqual([true, true]);
  expect(isAllowed({ id: "", roles: [] }, "account:read")).toBe(false);
});

test("what is for services alone is for no person, not for an administrator either", () => {
  expect(isAllowed(user(["admin"]), false)).toBe(false);
  expect(isAllowed(user(["admin"], ["*"]), false)).toBe(false);
});

test("scopes narrow what the roles give, and never widen it", () => {
  expect(isAllowed(user(["admin"], ["rooms:read"]), "rooms:read")).toBe(true);
  expect(isAllowed(user(["admin"], ["rooms:read"]), "rooms:write")).toBe(false);
  expect(isAllowed(user(["admin"], ["rooms:*"]), "rooms:write")).toBe(true);
  expect(isAllowed(user(["admin"], []), "rooms:read")).toBe(false);
  expect(isAllowed(user([], ["*"]), "rooms:read")).toBe(false);
  expect(isAllowed(user([], ["account:read"]), "account:write")).toBe(false);
});

test.each(["rooms", "rooms:", ":read", "Rooms:read", "rooms:read:all", "rooms:re ad", "*:read", ""])(
  "%p is no permission",
  text => {
    expect([isPermission(text), isGrant(text)]).toEqual([false, false]);
    expect(() => define({ clerk: { says: "", may: [text] } })).toThrow("role clerk");
  },
);

test("wildcards are grants, and no permissions", () => {
  expect(["*", "rooms:*"].map(text => [isPermission(text), isGrant(text)])).toEqual([
    [false, true],
    [false, true],
  ]);
});
