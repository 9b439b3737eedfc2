import { expect, test } from "@jest/globals";
import { matching } from "./tail.ts";

test.each([
  ["order.placed", ["order.placed"], ["order.placed2", "border.placed", ""]],
  ["order.*", ["order.placed", "order.", "order.a.b"], ["orders.placed"]],
  ["*", ["", "order.placed"], []],
  ["*.placed", ["order.placed"], ["placed", "order.placed.late"]],
  ["o*.p*d", ["order.placed", "o.pd"], ["o.p", "order.place"]],
  ["a*a", ["aa", "aba"], ["a"]],
  ["*a*b*", ["xaxbx", "ab"], ["ba"]],
])("the pattern %s fits %j and not %j", (pattern, fitting, others) => {
  const fits = matching(pattern);
  expect([...fitting, ...others].filter(text => fits(text))).toEqual(fitting);
});

test("a pattern of many stars takes no time", () => {
  expect(matching(`${"*a".repeat(50)}b`)("a".repeat(10_000))).toBe(false);
});
