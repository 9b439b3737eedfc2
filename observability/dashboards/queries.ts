// Expressions that dashboards share. Every one is restricted to the jobs that the reader has chosen.
import type { Variable } from "./grafana.ts";

export const JOBS: Variable = { name: "job", label: "Job", query: "label_values(valence_runtime_info, job)" };

/** A metric of the chosen jobs: `of("valence_sagas", 'state="stuck"')`. */
export const of = (metric: string, matchers = ""): string =>
  `${metric}{job=~"$job"${matchers === "" ? "" : `, ${matchers}`}}`;

const by = (labels: string): string => (labels === "" ? "" : ` by (${labels})`);

/** A counter's increase a second, over all processes. */
export const rate = (metric: string, labels = "", matchers = ""): string =>
  `sum${by(labels)} (rate(${of(metric, matchers)}[$__rate_interval]))`;

/** A counter's increase over the whole time that the dashboard shows. */
export const total = (metric: string, labels = "", matchers = ""): string =>
  `sum${by(labels)} (increase(${of(metric, matchers)}[$__range]))`;

/** A gauge of which each process tells a part. */
export const sum = (metric: string, labels = "", matchers = ""): string => `sum${by(labels)} (${of(metric, matchers)})`;

/** A gauge of which each process tells the whole, or of which the worst counts. */
export const max = (metric: string, labels = "", matchers = ""): string => `max${by(labels)} (${of(metric, matchers)})`;
export const min = (metric: string, labels = "", matchers = ""): string => `min${by(labels)} (${of(metric, matchers)})`;

/** A quantile of a histogram, named without `_bucket`. */
export const quantile = (q: number, metric: string, labels = "", matchers = ""): string =>
  `histogram_quantile(${q}, ${rate(`${metric}_bucket`, labels === "" ? "le" : `${labels}, le`, matchers)})`;

/** The mean of a histogram's observations. */
export const mean = (metric: string, labels = "", matchers = ""): string =>
  `${rate(`${metric}_sum`, labels, matchers)} / ${rate(`${metric}_count`, labels, matchers)}`;
