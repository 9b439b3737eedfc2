import { expect, test } from "@jest/globals";
import { setImmediate as nextTick } from "node:timers/promises";
import { WakeableLoop } from "./wakeable-loop.ts";

const LONG_MS = 3_600_000;

test("it waits as long as a turn says, unless it is woken, before or while it waits; stopped, it takes no further turn", async () => {
  let turns = 0;
  let goOn!: () => void;
  const loop = new WakeableLoop(async () => {
    turns++;
    if (turns === 1) await new Promise<void>(resolve => void (goOn = resolve));
    return LONG_MS;
  });
  loop.start();
  loop.start();
  loop.wake();
  goOn();
  await nextTick();
  expect(turns).toBe(2);
  loop.wake();
  await nextTick();
  expect(turns).toBe(3);
  await loop.stop();
  loop.wake();
  await nextTick();
  expect(turns).toBe(3);
});
