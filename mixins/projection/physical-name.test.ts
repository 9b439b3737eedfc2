import { expect, test } from "@jest/globals";
import { physicalName } from "./physical-name.ts";

const long = "the-loans-of-each-member-by-month-and-by-the-branch-that-lent-them";

test("names are as they are written, as far as a database keeps them", () => {
  expect(physicalName("loan-list", { version: 2, build: 1 }, "loans")).toBe("loan_list_v2_loans");
  expect(physicalName("loan-list", { version: 2, build: 3 }, "loans")).toBe("loan_list_v2_b3_loans");
});

test("long ones differ in what Postgres keeps, with room for the name of an index, and stay the same", () => {
  const names = ["loans", "lines"].flatMap(table =>
    [1, 2].flatMap(version => [1, 2].map(build => physicalName(long, { version, build }, table))),
  );
  expect(new Set(names.map(name => name.slice(0, 57))).size).toBe(8);
  for (const name of names) expect(name).toMatch(/^[\w]{57}$/);
  expect(names[0]).toBe("the_loans_of_each_member_by_month_and_by_the_c0f4fb481754");
});

test("a build that was made under a long name keeps it: the database cuts it as it did then", () => {
  const whole = `${long}_v1_loans`.replaceAll("-", "_");
  expect(physicalName(long, { version: 1, build: 1, tables: [whole] }, "loans")).toBe(whole);
  expect(physicalName(long, { version: 1, build: 1, tables: [] }, "loans")).not.toBe(whole);
});
