import { expect, test } from "@jest/globals";
import { Semaphore } from "./semaphore.ts";

test("no more work than the limit runs at once, and one that does not fit the queue is refused", async () => {
  const semaphore = new Semaphore(2, 3, () => new Error("busy"));
  let running = 0;
  let most = 0;
  const ends: (() => void)[] = [];
  const work = () =>
    semaphore.run(async () => {
      most = Math.max(most, ++running);
      await new Promise<void>(resolve => ends.push(resolve));
      running--;
    });
  const accepted = [1, 2, 3, 4, 5].map(work);
  await expect(work()).rejects.toThrow("busy");
  while (ends.length > 0) {
    ends.shift()!();
    await new Promise(resolve => setImmediate(resolve));
  }
  await Promise.all(accepted);
  expect(most).toBe(2);
});

test("work that throws gives its place back", async () => {
  const semaphore = new Semaphore(1, 0, () => new Error("busy"));
  await expect(semaphore.run(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await semaphore.run(async () => "yes")).toBe("yes");
});
