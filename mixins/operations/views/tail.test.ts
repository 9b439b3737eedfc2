import { expect, test } from "@jest/globals";
import { matching } from "./tail.ts";

test.each([
  ["loan.placed", ["loan.placed"], ["loan.placed2", "aloan.placed", ""]],
  ["loan.*", ["loan.placed", "loan.", "loan.a.b"], ["loans.placed"]],
  ["*", ["", "loan.placed"], []],
  ["*.placed", ["loan.placed"], ["placed", "loan.placed.late"]],
  ["l*.p*d", ["loan.placed", "l.pd"], ["l.p", "loan.place"]],
  ["a*a", ["aa", "aba"], ["a"]],
  ["*a*b*", ["xaxbx", "ab"], ["ba"]],
])("the pattern %s fits %j and not %j", (pattern, fitting, others) => {
  const fits = matching(pattern);
  expect([...fitting, ...others].filter(text => fits(text))).toEqual(fitting);
});

test("a pattern of many stars takes no time", () => {
  expect(matching(`${"*a".repeat(50)}b`)("a".repeat(10_000))).toBe(false);
});
