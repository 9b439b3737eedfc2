import { expect, test } from "@jest/globals";
import { namesOf, renamed } from "./names.ts";

const THINGS = { plural: "things", singular: "thing" };

test.each([
  ["bookings", "booking"],
  ["room-keys", "room-key"],
  ["libraries", "library"],
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
  expect(renamed(code, THINGS, namesOf("entry-slips"), true)).toBe(`// An entry-slip is opened.
import { EntrySlip } from "./entry-slip.ts";
const { entrySlip, entrySlips, entrySlipErrors, something, nothings } = x;
export const createEntrySlips = \`\${entry-slips} entry-slip\`;
throw entrySlipErrors.ENTRY_SLIP_NOT_FOUND(call("entry-slips.open"));
interface Contracts {
  "entry-slips": typeof contract;
}`);
});

test("a page keeps the hyphens", () =>
  expect(renamed("# Things\n\nA thing: `things.open`", THINGS, namesOf("room-keys"), false)).toBe(
    "# RoomKeys\n\nA room-key: `room-keys.open`",
  ));
