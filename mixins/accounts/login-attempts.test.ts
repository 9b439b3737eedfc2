import { expect, test } from "@jest/globals";
import { MemoryCounter } from "../redis/index.ts";
import { limits } from "./limits.ts";
import { LoginAttempts } from "./login-attempts.ts";

const HOME = "192.0.2.1";
const start = (processes = 1) => {
  let now = 0;
  const clock = { now: () => now, monotonic: () => now };
  const counter = () => new MemoryCounter({ windowMs: limits.failedLoginsWindowMs, keysMax: 10_000, processes, clock });
  const attempts = new LoginAttempts({ byAccount: counter(), byAddress: counter() });
  const begin = (account: string, address?: string) =>
    attempts.begin(account, address, async () => address === HOME && account === "ada");
  return { begin, pass: (ms: number) => (now += ms) };
};
const tooMany = { type: "TOO_MANY_ATTEMPTS", code: 429, data: { family: "refusal", retryAfterMs: 60_000 } };

test("past the limit an account is refused until its window ends, others are not", async () => {
  const { begin, pass } = start();
  for (let n = 0; n < limits.failedLoginsMax; n++) await begin("ada");
  await expect(begin("ada")).rejects.toMatchObject(tooMany);
  await begin("bob");
  pass(limits.failedLoginsWindowMs);
  await begin("ada");
});

test("however many guesses come at once, no more are compared than the limit says", async () => {
  const { begin } = start();
  const guesses = await Promise.allSettled(Array.from({ length: 200 }, (_, n) => begin("ada", `198.51.100.${n}`)));
  expect(guesses.filter(({ status }) => status === "fulfilled")).toHaveLength(limits.failedLoginsMax);
});

test("strangers cannot use up what an account has at an address that it knows", async () => {
  const { begin } = start();
  for (let n = 0; n < 30; n++) await begin("ada", `198.51.100.${n}`).catch(() => {});
  await expect(begin("ada", "198.51.100.1")).rejects.toMatchObject(tooMany);
  for (let n = 0; n < limits.failedLoginsMax; n++) await begin("ada", HOME);
  await expect(begin("ada", HOME)).rejects.toMatchObject(tooMany);
});

test("an address is refused after so many, whatever the account; right passwords do not count", async () => {
  const { begin } = start();
  for (let n = 0; n < 300; n++) await (await begin(`employee ${n}`, HOME)).succeeded();
  for (let n = 0; n < limits.failedLoginsPerAddressMax; n++) await begin(`victim ${n}`, HOME);
  await expect(begin("another", HOME)).rejects.toMatchObject(tooMany);
  await begin("another", "198.51.100.1");
});

test("a log-in that succeeds clears the account's failures", async () => {
  const { begin } = start();
  for (let n = 1; n < limits.failedLoginsMax; n++) await begin("ada");
  await (await begin("ada")).succeeded();
  for (let n = 0; n < limits.failedLoginsMax; n++) await begin("ada");
});

test("an attempt that was not looked at does not count", async () => {
  const { begin } = start();
  for (let n = 0; n < 300; n++) await (await begin("ada", HOME)).undo();
  await begin("ada", HOME);
});

test("each of several processes refuses after its share", async () => {
  const { begin } = start(5);
  for (let n = 0; n < limits.failedLoginsMax / 5; n++) await begin("ada");
  await expect(begin("ada")).rejects.toMatchObject(tooMany);
});
