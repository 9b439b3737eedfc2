// Writes metrics out, and adds up those of several processes. The only files that load prom-client are this one and
// `process.ts`: a process that nobody scrapes does without it.
import { AggregatorRegistry, Registry, type MetricObject } from "prom-client";
import type { Family } from "./meters.ts";

/** The text, in OpenMetrics where the client takes it: that form has exemplars. */
export async function textOf(families: readonly Family[], accept = ""): Promise<{ type: string; text: string }> {
  const isOpenMetrics = accept.includes("application/openmetrics-text");
  const type = isOpenMetrics ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE;
  const registry = new Registry();
  registry.setContentType(type as never);
  for (const family of families) registry.registerMetric(asMetric(family));
  return { type, text: await registry.metrics() };
}

/** One set of metrics for several processes. Exemplars are left out. */
export async function addedUp(processes: readonly (readonly Family[])[]): Promise<Family[]> {
  const sum = AggregatorRegistry.aggregate(processes as unknown as object[]);
  return (await sum.getMetricsAsJSON()) as unknown as Family[];
}

/** prom-client changes the name of a counter in OpenMetrics, and asks the metric for its values. */
function asMetric(family: Family): never {
  const metric = { ...family, get: async () => metric };
  return metric as never as MetricObject as never;
}
