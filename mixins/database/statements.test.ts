import { expect, test } from "@jest/globals";
import { ATTRIBUTES } from "../tracing/index.ts";
import { statementSpan } from "./statements.ts";

test.each([
  ["select `id` from `loans` where `id` = ?", "SELECT loans", "SELECT", "loans"],
  ['insert into "loans" ("id") values ($1) on conflict do nothing', "INSERT loans", "INSERT", "loans"],
  ["update loans set a = 1", "UPDATE loans", "UPDATE", "loans"],
  [" delete from loans", "DELETE loans", "DELETE", "loans"],
  ["select * from append_batch($1,$2)", "SELECT append_batch", "SELECT", "append_batch"],
  ["COMMIT;", "COMMIT", "COMMIT", undefined],
  ["", "SQL", "SQL", undefined],
])("a statement is named by what it does, and to which table: %s", (sql, name, operation, table) => {
  const span = statementSpan(sql, "sqlite", "loans.sqlite");
  expect(span.kind).toBe("client");
  expect(span.name()).toBe(name);
  expect(span.attributes()).toMatchObject({ [ATTRIBUTES.dbOperation]: operation, [ATTRIBUTES.dbCollection]: table });
});
