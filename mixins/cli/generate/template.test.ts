import { expect, test } from "@jest/globals";
import { withRegions } from "./template.ts";

const text = `a
  // #region saga
  b
  // #region route
  c
  // #endregion
  // #endregion
<!-- #region crud -->
d
<!-- #endregion -->
e`;

test.each([
  [[], "a\ne"],
  [["saga"], "a\n  b\ne"],
  [["route"], "a\ne"],
  [["saga", "route", "crud"], "a\n  b\n  c\nd\ne"],
])("with %j", (kinds, kept) => expect(withRegions(text, new Set(kinds))).toBe(kept));
