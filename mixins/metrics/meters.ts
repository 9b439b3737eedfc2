// The metrics of one broker, which is one process except in tests. A floor asks for its series once, when it is built, and
// counts in them; what would have to be asked for (rows of a database, the size of a pool) is read at a scrape.
//
//   const conflicts = metersOf(broker)?.counter(actorMetrics.conflicts, { service });
//   conflicts?.add();
//
// With METRICS=off there are no meters, and nothing is counted.
//
// The number of series is bounded whatever is counted: a value that its label does not declare becomes `other`, and so do the
// values of open labels beyond the metric's `seriesMax`.
import { OTHER, type MetricDefinition } from "../kernel/index.ts";
import { metricsEnvironment } from "./environment.ts";
import { limits } from "./limits.ts";
import { processMetrics } from "./metrics.ts";
import { Distribution, Series, type Labels, type Sample } from "./series.ts";

/** The labels that a metric declares; none where it declares none. */
type LabelsOf<D> = D extends { readonly labels: infer L } ? [labels: { readonly [N in keyof L]: string }] : [];
type Of<T extends MetricDefinition["type"]> = MetricDefinition & { readonly type: T };

/** One value that is read at a scrape. */
export interface Reading {
  readonly definition: MetricDefinition;
  readonly value: number;
  readonly labels: Labels;
}

/** A reading of a counter or a gauge. */
export const reading = <D extends Of<"gauge"> | Of<"counter">>(
  definition: D,
  value: number,
  ...labels: LabelsOf<D>
): Reading => ({ definition, value, labels: (labels as readonly Labels[])[0] ?? {} });

type Readings = readonly Reading[];

/** A part of the runtime that is asked at a scrape. */
interface Source {
  readonly name: string;
  readonly read: () => Readings | Promise<Readings>;
  readonly keptMs: number;
  readonly readMs: number;
  /** What it last read, for scrapes that come soon after. */
  kept: { readonly readings: Readings; readonly at: number } | undefined;
  /** The read that is under way: one that hangs is not begun again. */
  running: Promise<Readings> | undefined;
}

/** A metric with all its values, in the form that prom-client writes out and adds up. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: MetricDefinition["type"];
  readonly aggregator: NonNullable<MetricDefinition["over"]>;
  readonly values: readonly Sample[];
}

export class Meters {
  readonly #metrics = new Map<MetricDefinition, Map<string, Series | Distribution>>();
  readonly #sources = new Set<Source>();
  readonly #overflow = this.counter(processMetrics.overflow);

  counter<D extends Of<"counter">>(definition: D, ...labels: LabelsOf<D>): Series {
    return this.#series(definition, ...(labels as readonly Labels[])) as Series;
  }
  /**
   * Begins a counter at 0: one series for each combination of the values that its labels list, except for the labels that are
   * given. A series that begins with its first count hides that from `rate` and `increase`, which need a sample before it.
   */
  begin(definition: Of<"counter">, given: Labels = {}): void {
    let all: Labels[] = [given];
    for (const [label, values] of Object.entries(definition.labels ?? {}))
      if (!(label in given) && typeof values !== "string")
        all = all.flatMap(labels => values.map(value => ({ ...labels, [label]: value })));
    for (const labels of all) this.#series(definition, labels);
  }
  gauge<D extends Of<"gauge">>(definition: D, ...labels: LabelsOf<D>): Series {
    return this.#series(definition, ...(labels as readonly Labels[])) as Series;
  }
  histogram<D extends Of<"histogram">>(definition: D, ...labels: LabelsOf<D>): Distribution {
    return this.#series(definition, ...(labels as readonly Labels[])) as Distribution;
  }

  /**
   * Asks at each scrape, or no more often than every `keptMs` milliseconds where that is given. A read that fails, or takes
   * longer than `readMs`, gives no values to that scrape and counts as an error of `name`. Returns the function that ends it.
   */
  read(
    name: string,
    read: Source["read"],
    { keptMs = 0, readMs = limits.readMs }: { readonly keptMs?: number; readonly readMs?: number } = {},
  ): () => void {
    const source: Source = { name, read, keptMs, readMs, kept: undefined, running: undefined };
    this.#sources.add(source);
    // From the start, so that a rate over it sees the first error.
    this.counter(processMetrics.scrapeErrors, { source: name });
    return () => void this.#sources.delete(source);
  }

  /** All metrics that have values. `fresh`: reads anew what is kept. Never rejects. */
  async families({ fresh = false }: { readonly fresh?: boolean } = {}): Promise<Family[]> {
    const read = await Promise.all([...this.#sources].map(source => this.#ask(source, fresh)));
    const samples = new Map<MetricDefinition, Sample[]>();
    for (const [definition, series] of this.#metrics)
      samples.set(
        definition,
        [...series.values()].flatMap(of => of.samples()),
      );
    for (const { definition, value, labels } of read.flat()) {
      const known = samples.get(definition) ?? [];
      samples.set(definition, known);
      if (known.length < seriesMaxOf(definition)) known.push({ value, labels: declared(definition, labels) });
      else this.#overflow.add();
    }
    return [...samples]
      .filter(([, values]) => values.length > 0)
      .map(([definition, values]) => familyOf(definition, values));
  }

  /**
   * The values of these metrics, by name, as they are counted, and as the sources of these names tell them when they are asked.
   * A scrape asks all sources, databases among them; this is for those who look every few seconds.
   */
  async some(names: ReadonlySet<string>, sources: readonly string[]): Promise<ReadonlyMap<string, readonly Sample[]>> {
    const asked = [...this.#sources].filter(({ name }) => sources.includes(name));
    const read = await Promise.all(asked.map(source => this.#ask(source, false)));
    const samples = new Map<string, Sample[]>([...names].map(name => [name, []]));
    for (const [{ name }, series] of this.#metrics)
      for (const of of names.has(name) ? series.values() : []) samples.get(name)!.push(...of.samples());
    for (const { definition, value, labels } of read.flat()) samples.get(definition.name)?.push({ value, labels });
    return samples;
  }

  /** How many combinations of labels it keeps. */
  get size(): number {
    return [...this.#metrics.values()].reduce((sum, series) => sum + series.size, 0);
  }

  #series(definition: MetricDefinition, labels: Labels = {}): Series | Distribution {
    let known = this.#metrics.get(definition);
    if (!known) this.#metrics.set(definition, (known = new Map()));
    // Most values are what their labels take: those of a series that is there need no look.
    let found = known.get(keyOf(definition, labels));
    if (found) return found;
    const given = declared(definition, labels);
    found = known.get(keyOf(definition, given));
    if (found) return found;
    const isFull = known.size >= seriesMaxOf(definition);
    if (isFull) this.#overflow.add();
    const kept = isFull ? withOther(definition, given) : given;
    const key = keyOf(definition, kept);
    let series = known.get(key);
    if (!series) {
      series = definition.type === "histogram" ? new Distribution(definition, kept) : new Series(kept);
      known.set(key, series);
    }
    return series;
  }

  async #ask(source: Source, fresh: boolean): Promise<Readings> {
    const { kept, keptMs, readMs, name } = source;
    if (kept && !fresh && performance.now() - kept.at < keptMs) return kept.readings;
    try {
      source.running ??= begun(source);
      return await withinMs(source.running, readMs);
    } catch {
      this.counter(processMetrics.scrapeErrors, { source: name }).add();
      return [];
    }
  }
}

/** Reads, and keeps what was read. */
function begun(source: Source): Promise<Readings> {
  const running = (async () => source.read())()
    .then(readings => {
      source.kept = { readings, at: performance.now() };
      return readings;
    })
    .finally(() => (source.running = undefined));
  // A scrape that no longer waits hears of the failure no more.
  running.catch(() => {});
  return running;
}

async function withinMs<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not read within ${ms} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

export const familyOf = ({ name, help, type, over = "sum" }: MetricDefinition, values: readonly Sample[]): Family => ({
  name,
  help,
  type,
  aggregator: over,
  values,
});

const seriesMaxOf = ({ seriesMax = limits.seriesMax }: MetricDefinition): number => seriesMax;

/** The labels in the order of their declaration; a value that is none of the declared ones is `other`. */
function declared({ labels = {} }: MetricDefinition, given: Labels): Labels {
  const kept: Record<string, string> = {};
  for (const [label, values] of Object.entries(labels)) {
    const value = given[label] ?? OTHER;
    kept[label] =
      typeof values === "string" ? value.slice(0, limits.labelChars) : values.includes(value) ? value : OTHER;
  }
  return kept;
}

/** With `other` for each label whose values are not listed. */
const withOther = ({ labels = {} }: MetricDefinition, given: Labels): Labels =>
  Object.fromEntries(
    Object.entries(given).map(([label, value]) => [label, typeof labels[label] === "string" ? OTHER : value]),
  );

function keyOf({ labels }: MetricDefinition, given: Labels): string {
  let key = "";
  for (const label in labels) key += `${given[label] ?? OTHER}\n`;
  return key;
}

const known = new WeakMap<object, Meters>();

/** The meters of a broker; undefined with METRICS=off. */
export function metersOf(broker: { readonly options: object }): Meters | undefined {
  const found = known.get(broker);
  if (found) return found;
  if (metricsEnvironment.of(broker).METRICS === "off") return undefined;
  const meters = new Meters();
  known.set(broker, meters);
  return meters;
}
