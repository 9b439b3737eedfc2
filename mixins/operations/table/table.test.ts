import { describe, expect, test } from "@jest/globals";
import Type from "typebox";
import { auditContract } from "../../audit/index.ts";
import { defineContract, isAllowed } from "../../contract/index.ts";
import { contract } from "../contract.ts";
import { Operations } from "../operations.ts";
import { auditRoutes, operationsRoutes } from "../routes.ts";
import { operationsOf, pathParamsOf } from "./operation.ts";
import { routeOf } from "./routes.ts";
import { auditTable, operationsTable } from "./table.ts";

const table = [...operationsTable, ...auditTable];
const routes = [...operationsRoutes, ...auditRoutes];

test("each action of the contracts is one operation and one route", () => {
  const names = [contract, auditContract].flatMap(({ service, actions }) =>
    Object.keys(actions).map(name => `${service}.${name}`),
  );
  expect(table.map(({ action }) => action).sort()).toEqual(names.sort());
  expect(routes.map(({ target }) => String((target as { action?: string }).action)).sort()).toEqual(names.sort());
});

describe.each(table.map(operation => [operation.action, operation] as const))("%s", (action, operation) => {
  const route = routes.find(({ target }) => (target as { action?: string }).action === action)!;

  test("asks for the permission of its action, by every way", () => {
    const [service, name = ""] = action.split(".");
    const permissions = service === "ops" ? contract.permissions : auditContract.permissions;
    expect(operation.permission).toBe((permissions as Record<string, string>)[name]);
    if (service === "ops")
      expect(Operations().actions![name]).toMatchObject({ permission: operation.permission, visibility: "public" });
    // A person without the role does not come as far as the action.
    // A command that is only supposed comes with its params: a read with a body.
    const isRead = route.method === "GET" || action === "ops.whatIf";
    expect(operation.permission.endsWith(":read")).toBe(isRead);
    expect(route).toMatchObject({ access: isRead ? ["admin", "viewer"] : ["admin"], summary: operation.summary });
    expect(isAllowed({ id: "vic", roles: ["viewer"] }, operation.permission)).toBe(isRead);
  });

  test("takes a note where it changes something", () => {
    if (!operation.permission.endsWith(":write")) return;
    expect(Object.keys(operation.params)).toContain("note");
  });

  test("takes each param of its action from one place", () => {
    const places = [route.path, route.query, route.body].flatMap(place => Object.keys(place));
    // The gateway answers a part of any resource.
    expect(places.filter(name => name !== "fields").sort()).toEqual(Object.keys(operation.params).sort());
    expect(Object.keys(route.path)).toEqual(pathParamsOf(operation.http));
  });
});

test("an answer with a secret is not kept for a repeat", () => {
  const withSecret = table.filter(({ returns }) =>
    Object.hasOwn((returns as { properties?: object }).properties ?? {}, "secret"),
  );
  expect(withSecret.map(({ action }) => action)).toEqual(["ops.addWebhook", "ops.rotateWebhook"]);
  for (const operation of withSecret) expect(routeOf(operation).target).toMatchObject({ secret: true });
});

test("no two operations have the same command", () => {
  const commands = table.flatMap(({ command, shortcuts = [] }) => [command, ...shortcuts.map(one => one.command)]);
  // Params are told apart by their place, not by their name.
  const forms = commands.map(command => command.replaceAll(/<\w+>/g, "<>"));
  expect(new Set(forms).size).toBe(forms.length);
});

describe("a table is wrong", () => {
  const rooms = defineContract({
    service: "rooms",
    actions: { open: { params: { id: Type.String() }, returns: Type.Object({}) } },
    permissions: { open: "rooms:write" },
  });
  const spec = { command: "open <id>", summary: "Opens", http: "POST /rooms/:id/open", view: {}, examples: ["open 1"] };
  test.each([
    ["a command that names no param", { command: "open <name>" }, "rooms.open has no param name"],
    ["a path that names none", { http: "POST /rooms/:name" }, "rooms.open has no param name"],
    ["a command that begins with a param", { command: "<id> open" }, "a command begins with a word"],
    ["a place that is neither", { command: "open :id" }, "neither a word nor <param>: :id"],
  ])("by %s", (_what, wrong, says) => {
    expect(() => operationsOf(rooms, { open: { ...spec, ...wrong } })).toThrow(says);
  });

  test("by an action without permission", () => {
    const free = { ...rooms, permissions: {} };
    expect(() => operationsOf(free as typeof rooms, { open: spec })).toThrow("rooms.open asks for no permission");
  });
});
