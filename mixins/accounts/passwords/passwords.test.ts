import { expect, test } from "@jest/globals";
import { hash } from "@node-rs/argon2";
import { Passwords } from "./passwords.ts";

test("passwords are kept as argon2id, 19 MiB, two passes", async () => {
  const passwords = new Passwords();
  const hashed = await passwords.hash("correct horse");
  expect(hashed).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(await passwords.verify(hashed, "correct horse")).toBe(true);
  expect(await passwords.verify(hashed, "correct house")).toBe(false);
});

test("a password is the same on every system, and a hash of an earlier release still verifies", async () => {
  const passwords = new Passwords();
  const [composed, decomposed] = ["caf\u00e9 au lait", "cafe\u0301 au lait"];
  const today = await passwords.hash(decomposed);
  for (const typed of [composed, decomposed]) {
    expect(await passwords.verify(today, typed)).toBe(true);
    expect(await passwords.isOfOlderForm(today, typed)).toBe(false);
  }
  const [older, ligature] = [await hash(decomposed), await hash("\ufb01nally")];
  for (const typed of [composed, decomposed]) {
    expect(await passwords.verify(older, typed)).toBe(true);
    expect(await passwords.isOfOlderForm(older, typed)).toBe(true);
  }
  expect(await passwords.verify(ligature, "\ufb01nally")).toBe(true);
  expect(await passwords.isOfOlderForm(ligature, "\ufb01nally")).toBe(true);
  expect(await passwords.verify(older, "cafe au lait")).toBe(false);
});

test("an account that is not there costs the same work as a wrong password", async () => {
  const passwords = new Passwords();
  const hashed = await passwords.hash("correct horse");
  const medianMs = async (hash: string | undefined) => {
    const times: number[] = [];
    for (let n = 0; n < 9; n++) {
      const from = performance.now();
      expect(await passwords.verify(hash, "guess")).toBe(false);
      times.push(performance.now() - from);
    }
    return times.toSorted((a, b) => a - b)[4]!;
  };
  const [wrong, unknown] = [await medianMs(hashed), await medianMs(undefined)];
  expect(unknown).toBeGreaterThan(wrong / 3);
});
