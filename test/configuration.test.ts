// The variables that the runtime and the services declare, whichever services there are.
import { expect, test } from "@jest/globals";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { declaredVariables, readEnvironment } from "@valence/runtime/kernel";
import { configurationPage } from "../mixins/cli/configuration-page.ts";
import { declaredIn } from "../mixins/cli/declared.ts";
import { serviceNames } from "../mixins/operations/services.ts";

const all = await declaredIn("services", serviceNames("services"));

test("the variables of this process stop no start", () => {
  const own = Object.keys(process.env).filter(name => !declaredVariables(all).has(name));
  readEnvironment(Object.fromEntries(own.map(name => [name, "x"])), all);
});

test("docs/configuration.md is what the declarations say; `npx valence docs` writes it", async () => {
  const page = await readFile(join(import.meta.dirname, "../docs/configuration.md"), "utf8");
  expect(page).toBe(configurationPage(page, all));
});
