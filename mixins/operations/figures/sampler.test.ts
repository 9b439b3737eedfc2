import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import type { Look } from "./rates.ts";
import { limits, Sampler } from "./sampler.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

function sampling() {
  let requests = 0;
  const counts = () => ({ requests: (requests += 10), failures: 0, durations: [], commands: 0, events: 0 });
  const look = jest.fn(async (): Promise<Look> => ({ at: Date.now(), nodes: new Map([["a", counts()]]) }));
  const clock = { now: () => Date.now(), monotonic: () => Date.now() };
  return { look, sampler: new Sampler({ look, clock, logger: { debug() {} } }) };
}

test("nothing is looked at before somebody asks, nor when nobody has asked for a while", async () => {
  const { look, sampler } = sampling();
  await jest.advanceTimersByTimeAsync(10 * limits.everyMs);
  expect(look).not.toHaveBeenCalled();
  expect(await sampler.points()).toEqual([]);
  await jest.advanceTimersByTimeAsync(2 * limits.everyMs);
  expect(await sampler.points()).toMatchObject([{ requestsPerSecond: 2 }, { requestsPerSecond: 2 }]);
  await jest.advanceTimersByTimeAsync(limits.idleMs + 2 * limits.everyMs);
  expect(sampler.isRunning).toBe(false);
  const looks = look.mock.calls.length;
  await jest.advanceTimersByTimeAsync(10 * limits.everyMs);
  expect(look).toHaveBeenCalledTimes(looks);
  // It goes on with a new first look: the pause is no rate.
  const before = (await sampler.points()).length;
  expect(look).toHaveBeenCalledTimes(looks + 1);
  await jest.advanceTimersByTimeAsync(limits.everyMs);
  expect((await sampler.points()).length).toBe(before + 1);
  sampler.stop();
});

test("a quarter of an hour is kept, and a look that fails is none", async () => {
  const { look, sampler } = sampling();
  for (let n = 0; n < limits.kept + 10; n++) {
    if (n === 3) look.mockRejectedValueOnce(new Error("away"));
    await sampler.points();
    await jest.advanceTimersByTimeAsync(limits.everyMs);
  }
  const points = await sampler.points();
  expect(points).toHaveLength(limits.kept);
  expect(points.every(({ requestsPerSecond }) => requestsPerSecond === 2)).toBe(true);
  sampler.stop();
});
