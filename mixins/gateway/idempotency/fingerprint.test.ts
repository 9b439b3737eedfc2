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
const asked = (body: object) => ({
  route: change,
  request: { path: {}, query: {}, body, user: ANONYMOUS, conditions: {}, key: "k" },
});

test("equal requests have one fingerprint, however they are spelt, and another body has another", async () => {
  expect(fingerprintOf(asked({ old: "a", hint: "b" }))).toBe(fingerprintOf(asked({ hint: "b", old: "a" })));
  expect(fingerprintOf(asked({ old: "a" }))).not.toBe(fingerprintOf(asked({ old: "b" })));
  const kept = await Promise.all(
    [{ old: "a" }, { old: "a" }, { old: "b" }, { old: "a", hint: "b" }].map(body =>
      keptFingerprintOf(asked(body), "s"),
    ),
  );
  expect(kept[0]).toBe(kept[1]);
  expect(new Set(kept).size).toBe(3);
});

test("a kept one cannot be made again from the password and a fast hash, and is no other person's with the same", async () => {
  const body = { old: "correct horse" };
  const fast = hash("sha256", canonicalJson(["POST", change.url, {}, {}, body]), "base64url");
  expect(fingerprintOf(asked(body))).toBe(fast);
  const [one, other] = await Promise.all([
    keptFingerprintOf(asked(body), "ann"),
    keptFingerprintOf(asked(body), "bob"),
  ]);
  expect(one).not.toBe(fast);
  expect(one).not.toBe(other);
});
