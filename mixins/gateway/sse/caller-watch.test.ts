import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { type Meta } from "../../contract/index.ts";
import { Refusal, Unavailable } from "../../kernel/index.ts";
import type { Verified } from "../auth/authentication.ts";
import { limits } from "../limits.ts";
import { CallerWatch } from "./caller-watch.ts";

const LIFE_MS = 90_000;
beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

function watch(renew?: () => Promise<Verified>) {
  const meta: Meta = {};
  const end = jest.fn();
  const clock = { now: () => Date.now(), monotonic: () => Date.now() };
  const started = new CallerWatch({ ...caller("first"), ...(renew && { renew }) }, { clock, meta, end });
  return { meta, end, watch: started };
}
const caller = (token: string): Verified => ({
  user: { id: "ann", roles: [] },
  expiresAt: Date.now() + LIFE_MS,
  token,
});

test("a token of the client's own ends its stream with it", async () => {
  const { end } = watch();
  await jest.advanceTimersByTimeAsync(LIFE_MS - 1);
  expect(end).not.toHaveBeenCalled();
  await jest.advanceTimersByTimeAsync(1);
  expect(end).toHaveBeenCalledTimes(1);
});

test("a credential is asked for again before its token ends, for as long as it holds", async () => {
  let n = 0;
  const renew = async (): Promise<Verified> => ({ ...caller(`token ${++n}`), renew });
  const { end, meta } = watch(renew);
  await jest.advanceTimersByTimeAsync(LIFE_MS - limits.exchangeMarginMs);
  expect([n, meta.token, meta.user]).toEqual([1, "token 1", { id: "ann", roles: [] }]);
  await jest.advanceTimersByTimeAsync(10 * LIFE_MS);
  expect(end).not.toHaveBeenCalled();
  expect(n).toBe(1 + (10 * LIFE_MS) / (LIFE_MS - limits.exchangeMarginMs));
});

test("a credential that is refused ends its stream, at a hint or at the next look", async () => {
  const renew = async (): Promise<Verified> => {
    throw new Refusal("BAD_CREDENTIAL", { status: 401 });
  };
  const hinted = watch(renew);
  await hinted.watch.check();
  await hinted.watch.check();
  expect(hinted.end).toHaveBeenCalledTimes(1);
  const unhinted = watch(renew);
  await jest.advanceTimersByTimeAsync(LIFE_MS - limits.exchangeMarginMs);
  expect(unhinted.end).toHaveBeenCalledTimes(1);
});

test("while accounts is away the token holds until its end, and the stream goes on if it comes back", async () => {
  let isAway = true;
  const renew = async (): Promise<Verified> => {
    if (isAway) throw new Unavailable("AWAY");
    return { ...caller("later"), renew };
  };
  const back = watch(renew);
  await jest.advanceTimersByTimeAsync(LIFE_MS - limits.exchangeMarginMs + 2 * limits.exchangeRetryMs);
  isAway = false;
  await jest.advanceTimersByTimeAsync(limits.exchangeRetryMs);
  expect([back.meta.token, back.end.mock.calls.length]).toEqual(["later", 0]);
  back.watch.stop();
  isAway = true;
  const gone = watch(renew);
  await jest.advanceTimersByTimeAsync(LIFE_MS - 1);
  expect(gone.end).not.toHaveBeenCalled();
  await jest.advanceTimersByTimeAsync(limits.exchangeRetryMs);
  expect(gone.end).toHaveBeenCalledTimes(1);
});

test("a stream that has ended asks no more", async () => {
  const renew = jest.fn(async (): Promise<Verified> => caller("x"));
  const { watch: stopped, end } = watch(renew);
  stopped.stop();
  await stopped.check();
  await jest.advanceTimersByTimeAsync(LIFE_MS);
  expect([renew.mock.calls.length, end.mock.calls.length]).toEqual([0, 0]);
});
