import { expect, test } from "@jest/globals";
import { actsFor, assertOwned, seesAll, type Role } from "./index.ts";

const as = (id: string, ...roles: Role[]) => ({ meta: { user: { id, roles } } });
const service = { meta: {} };
const owned = (asked: Parameters<typeof assertOwned>[0], owner: string | undefined) => () =>
  assertOwned(asked, owner, "BOOKING_NOT_FOUND");

test("the owner, an admin and other services may act for the owner; for anyone else it does not exist", () => {
  expect([actsFor(as("ann"), "ann"), actsFor(as("root", "admin"), "ann"), actsFor(service, "ann")]).toEqual([
    true,
    true,
    true,
  ]);
  expect([actsFor(as("bob"), "ann"), actsFor(as("bob"), undefined)]).toEqual([false, false]);
  for (const asked of [as("ann"), as("root", "admin"), service]) expect(owned(asked, "ann")).not.toThrow();
  expect(owned(as("bob"), "ann")).toThrow(expect.objectContaining({ type: "BOOKING_NOT_FOUND", code: 404 }));
});

test("a thing without an owner does not exist, for services too", () => {
  for (const asked of [as("root", "admin"), service]) expect(owned(asked, undefined)).toThrow("booking not found");
});

test("other roles than admin may see all, or none", () => {
  const clerk = as("cleo", "clerk" as Role);
  expect([actsFor(clerk, "ann"), actsFor(clerk, "ann", ["clerk" as Role])]).toEqual([false, true]);
  expect([actsFor(as("root", "admin"), "ann", []), actsFor(service, "ann", [])]).toEqual([false, true]);
  expect([seesAll(as("ann")), seesAll(service), seesAll(clerk, ["clerk" as Role])]).toEqual([false, true, true]);
});
