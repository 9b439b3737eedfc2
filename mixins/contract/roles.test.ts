import { expect, test } from "@jest/globals";
import { compileSchema, defineContract, defineRoles, isRole, RoleName, rolesDefined, strictObject } from "./index.ts";

test("the runtime knows one role, the domain declares the others", () => {
  const check = compileSchema(strictObject({ role: RoleName }));
  expect([isRole("admin"), isRole("constructor"), isRole("clerk")]).toEqual([true, false, false]);
  expect(check({ role: "clerk" })).toEqual([{ field: "role", message: "must be the name of a role" }]);
  defineRoles({ admin: "Runs the hotel.", clerk: "Books rooms." } as never);
  expect([...rolesDefined()]).toEqual([
    ["admin", "Runs the hotel."],
    ["clerk", "Books rooms."],
  ]);
  expect(check({ role: "clerk" })).toBe(true);
});

test("a role that nobody has declared does not compile", () => {
  const commands = { open: {} };
  defineContract({ service: "doors", commands, roles: { open: ["admin"] } });
  // @ts-expect-error misspelt
  defineContract({ service: "doors", commands, roles: { open: ["amdin"] } });
});
