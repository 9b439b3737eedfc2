import { expect, test } from "@jest/globals";
import { catalogueOf, defineMetrics, isMetrics, unitOf, type MetricDefinition } from "./define-metrics.ts";

const good = { type: "counter", name: "valence_things_total", help: "Things" } as const;

test("a catalogue keeps its title and its metrics, and is told from other values", () => {
  const things = defineMetrics("Things", { good });
  expect(things.good).toBe(good);
  expect(catalogueOf(things)).toEqual({ title: "Things", metrics: { good } });
  expect([isMetrics(things), isMetrics({ good }), isMetrics(null)]).toEqual([true, false, false]);
});

test.each<[what: string, metric: object]>([
  ["a name without the prefix", { name: "things_total" }],
  ["a name with capitals", { name: "valence_thingsTotal_total" }],
  ["a counter without _total", { name: "valence_things" }],
  ["a gauge with it", { type: "gauge" }],
  ["milliseconds", { type: "gauge", name: "valence_wait_ms" }],
  ["percent", { type: "gauge", name: "valence_load_percent" }],
  ["a histogram without buckets", { type: "histogram", name: "valence_wait_seconds" }],
  ["a counter with buckets", { buckets: [1] }],
  ["no help", { help: "" }],
  ["a help that ends in a full stop", { help: "Things." }],
  ["an id as label", { labels: { id: "ids" } }],
  ["a user as label", { labels: { user: "users" } }],
  ["a label of Prometheus", { labels: { le: "bounds" } }],
  ["a label with capitals", { labels: { streamId: "ids" } }],
])("%s is refused", (_what, wrong) => {
  const metric = { ...good, ...wrong } as MetricDefinition;
  expect(() => defineMetrics("Things", { metric })).toThrow(`the metric ${metric.name} `);
});

test("the unit is in the name", () => {
  const units = ["valence_wait_seconds", "valence_cpu_seconds_total", "valence_size_bytes", "valence_things_total"];
  expect(units.map(name => unitOf({ ...good, name }))).toEqual(["seconds", "seconds", "bytes", undefined]);
});
