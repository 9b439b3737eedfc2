// The page of the checks is in step with the code, and so is what the alerts are about.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { CHECKS, doctorPage } from "./checks.ts";

test("docs/doctor.md is what `npx valence docs` writes", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/doctor.md"), "utf8");
  expect(page).toBe(doctorPage());
});

test("a check has one name, and the page has a row for each", () => {
  const names = Object.values(CHECKS).flatMap(group => Object.keys(group));
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(doctorPage()).toContain(`| \`${name}\` | `);
});
