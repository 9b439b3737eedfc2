import { expect, test } from "@jest/globals";
import { actorMetrics } from "../actor/metrics.ts";
import { databaseMetrics } from "../database/metrics.ts";
import { gatewayMetrics } from "../gateway/metrics.ts";
import { Meters, reading } from "../metrics/meters.ts";
import { counted, FIGURED, poolsIn } from "./node-figures.ts";

/** A process that has counted something, of operators too. */
function meters(): Meters {
  const own = new Meters();
  const answered = (route: string, status: string, seconds: number): void => {
    own.counter(gatewayMetrics.requests, { method: "GET", route, status }).add();
    own.histogram(gatewayMetrics.duration, { method: "GET", route }).observe(seconds);
  };
  answered("/api/v1/loans", "200", 0.003);
  answered("/api/v1/loans/:id", "503", 0.2);
  answered("/api/v1/opsimath", "200", 20);
  answered("/api/v1/ops/overview", "500", 1);
  for (const service of ["loans", "ops"]) own.counter(actorMetrics.events, { service, type: "loan.made" }).add(3);
  own.read("actors", () => [
    reading(actorMetrics.commands, 7, { service: "loans" }),
    reading(actorMetrics.commands, 9, { service: "audit" }),
  ]);
  own.read("pool", () => [
    reading(databaseMetrics.connections, 2, { service: "loans", state: "used" }),
    reading(databaseMetrics.connections, 1, { service: "loans", state: "free" }),
    reading(databaseMetrics.connectionsMax, 4, { service: "loans" }),
    reading(databaseMetrics.waiting, 5, { service: "loans" }),
  ]);
  own.read("database", () => {
    throw new Error("nobody asked for it");
  });
  return own;
}

test("what operators do themselves is in no figure", async () => {
  const { durations, ...rest } = counted(await meters().some(FIGURED, ["actors", "pool"]));
  expect(rest).toEqual({ requests: 3, failures: 1, commands: 7, events: 3 });
  expect(durations.filter(([, n], i) => n !== durations[i - 1]?.[1])).toEqual([
    [0.001, 0],
    [0.005, 1],
    [0.25, 2],
    [null, 3],
  ]);
});

test("pools are told by service; no source is asked that has to ask others", async () => {
  const own = meters();
  expect(poolsIn(await own.some(FIGURED, ["pool"]))).toEqual([{ service: "loans", used: 2, max: 4, waiting: 5 }]);
  const families = await own.families();
  expect(families.find(({ name }) => name === "valence_scrape_errors_total")?.values).toContainEqual({
    labels: { source: "database" },
    value: 1,
  });
});
