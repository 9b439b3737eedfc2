import { expect, test } from "@jest/globals";
import { stepFor, type Exchange, type Step } from "./exchange.ts";
import { passThrough } from "./pipeline.ts";
import type { Route } from "./route/route.ts";

const own = { method: "GET" } as Route;
const other = { method: "POST" } as Route;
const pass = (steps: readonly Step[], route: Route) =>
  passThrough(steps, route, { req: {}, res: {}, address: "" } as never);

test("a request passes the steps of its route, and each is marked by its place among all", async () => {
  const passed: string[] = [];
  const marked: number[] = [];
  const steps: Step[] = [
    (_exchange, next) => next().finally(() => passed.push("first")),
    stepFor(
      route => route === other,
      (_exchange, next) => next().finally(() => passed.push("of other")),
    ),
    async ({ marks }: Exchange) => {
      marked.push(...marks.map(({ at }) => at));
      return undefined;
    },
  ];
  await pass(steps, own);
  expect(passed.splice(0)).toEqual(["first"]);
  expect(marked.splice(0)).toEqual([0, 2]);
  await pass(steps, other);
  expect(passed).toEqual(["of other", "first"]);
  expect(marked).toEqual([0, 1, 2]);
});

test("a step before one that throws at once sees a rejection", async () => {
  const seen: unknown[] = [];
  const steps: Step[] = [
    (_exchange, next) =>
      next().catch((error: unknown) => {
        seen.push(error);
        throw error;
      }),
    () => {
      throw new Error("at once");
    },
  ];
  await expect(pass(steps, own)).rejects.toThrow("at once");
  expect(seen).toHaveLength(1);
});
