import { expect, test } from "@jest/globals";
import { PersonalFields } from "./personal.ts";

const fields = new PersonalFields();
fields.add([
  { name: "name", beside: ["line1", "city"] },
  { name: "name", beside: ["email"] },
]);

test.each([
  ["name", ["name", "email", "roles"], true],
  ["name", ["name", "city"], true],
  ["name", ["name"], true],
  ["name", ["name", "lagEvents"], false],
  ["email", ["name", "email"], false],
])("%s among %o: %s", (name, names, isPersonal) => {
  expect(fields.has(name, names)).toBe(isPersonal);
});

test("what another node announces, and is none, is passed over", () => {
  const others = new PersonalFields();
  for (const strange of ["name", null, [null, 7, { name: "name" }, { name: 1, beside: [] }]])
    others.add(strange as never);
  expect(others.has("name", ["name"])).toBe(false);
});
