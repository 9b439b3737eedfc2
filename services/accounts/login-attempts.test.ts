import { expect, test } from "@jest/globals";
import { limits } from "./limits.ts";
import { LoginAttempts } from "./login-attempts.ts";

const start = () => {
  let now = 0;
  const attempts = new LoginAttempts({ now: () => now, monotonic: () => now });
  const fail = (account: string) => {
    attempts.check(account);
    attempts.failed(account);
  };
  return { attempts, fail, pass: (ms: number) => (now += ms) };
};

test("past the limit an account is refused until its window ends, others are not", () => {
  const { attempts, fail, pass } = start();
  for (let n = 0; n < limits.failedLoginsMax; n++) fail("ada");
  expect(() => attempts.check("ada")).toThrow(
    expect.objectContaining({
      type: "TOO_MANY_ATTEMPTS",
      code: 429,
      data: { family: "refusal", retryAfterMs: 60_000 },
    }),
  );
  attempts.check("bob");
  pass(limits.failedLoginsWindowMs);
  attempts.check("ada");
});

test("a log-in that succeeds clears the account's failures", () => {
  const { attempts, fail } = start();
  for (let n = 1; n < limits.failedLoginsMax; n++) fail("ada");
  attempts.succeeded("ada");
  fail("ada");
  attempts.check("ada");
});

test("no more accounts are remembered than the limit; the oldest is forgotten", () => {
  const { attempts, fail } = start();
  for (let n = 0; n < limits.failedLoginsMax; n++) fail("first");
  for (let n = 0; n < limits.failedLoginAccountsMax; n++) fail(`account-${n}`);
  attempts.check("first");
});
