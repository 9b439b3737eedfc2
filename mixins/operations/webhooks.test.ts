import { expect, test } from "@jest/globals";
import { compileSchema, strictObject } from "../contract/index.ts";
import { webhookContract } from "./webhooks.ts";

test.each([
  ["https://desk.example/hooks?via=a@b", true],
  ["http://[::1]:8080/", true],
  ["https://ann:sesame@desk.example/", false],
  ["ftp://desk.example/", false],
  ["desk.example", false],
])("before anything is recorded of it, %s is taken: %s", (url, isTaken) => {
  const check = compileSchema(strictObject(webhookContract.actions.addWebhook.params));
  expect(check({ url, events: ["library.loan.ended"] }) === true).toBe(isTaken);
});
