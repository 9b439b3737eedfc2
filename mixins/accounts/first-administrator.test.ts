import { expect, test } from "@jest/globals";
import { administratorText, madeUpPassword } from "./first-administrator.ts";

test("a password that was made up is shown, one that was given is not", () => {
  expect(administratorText("root@example.com", "made-up")).toContain("made-up");
  expect(administratorText("root@example.com", undefined)).toContain("root@example.com, the password in ADMIN_");
});

test("passwords that are made up differ, and are long enough to be passwords", () => {
  const passwords = Array.from({ length: 20 }, madeUpPassword);
  expect(new Set(passwords).size).toBe(20);
  expect(passwords.every(password => password.length === 16)).toBe(true);
});
