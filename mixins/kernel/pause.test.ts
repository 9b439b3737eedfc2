import { expect, jest, test } from "@jest/globals";
import { Pause } from "./index.ts";

test("a wait ends after its time, or when it is ended", async () => {
  jest.useFakeTimers();
  try {
    const pause = new Pause();
    let waits = 0;
    const wait = async (): Promise<void> => (await pause.wait(1_000), void waits++);
    const first = wait();
    await jest.advanceTimersByTimeAsync(999);
    expect(waits).toBe(0);
    await jest.advanceTimersByTimeAsync(1);
    await first;
    const second = wait();
    pause.end();
    await second;
    expect(waits).toBe(2);
    expect(jest.getTimerCount()).toBe(0);
  } finally {
    jest.useRealTimers();
  }
});

test("ending it before it begins does not shorten it", async () => {
  const pause = new Pause();
  pause.end();
  const began = performance.now();
  await pause.wait(30);
  expect(performance.now() - began).toBeGreaterThan(25);
});
