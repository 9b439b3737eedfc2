import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "@jest/globals";
import { limits } from "../limits.ts";
import type { Policy } from "./rate-class.ts";
import { Window } from "./window.ts";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

const policy: Policy = { name: "read", quota: 10, windowSeconds: 60 };
const start = (gateways = 1, of = policy) => {
  const time = { monotonic: 0, wall: 1e12, gateways };
  const window = new Window({
    policy: of,
    name: "read:60",
    shared: undefined,
    gateways: () => time.gateways,
    clock: { now: () => time.wall, monotonic: () => time.monotonic },
  });
  return { window, time };
};

test("a window opens with its first request, says what is left and when it ends, and then begins anew", async () => {
  const { window, time } = start();
  for (let n = 1; n <= policy.quota; n++) {
    expect(await window.spend("ann")).toEqual({
      policy,
      isWithin: true,
      left: policy.quota - n,
      endsInMs: 60_000 - time.monotonic,
    });
    time.monotonic += 1_000;
  }
  expect(await window.spend("ann")).toEqual({ policy, isWithin: false, left: 0, endsInMs: 50_000 });
  expect((await window.spend("bob")).left).toBe(9);
  time.monotonic = 59_999;
  expect((await window.spend("ann")).isWithin).toBe(false);
  time.monotonic = 60_000;
  expect(await window.spend("ann")).toEqual({ policy, isWithin: true, left: 9, endsInMs: 60_000 });
});

test("a wall clock that jumps opens and closes no window", async () => {
  const { window, time } = start();
  for (let n = 0; n <= policy.quota; n++) await window.spend("ann");
  for (const jump of [1e12, -1e12, 0]) {
    time.wall += jump;
    expect(await window.spend("ann")).toMatchObject({ isWithin: false, endsInMs: 60_000 });
  }
});

test("one of several gateways allows its share, and the whole again when it is alone; never nothing", async () => {
  const { window, time } = start(3);
  const allowed = async (of: Window) => {
    let count = 0;
    while ((await of.spend("ann")).isWithin) count++;
    return count;
  };
  expect(await allowed(window)).toBe(3);
  time.gateways = 1;
  time.monotonic = 60_000;
  expect(await allowed(window)).toBe(10);
  expect(await allowed(start(64).window)).toBe(1);
});

test("keys are bounded: after the limit another 100,000 addresses leave memory as it was", async () => {
  const { window } = start(1, { ...policy, quota: 1 });
  const keyOf = (n: number) => `address:2001:db8:${n.toString(16)}::/64`;
  // Two requests each: the second is over the limit and is remembered for that.
  const come = async (from: number, to: number) => {
    for (let n = from; n < to; n++) for (let twice = 0; twice < 2; twice++) await window.spend(keyOf(n));
    gc();
    return process.memoryUsage().heapUsed / 1e6;
  };
  const full = await come(0, 2 * limits.countedKeysMax);
  expect((await come(100_000, 200_000)) - full).toBeLessThan(3);
  const isRefused = async (n: number) => !(await window.spend(keyOf(n))).isWithin;
  expect([await isRefused(199_999), await isRefused(0)]).toEqual([true, false]);
});

test("in memory a count costs less than 5 µs", async () => {
  const { window } = start(1, { ...policy, quota: 1e9 });
  const keys = Array.from({ length: 1_000 }, (_, n) => `user:${n}`);
  const round = async () => {
    const before = process.cpuUsage();
    for (let n = 0; n < 20; n++) for (const key of keys) await window.spend(key);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 20_000;
  };
  const rounds: number[] = [];
  for (let n = 0; n < 5; n++) rounds.push(await round());
  expect(Math.min(...rounds)).toBeLessThan(5);
});
