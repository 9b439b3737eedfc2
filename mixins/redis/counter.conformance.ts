import { expect, test } from "@jest/globals";
import type { Counter } from "./index.ts";

export const WINDOW_MS = 60_000;

/** The behaviour of every counter. `open` gives an empty one with windows of a minute. */
export function counterConformance(open: () => Promise<Counter>): void {
  test("counts by key, and says how long the window still is", async () => {
    const counter = await open();
    expect(await counter.read("ada")).toEqual({ count: 0, endsInMs: 0 });
    expect((await counter.add("ada")).count).toBe(1);
    const second = await counter.add("ada");
    expect(second.count).toBe(2);
    expect(second.endsInMs).toBeGreaterThan(0);
    expect(second.endsInMs).toBeLessThanOrEqual(WINDOW_MS);
    expect((await counter.read("ada")).count).toBe(2);
    expect(await counter.read("bob")).toEqual({ count: 0, endsInMs: 0 });
  });

  test("counts what comes at once", async () => {
    const counter = await open();
    const counts = await Promise.all(Array.from({ length: 20 }, () => counter.add("ada")));
    expect(counts.map(({ count }) => count).toSorted((a, b) => a - b)).toEqual(counts.map((_, index) => index + 1));
  });

  test("takes back one of an open window, and no more than there are", async () => {
    const counter = await open();
    await counter.add("ada");
    await counter.add("ada");
    await counter.giveBack("ada");
    const { count, endsInMs } = await counter.read("ada");
    expect([count, endsInMs > 0]).toEqual([1, true]);
    for (let n = 0; n < 3; n++) await counter.giveBack("ada");
    await counter.giveBack("nobody");
    expect((await counter.read("ada")).count).toBe(0);
    expect(await counter.read("nobody")).toEqual({ count: 0, endsInMs: 0 });
    const { count: next, endsInMs: left } = await counter.add("ada");
    expect([next, left > 0 && left <= WINDOW_MS]).toEqual([1, true]);
  });

  test("forgets what is cleared, and nothing else", async () => {
    const counter = await open();
    await counter.add("ada");
    await counter.add("bob");
    await counter.clear("ada");
    await counter.clear("nobody");
    expect((await counter.read("ada")).count).toBe(0);
    expect((await counter.read("bob")).count).toBe(1);
  });
}
