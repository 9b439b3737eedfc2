import { expect, test } from "@jest/globals";
import { MemoryCounter } from "../../mixins/redis/index.ts";
import { limits } from "./limits.ts";
import { LoginAttempts } from "./login-attempts.ts";

const start = (processes = 1) => {
  let now = 0;
  const clock = { now: () => now, monotonic: () => now };
  const counter = new MemoryCounter({ windowMs: limits.failedLoginsWindowMs, keysMax: 100, processes, clock });
  const attempts = new LoginAttempts(counter);
  const fail = async (account: string) => {
    await attempts.check(account);
    await attempts.failed(account);
  };
  return { attempts, fail, pass: (ms: number) => (now += ms) };
};
const tooMany = { type: "TOO_MANY_ATTEMPTS", code: 429, data: { family: "refusal", retryAfterMs: 60_000 } };

test("past the limit an account is refused until its window ends, others are not", async () => {
  const { attempts, fail, pass } = start();
  for (let n = 0; n < limits.failedLoginsMax; n++) await fail("ada");
  await expect(attempts.check("ada")).rejects.toMatchObject(tooMany);
  await attempts.check("bob");
  pass(limits.failedLoginsWindowMs);
  await attempts.check("ada");
});

test("a log-in that succeeds clears the account's failures", async () => {
  const { attempts, fail } = start();
  for (let n = 1; n < limits.failedLoginsMax; n++) await fail("ada");
  await attempts.succeeded("ada");
  await fail("ada");
  await attempts.check("ada");
});

test("of several processes each refuses after its share", async () => {
  const { attempts, fail } = start(5);
  for (let n = 0; n < limits.failedLoginsMax / 5; n++) await fail("ada");
  await expect(attempts.check("ada")).rejects.toMatchObject(tooMany);
});
