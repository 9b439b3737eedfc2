import { expect, test } from "@jest/globals";
import { namesOf, renamed } from "./names.ts";

const THINGS = { plural: "things", singular: "thing" };

test.each([
  ["bookings", "booking"],
  ["room-keys", "room-key"],
  ["inventories", "inventory"],
  ["boxes", "box"],
  ["branches", "branch"],
  ["keys", "key"],
  ["houses", "house"],
])("%s has the actor %s", (plural, singular) => expect(namesOf(plural)).toEqual({ plural, singular }));

test("a name whose singular is not known takes it from the caller", () => {
  expect(() => namesOf("staff")).toThrow("new service staff --singular NAME");
  expect(() => namesOf("glass")).toThrow("--singular");
  expect(() => namesOf("staff", "staff")).toThrow("--singular");
  expect(namesOf("staff", "employee")).toEqual({ plural: "staff", singular: "employee" });
});

test.each(["", "Bookings", "book ings", "-bookings", "book--ings", "bookings/../x", "1s", `${"a".repeat(40)}s`])(
  "%j is no name",
  name => expect(() => namesOf(name, "booking")).toThrow("a name has small letters"),
);

test("code is renamed in every spelling, and nothing else in it", () => {
  const code = `// A thing is opened.
import { Thing } from "./thing.ts";
const { thing, things, thingErrors, something, nothings } = x;
export const createThings = \`\${things} thing\`;
throw thingErrors.THING_NOT_FOUND(call("things.open"));
interface Contracts {
  things: typeof contract;
}`;
  expect(renamed(code, THINGS, namesOf("order-items"), true)).toBe(`// An order-item is opened.
import { OrderItem } from "./order-item.ts";
const { orderItem, orderItems, orderItemErrors, something, nothings } = x;
export const createOrderItems = \`\${order-items} order-item\`;
throw orderItemErrors.ORDER_ITEM_NOT_FOUND(call("order-items.open"));
interface Contracts {
  "order-items": typeof contract;
}`);
});

test("a page keeps the hyphens", () =>
  expect(renamed("# Things\n\nA thing: `things.open`", THINGS, namesOf("room-keys"), false)).toBe(
    "# RoomKeys\n\nA room-key: `room-keys.open`",
  ));
