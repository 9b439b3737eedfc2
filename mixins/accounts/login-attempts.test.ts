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
  const isRight = (account: string, address: string | undefined, compare: () => Promise<boolean>) =>
    attempts.isRight({ account, address, isKnown: async () => address === HOME && account === "ada" }, compare);
  const wrong = (account: string, address?: string) => isRight(account, address, async () => false);
  const right = (account: string, address?: string) => isRight(account, address, async () => true);
  return { attempts, isRight, wrong, right, pass: (ms: number) => (now += ms) };
};
const tooMany = { type: "TOO_MANY_ATTEMPTS", code: 429, data: { family: "refusal", retryAfterMs: 60_000 } };

test("past the limit an account is refused until its window ends, others are not", async () => {
  const { wrong, pass } = start();
  for (let n = 0; n < limits.failedLoginsMax; n++) expect(await wrong("ada")).toBe(false);
  await expect(wrong("ada")).rejects.toMatchObject(tooMany);
  await wrong("bob");
  pass(limits.failedLoginsWindowMs);
  await wrong("ada");
});

test("however many guesses come at once, no more are compared than the limit says", async () => {
  const { isRight } = start();
  let compared = 0;
  const compare = async () => {
    compared++;
    return false;
  };
  const guesses = await Promise.allSettled(
    Array.from({ length: 200 }, (_, n) => isRight("ada", `198.51.100.${n}`, compare)),
  );
  expect(guesses.filter(({ status }) => status === "fulfilled")).toHaveLength(limits.failedLoginsMax);
  expect(compared).toBe(limits.failedLoginsMax);
});

test.each([undefined, HOME])("right passwords that come at once are right, however many: from %s", async address => {
  const { right } = start();
  const count = limits.failedLoginsMax + limits.attemptsWaitingMax;
  const attempts = await Promise.all(Array.from({ length: count }, () => right("ada", address)));
  expect(attempts).toEqual(Array(count).fill(true));
});

test("an attempt that is one too many waits for those under way, and no more of them than the limit says", async () => {
  const { isRight, right } = start();
  const { promise: decided, resolve: decide } = Promise.withResolvers<boolean>();
  const guesses = Array.from({ length: limits.failedLoginsMax }, () => isRight("ada", undefined, () => decided));
  const waiting = Array.from({ length: limits.attemptsWaitingMax }, () => right("ada"));
  await expect(right("ada")).rejects.toMatchObject(tooMany);
  const refused = Promise.allSettled(waiting);
  decide(false);
  expect(await Promise.all(guesses)).not.toContain(true);
  for (const { status } of await refused) expect(status).toBe("rejected");
});

test("strangers cannot use up what an account has at an address that it knows", async () => {
  const { wrong } = start();
  for (let n = 0; n < 30; n++) await wrong("ada", `198.51.100.${n}`).catch(() => {});
  await expect(wrong("ada", "198.51.100.1")).rejects.toMatchObject(tooMany);
  for (let n = 0; n < limits.failedLoginsMax; n++) await wrong("ada", HOME);
  await expect(wrong("ada", HOME)).rejects.toMatchObject(tooMany);
});

test("an address is refused after so many, whatever the account; right passwords do not count", async () => {
  const { wrong, right } = start();
  for (let n = 0; n < 300; n++) await right(`employee ${n}`, HOME);
  for (let n = 0; n < limits.failedLoginsPerAddressMax; n++) await wrong(`victim ${n}`, HOME);
  await expect(right("another", HOME)).rejects.toMatchObject(tooMany);
  await right("another", "198.51.100.1");
});

test("a log-in that succeeds clears the account's failures", async () => {
  const { wrong, right } = start();
  for (let n = 1; n < limits.failedLoginsMax; n++) await wrong("ada");
  await right("ada");
  for (let n = 0; n < limits.failedLoginsMax; n++) await wrong("ada");
});

test("an attempt that was not looked at does not count, and its reason is told", async () => {
  const { isRight, wrong } = start();
  const away = () => isRight("ada", HOME, () => Promise.reject(new Error("the database is away")));
  for (let n = 0; n < 300; n++) await expect(away()).rejects.toThrow("the database is away");
  await wrong("ada", HOME);
});

test("a password that is set anew forgets the account's failures, and those at the address that did it", async () => {
  const { attempts, wrong } = start();
  for (let n = 0; n < 2 * limits.failedLoginsMax; n++) await wrong("ada", HOME);
  await expect(wrong("ada", HOME)).rejects.toMatchObject(tooMany);
  await attempts.forget("ada", HOME);
  for (let n = 0; n < 2 * limits.failedLoginsMax; n++) await wrong("ada", HOME);
  await attempts.forget("ada", undefined);
  await wrong("ada");
});

test("each of several processes refuses after its share", async () => {
  const { wrong } = start(5);
  for (let n = 0; n < limits.failedLoginsMax / 5; n++) await wrong("ada");
  await expect(wrong("ada")).rejects.toMatchObject(tooMany);
});
