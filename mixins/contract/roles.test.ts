import { expect, test } from "@jest/globals";
import { compileSchema, defineContract, defineRoles, isRole, RoleName, rolesDefined, strictObject } from "./index.ts";

test("the runtime knows two roles, the domain declares the others", () => {
  const check = compileSchema(strictObject({ role: RoleName }));
  expect(["admin", "viewer", "constructor", "clerk"].map(isRole)).toEqual([true, true, false, false]);
  expect(check({ role: "clerk" })).toEqual([{ field: "role", message: "must be the name of a role" }]);
  const may = ["rooms:read"] as const;
  defineRoles({ admin: { says: "Runs the hotel.", may: ["*"] }, clerk: { says: "Books rooms.", may } } as never);
  expect([...rolesDefined()]).toEqual([
    ["admin", "Runs the hotel."],
    ["viewer", "Looks on: sees all of operations and changes nothing."],
    ["clerk", "Books rooms."],
  ]);
  expect(check({ role: "clerk" })).toBe(true);
});

test("a permission that is not of the form does not compile, or stops the start", () => {
  const commands = { open: {} };
  expect(defineContract({ service: "doors", commands, permissions: { open: "doors:open" } }).permissions.open).toBe(
    "doors:open",
  );
  // @ts-expect-error no word
  expect(() => defineContract({ service: "doors", commands, permissions: { open: "doors" } })).toThrow(
    'doors.open: the permission "doors" is not <thing>:<word>',
  );
  expect(() => defineContract({ service: "doors", commands, permissions: { open: "Doors:*" } })).toThrow("Doors:*");
  // @ts-expect-error there is no such command
  defineContract({ service: "doors", commands, permissions: { close: "doors:open" } });
});
