// The metrics of a floor or a service in one table, as pure values: name, type, unit, text and labels. Code asks a metric by
// its declaration, so that a misspelt one does not compile. `docs/metrics.md` is generated from them, and dashboards and
// alert rules are checked against them.
//
//   export const actorMetrics = defineMetrics("Actors", {
//     conflicts: {
//       type: "counter",
//       name: "valence_actor_conflicts_total",
//       help: "Commands that were decided again, since another node had written to the stream",
//       labels: { service: SERVICE_NAMES },
//     },
//   });
//
// A label's values come from a set that is known before any client speaks: a list, or a set that code declares, such as the
// actions. Ids, paths and texts of clients are never labels. `seriesMax` bounds what a mistake could cost.

export type MetricType = "counter" | "gauge" | "histogram";

/** The values of a label: all of them, or the set that they come from, in words for the page of metrics. */
export type LabelValues = readonly string[] | string;

export interface MetricDefinition {
  readonly type: MetricType;
  /** As Prometheus has names: `valence_` first, the unit last, and `_total` after it for a counter. */
  readonly name: string;
  /** What is counted or measured, for people, as a phrase. */
  readonly help: string;
  readonly labels?: Readonly<Record<string, LabelValues>>;
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly buckets?: readonly number[];
  /**
   * How the values of several processes make one. `sum` is usual; `max` where each process tells the same whole, read from a
   * database that they share: a sum would count it once for each of them.
   */
  readonly over?: "sum" | "max" | "min";
  /** Combinations of labels that one process keeps. Further ones count under `other`. Default 1,000. */
  readonly seriesMax?: number;
}

export type MetricDefinitions = Readonly<Record<string, MetricDefinition>>;

/** Metrics that belong together, of one floor or one service. */
export interface MetricCatalogue {
  /** Heading of their table on the page of metrics. */
  readonly title: string;
  readonly metrics: MetricDefinitions;
}

/** The usual buckets of durations, in seconds: from a call in memory to a time-out. */
export const SECONDS_BUCKETS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
/** Values of the label `service`. */
export const SERVICE_NAMES = "services of the process";
/** The value of a label that is none of the declared ones, and of those beyond `seriesMax`. */
export const OTHER = "other";

/** Holds a catalogue's title. Known by its key: a catalogue that another copy of this module has made is one as well. */
const TITLE = Symbol.for("valence.metrics");

/** A catalogue of metrics, by the names that code has for them. Throws TypeError where a name breaks Prometheus' conventions. */
export function defineMetrics<const D extends MetricDefinitions>(title: string, definitions: D): D {
  for (const definition of Object.values<MetricDefinition>(definitions)) {
    const problem = problemOf(definition);
    if (problem !== undefined) throw new TypeError(`the metric ${definition.name} ${problem}`);
  }
  Object.defineProperty(definitions, TITLE, { value: title });
  return Object.freeze(definitions);
}

/** Whether an export of a module is a catalogue of metrics. */
export const isMetrics = (value: unknown): value is MetricDefinitions =>
  typeof value === "object" && value !== null && TITLE in value;

/** The catalogue with its title. */
export const catalogueOf = (metrics: MetricDefinitions & { readonly [TITLE]?: string }): MetricCatalogue => ({
  title: metrics[TITLE]!,
  metrics,
});

/** The unit of a metric's values, told by its name; undefined for plain numbers. */
export const unitOf = ({ name }: MetricDefinition): string | undefined =>
  UNITS.find(unit => new RegExp(`_${unit}(_total)?$`).test(name));
const UNITS = ["seconds", "bytes", "minor", "ratio"];

function problemOf({ type, name, help, labels = {}, buckets }: MetricDefinition): string | undefined {
  if (!/^(valence|process|nodejs)(_[a-z][a-z0-9]*)+$/.test(name)) return "needs a name like valence_things_total";
  if ((type === "counter") !== name.endsWith("_total")) return "ends in _total if it is a counter, and only then";
  if (/_(ms|millis|milliseconds|minutes|kb|mb|percent)(_|$)/.test(name))
    return "has no base unit: seconds, bytes, ratio";
  if ((type === "histogram") !== (buckets !== undefined)) return "has buckets if it is a histogram, and only then";
  if (!/^[A-Z\d].*[^.]$/s.test(help)) return "needs a help that begins with a capital or a digit and has no full stop";
  const odd = Object.keys(labels).find(label => !/^[a-z]+(_[a-z]+)*$/.test(label) || RESERVED.includes(label));
  return odd === undefined ? undefined : `cannot have a label ${odd}`;
}
/** Labels of Prometheus itself, and those that only ids could have. */
const RESERVED = ["le", "quantile", "job", "instance", "id", "stream", "user", "node", "path"];
