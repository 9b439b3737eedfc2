import { describe, expect, test } from "@jest/globals";
import { readArguments } from "./arguments.ts";
import { compare, TOLERANCE } from "./comparison.ts";
import { COSTS, FIGURES, MEASURED } from "./costs.ts";
import { simulate } from "./day.ts";
import { DEFAULTS, planOf } from "./plan.ts";

const compared = compare();

test.each(compared.filter(({ misses }) => !misses).map(({ what, off }) => [what, off] as const))(
  "the model finds what was measured: %s",
  (_what, off) => expect(Math.abs(off)).toBeLessThan(TOLERANCE),
);

test("a measurement that the model is said to miss is missed", () => {
  for (const { misses, off } of compared) if (misses) expect(Math.abs(off)).toBeGreaterThan(TOLERANCE);
});

test("each number has its command and its date", () => {
  for (const { value, command, date } of [...Object.values(FIGURES), ...Object.values(MEASURED)])
    expect({ value, command, date }).toEqual({
      value: expect.any(Number),
      command: expect.stringMatching(/^(npm run|node) /),
      date: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
    });
});

describe("a plan", () => {
  const wanted = { ...DEFAULTS, ordersPerDay: 1e6 };

  test("a day of a million orders is answered in time, and the same seed gives the same day", () => {
    const plan = planOf(COSTS, wanted);
    const day = simulate(COSTS, wanted, plan, 1, 1);
    expect(day.acceptedMs.p99).toBeLessThan(250);
    expect(day.busy.core).toBeLessThan(0.8);
    expect(simulate(COSTS, wanted, plan, 1, 1)).toEqual(day);
  });

  test("more orders need more cells, and dearer SQL more of Postgres", () => {
    const [small, large] = [planOf(COSTS, wanted), planOf(COSTS, { ...wanted, ordersPerDay: 1e9 })];
    expect(small.cells).toBe(1);
    expect(large.cells).toBeGreaterThan(10);
    const dear = planOf({ ...COSTS, postgresCpuMs: COSTS.postgresCpuMs * 2 }, wanted);
    expect(dear.postgresCores).toBeCloseTo(small.postgresCores * 2);
  });
});

test.each([
  [["--orders-per-day", "many"], "--orders-per-day"],
  [[], "--orders-per-day"],
  [["--orders-per-day", "1e6", "--peak-factor", "0"], "--peak-factor"],
  [["--orders-per-day", "1e6", "--carrier", "pigeon"], "--carrier"],
  [["--orders-per-year", "1"], "--orders-per-year"],
] as const)("arguments %j are refused by the name of the option", (args, option) => {
  expect(() => readArguments(args)).toThrow(option);
});
