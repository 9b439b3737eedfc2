// Metrics of the process, made by prom-client: CPU, memory, files, the event loop and the garbage collector. One set a process,
// begun with the first server that answers `/metrics`, since some of them measure all the time.
import { getHeapStatistics } from "node:v8";
import { collectDefaultMetrics, Registry } from "prom-client";
import type { MetricDefinition } from "../kernel/index.ts";
import { familyOf, type Family } from "./meters.ts";
import { GC_BUCKETS, processMetrics } from "./metrics.ts";
import type { Sample } from "./series.ts";

const registry = new Registry();
collectDefaultMetrics({ register: registry, gcDurationBuckets: [...GC_BUCKETS], eventLoopMonitoringPrecision: 10 });

const declared = new Map<string, MetricDefinition>(
  Object.values<MetricDefinition>(processMetrics).map(definition => [definition.name, definition]),
);
// The others list open handles and requests, which costs more the more there are.
for (const { name } of registry.getMetricsAsArray()) if (!declared.has(name)) registry.removeSingleMetric(name);

export async function processFamilies(): Promise<Family[]> {
  // prom-client's types leave the values out.
  const found = (await registry.getMetricsAsJSON()) as readonly object[] as readonly Named[];
  const families = found.map(({ name, values }) => familyOf(declared.get(name)!, values));
  const heapLimit = getHeapStatistics().heap_size_limit;
  return [
    ...families.filter(({ values }) => values.length > 0),
    familyOf(processMetrics.heapLimit, [{ labels: {}, value: heapLimit }]),
  ];
}

interface Named {
  readonly name: string;
  readonly values: readonly Sample[];
}
