// Metrics: what a process counts and measures, for Prometheus. The only floor that loads prom-client.
export { metricsEnvironment } from "./environment.ts";
export type { NodeCounts, NodeFigures } from "./figures.ts";
export { metersOf, reading, type Family, type Meters, type Reading } from "./meters.ts";
export { measureProcess, scrape, tellSupervisor } from "./scrape.ts";
export type { Distribution, Sample, Series } from "./series.ts";
export { WorkerMetrics } from "./workers.ts";
