// docs/operations.md names every operation: its table is written from the one of the runtime.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { operationsPage } from "../mixins/cli/operations-page.ts";
import { auditTable, operationsTable } from "../mixins/operations/table/table.ts";

test("docs/operations.md is what the table says; `npx valence docs` writes it", () => {
  const page = readFileSync(join(import.meta.dirname, "../docs/operations.md"), "utf8");
  expect(page).toBe(operationsPage(page, [...operationsTable, ...auditTable]));
});
