// Every action that a person reaches by a route asks for a permission, and somebody besides administrators has it or the
// route is theirs alone. The routes that anybody may ask, logged in or not, need none.
import { expect, test } from "@jest/globals";
import { contractOf, isAllowed, isPermission, type Permission, type User } from "@valence/runtime/contract";
import type { Route } from "@valence/runtime/gateway";
import { roles } from "../../roles.ts";
import { routes } from "./index.ts";

const actionOf = ({ target }: Route): string => ("stream" in target ? target.stream.action : target.action);
const permissionOf = (action: string): Permission | false | undefined => {
  const [service = "", name = ""] = action.split(".");
  return (contractOf(service)!.permissions as Record<string, Permission | false>)[name];
};
const person = (...of: string[]): User => ({ id: "ann", roles: of as User["roles"] });
const named = (wrong: readonly Route[]): string[] =>
  wrong.map(route => `${route.method} ${route.url}: ${actionOf(route)}`);

test("an action behind a route for people asks for a permission", () => {
  const guarded = routes.filter(({ access }) => access !== "public");
  expect(guarded.length).toBeGreaterThan(25);
  expect(named(guarded.filter(route => !isPermission(`${permissionOf(actionOf(route))}`)))).toEqual([]);
});

test("each route can be used by the people whom it lets pass", () => {
  const usersOf = ({ access }: Route): readonly User[] => {
    if (access === "public") return [{ id: "", roles: [] }];
    if (access === "user") return [person("customer"), person("admin")];
    return (typeof access === "string" ? [access] : access).map(role => person(role));
  };
  const closed = routes.filter(route => {
    const permission = permissionOf(actionOf(route));
    return permission !== undefined && !usersOf(route).every(user => isAllowed(user, permission));
  });
  expect(named(closed)).toEqual([]);
});

test("a person without a role, and a customer, may do nothing that an administrator's route does", () => {
  const open = routes
    .filter(({ access }) => access === "admin")
    .filter(({ url }) => !url.startsWith("/api/v1/users/:id"));
  const allowed = open.filter(route => isAllowed(person("customer"), permissionOf(actionOf(route))!));
  expect(named(allowed)).toEqual([]);
  expect(Object.keys(roles)).toEqual(["admin", "viewer", "customer"]);
});

test("those who look on pass every route that reads operations, and none that changes something", () => {
  const ofOperations = routes.filter(
    ({ url }) => url.startsWith("/api/v1/ops/") && !url.startsWith("/api/v1/ops/keys"),
  );
  const passes = (route: Route): boolean =>
    [route.access].flat().includes("viewer") && isAllowed(person("viewer"), permissionOf(actionOf(route))!);
  // A supposed command, by POST, reads.
  const reads = ({ method, url }: Route): boolean => method === "GET" || url.endsWith("/what-if");
  expect(named(ofOperations.filter(route => passes(route) !== reads(route)))).toEqual([]);
  // Whatever a route lets pass: of what only administrators may change, they may change nothing.
  const changing = routes
    .filter(({ access }) => access !== "public" && access !== "user")
    .filter(route => !reads(route));
  expect(changing.length).toBeGreaterThan(20);
  expect(named(changing.filter(passes))).toEqual([]);
});
