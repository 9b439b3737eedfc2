// The values of metrics. Code keeps the series that it counts in, so that counting is an addition: prom-client, which writes
// them out, looks a series up by its labels each time, 0.3 µs.
import type { MetricDefinition } from "../kernel/index.ts";

export type Labels = Readonly<Record<string, string>>;

/** A span that stands for the observations of a bucket, as OpenMetrics has exemplars. */
export interface Exemplar {
  readonly labelSet: Labels;
  readonly value: number;
  /** Seconds since 1970. */
  readonly timestamp: number;
}

/** A span as an observation needs it: one that is sampled becomes the exemplar of its bucket. */
interface Observed {
  readonly isSampled: boolean;
  /** `00-<trace>-<span>-<flags>` */
  readonly traceparent: string;
}

/** A line of `/metrics`, as prom-client has it. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** The metric's name, where it has an ending: `…_bucket`. */
  readonly metricName?: string;
  readonly exemplar?: Exemplar;
}

/** One combination of labels of a counter or a gauge. */
export class Series {
  readonly labels: Labels;
  value = 0;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add(by = 1): void {
    this.value += by;
  }

  /** The value, or the total, that other code keeps. */
  set(value: number): void {
    this.value = value;
  }

  samples(): Sample[] {
    return [{ labels: this.labels, value: this.value }];
  }
}

/** One combination of labels of a histogram. */
export class Distribution {
  readonly labels: Labels;
  readonly #name: string;
  readonly #bounds: readonly number[];
  /** Observations by bucket, not cumulative; the last one has no bound. */
  readonly #counts: Float64Array;
  #exemplars: (Exemplar | undefined)[] | undefined;
  #sum = 0;

  constructor({ name, buckets = [] }: MetricDefinition, labels: Labels) {
    this.labels = labels;
    this.#name = name;
    this.#bounds = buckets;
    this.#counts = new Float64Array(buckets.length + 1);
  }

  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }
  get sum(): number {
    return this.#sum;
  }

  /** `span`: in which it was observed, for an exemplar. */
  observe(value: number, span?: Observed): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > bounds[at]!) at++;
    this.#counts[at]!++;
    this.#sum += value;
    if (span?.isSampled) this.#keep(at, value, span.traceparent);
  }

  #keep(at: number, value: number, traceparent: string): void {
    this.#exemplars ??= [];
    const labelSet = { trace_id: traceparent.slice(3, 35), span_id: traceparent.slice(36, 52) };
    this.#exemplars[at] = { labelSet, value, timestamp: Date.now() / 1_000 };
  }

  samples(): Sample[] {
    const { labels } = this;
    let below = 0;
    const buckets = [...this.#counts].map((count, i): Sample => {
      const exemplar = this.#exemplars?.[i];
      const le = i < this.#bounds.length ? `${this.#bounds[i]}` : "+Inf";
      const sample = { metricName: `${this.#name}_bucket`, labels: { ...labels, le }, value: (below += count) };
      return exemplar ? { ...sample, exemplar } : sample;
    });
    return [
      ...buckets,
      { metricName: `${this.#name}_sum`, labels, value: this.#sum },
      { metricName: `${this.#name}_count`, labels, value: below },
    ];
  }
}
