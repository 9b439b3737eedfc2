import { expect, test } from "@jest/globals";
import { readyText } from "./ready-text.ts";

test("a password that was made up is shown, one that was given is not", () => {
  const email = "root@example.com";
  expect(readyText({ api: "http://x" }, { email, password: "made-up" })).toContain("made-up");
  expect(readyText({ api: "http://x" }, { email, password: undefined })).toContain(
    "root@example.com, the password in ADMIN_",
  );
});

test("a later start shows the addresses alone", () => {
  const text = readyText({ api: "http://localhost:3000", provider: "http://localhost:4010" }, undefined);
  expect(text).toContain("http://localhost:3000/api/v1");
  expect(text).toContain("http://localhost:4010/ledger");
  expect(text).not.toContain("admin");
});
