// The events of the log of operations are released shapes: every later release reads those that lie in a database.
import { test } from "@jest/globals";
import { actsOf } from "../audit/acts.ts";
import { checkGolden } from "../testing/index.ts";

test("the golden samples of the log are read by this release", () =>
  checkGolden(actsOf("operation"), import.meta.dirname));
