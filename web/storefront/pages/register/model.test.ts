import { expect, test } from "@jest/globals";
import { faultsOf } from "./model.ts";

const refused = (code: string, more: Partial<Parameters<typeof faultsOf>[0]> = {}) => ({
  code,
  message: "it is refused",
  errors: [],
  retryAfterMs: undefined,
  ...more,
});

test("what is refused is said at its field, and what is about no field above them", () => {
  expect(Object.keys(faultsOf(refused("EMAIL_TAKEN")))).toEqual(["email"]);
  expect(Object.keys(faultsOf(refused("WEAK_PASSWORD")))).toEqual(["password"]);
  const errors = [
    { field: "name", message: "is empty" },
    { field: "captcha", message: "is wrong" },
  ];
  expect(faultsOf(refused("VALIDATION_ERROR", { errors }))).toEqual({ name: "Is empty." });
  expect(faultsOf(refused("BUSY"))).toEqual({ form: "It is refused." });
  expect(faultsOf(refused("TOO_MANY_REGISTRATIONS", { retryAfterMs: 60_000 }), 0)["form"]).toMatch(/after \d+:01/);
});
