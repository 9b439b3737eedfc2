import { expect, test } from "@jest/globals";
import { RetryBudget, RetryBudgets } from "./retry-budget.ts";

/** Retries that are granted while so many calls are made and all of them fail, as often as each asks. */
function granted(budget: RetryBudget, calls: number, asks: number, now: number): number {
  let retries = 0;
  for (let call = 0; call < calls; call++) {
    budget.deposit();
    for (let ask = 0; ask < asks; ask++) if (budget.withdraw(now)) retries++;
  }
  return retries;
}

test("what was saved is spent at once; then a fifth of the calls are sent once more, however often each asks", () => {
  const budget = new RetryBudget(0);
  granted(budget, 1_000, 7, 0);
  const retries = granted(budget, 1_000, 7, 0);
  expect(retries).toBeGreaterThanOrEqual(199);
  expect(retries).toBeLessThanOrEqual(201);
});

test("a node that calls rarely earns some each second, and a quiet hour pays for no storm", () => {
  const budget = new RetryBudget(0);
  granted(budget, 1_000, 7, 0);
  while (budget.withdraw(0));
  expect([10, 11]).toContain(granted(budget, 1, 100, 1_000));
  expect(granted(budget, 1, 100_000, 3_600_000)).toBeLessThanOrEqual(1_000);
  for (let n = 0; n < 100_000; n++) budget.deposit();
  expect(granted(budget, 1, 100_000, 3_600_000)).toBeLessThanOrEqual(1_001);
});

test("each service has a budget of its own, whichever of its actions is called", () => {
  const budgets = new RetryBudgets();
  expect(budgets.of("v2.loans.open")).toBe(budgets.of("v2.loans.close"));
  expect(budgets.of("v2.loans.open")).not.toBe(budgets.of("loans.open"));
});
