import { expect, test } from "@jest/globals";
import { readEnvironment } from "../kernel/index.ts";
import { mailEnvironment } from "./environment.ts";

const FROM = "Library <desk@library.example>";

test.each([
  ["MAIL_FROM", { SMTP_URL: "smtp://127.0.0.1:25" }],
  ["MAIL_FROM", { MAIL_FROM: "desk" }],
  ["MAIL_FROM", { MAIL_FROM: "Library <desk@library.example>, victim@example.com" }],
  ["SMTP_URL", { SMTP_URL: "http://127.0.0.1:25", MAIL_FROM: FROM }],
  ["SMTP_URL", { SMTP_URL: "127.0.0.1", MAIL_FROM: FROM }],
])("a wrong %s stops the start by name: %j", (name, env) => {
  const environment = readEnvironment(env);
  expect(() => mailEnvironment.check(mailEnvironment.of(environment), environment)).toThrow(name);
});
