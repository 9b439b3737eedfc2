import { hash } from "node:crypto";
import { expect, test } from "@jest/globals";
import Type from "typebox";
import { canonicalJson } from "../../kernel/index.ts";
import { ANONYMOUS } from "../auth/authentication.ts";
import { looseRoute } from "../library.fixture.ts";
import { fingerprintOf, keptFingerprintOf } from "./fingerprint.ts";

const change = looseRoute("POST /me/password", "people.change", {
  summary: "A new password",
  body: { old: Type.String({ writeOnly: true }), hint: Type.Optional(Type.String()) },
  params: () => ({}),
});
const asked = (body: object, id = "ann") => ({
  route: change,
  request: { path: {}, query: {}, body, user: { ...ANONYMOUS, id }, conditions: {}, key: "k" },
});
const seal = { key: "0190a0b0-5f0e-7c3a-9d8e-2b6f4c1a7e55", secret: "of the role" };

test("equal requests have one fingerprint, however they are spelt, and another body has another", () => {
  expect(fingerprintOf(asked({ old: "a", hint: "b" }))).toBe(fingerprintOf(asked({ hint: "b", old: "a" })));
  expect(fingerprintOf(asked({ old: "a" }))).not.toBe(fingerprintOf(asked({ old: "b" })));
  const kept = [{ old: "a" }, { old: "a" }, { old: "b" }, { old: "a", hint: "b" }].map(body =>
    keptFingerprintOf(asked(body), seal),
  );
  expect(kept[0]).toBe(kept[1]);
  expect(new Set(kept).size).toBe(3);
});

test("a kept one cannot be made again from the password and what the store has, and is no other person's with the same", () => {
  const body = { old: "correct horse" };
  const fast = hash("sha256", canonicalJson(["POST", change.url, {}, {}, body]), "base64url");
  expect(fingerprintOf(asked(body))).toBe(fast);
  const kept = [
    keptFingerprintOf(asked(body), seal),
    keptFingerprintOf(asked(body), { ...seal, key: "another" }),
    keptFingerprintOf(asked(body), { ...seal, secret: undefined }),
    keptFingerprintOf(asked(body, "bob"), seal),
  ];
  expect(new Set([fast, ...kept]).size).toBe(5);
});
