import { expect, test } from "@jest/globals";
import { dependencyReports, dependsOn, type DependencyState } from "./dependencies.ts";

const well = async (): Promise<DependencyState> => ({ status: "ok", message: "answers" });
const WITHIN_MS = 20;

test("all are asked, each for its time at most; an error and a silence are failures, and a password is not shown", async () => {
  const broker = {};
  dependsOn(broker, { kind: "redis", name: "b", ask: well });
  dependsOn(broker, { kind: "database", name: "b", ask: () => new Promise(() => {}) });
  dependsOn(broker, {
    kind: "database",
    name: "a",
    ask: () => Promise.reject(new Error("refused by postgres://ada:hidden@db.example/loans")),
  });
  dependsOn(broker, {
    kind: "database",
    name: "c",
    ask() {
      throw Object.assign(new AggregateError([new Error("connect ECONNREFUSED")], ""));
    },
  });
  const reports = await dependencyReports(broker, WITHIN_MS);
  expect(reports.map(({ kind, name, status, message }) => [kind, name, status, message])).toEqual([
    ["database", "a", "FAIL", "refused by postgres://…@db.example/loans"],
    ["database", "b", "FAIL", `no answer within ${WITHIN_MS} ms`],
    ["database", "c", "FAIL", "connect ECONNREFUSED"],
    ["redis", "b", "ok", "answers"],
  ]);
  expect(reports[0]!.advice).toEqual(expect.any(String));
});

test("the later one of a name counts, and one that is taken back is not asked", async () => {
  const broker = {};
  const forgetFirst = dependsOn(broker, { kind: "disk", name: "data", ask: () => Promise.reject(new Error("old")) });
  const forgetSecond = dependsOn(broker, { kind: "disk", name: "data", ask: well });
  forgetFirst();
  expect(await dependencyReports(broker, WITHIN_MS)).toMatchObject([{ message: "answers" }]);
  forgetSecond();
  expect(await dependencyReports(broker, WITHIN_MS)).toEqual([]);
  expect(await dependencyReports({}, WITHIN_MS)).toEqual([]);
});
