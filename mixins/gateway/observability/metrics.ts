// The text of `/metrics` in Prometheus' format: the process, its HTTP requests by route, and the runtime's own counts in the
// broker's registry.
import { monitorEventLoopDelay } from "node:perf_hooks";

const BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Series {
  count: number;
  sum: number;
  readonly buckets: number[];
}

export class HttpMetrics {
  readonly #requests = new Map<string, Series>();
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });

  start(): void {
    this.#delay.enable();
  }
  stop(): void {
    this.#delay.disable();
  }

  /** `route` is the pattern, never the path: the number of labels must not grow with the paths that clients send. */
  observe(method: string, route: string, status: number, seconds: number): void {
    const labels = `method="${method}",route="${route}",status="${status}"`;
    let series = this.#requests.get(labels);
    if (!series) this.#requests.set(labels, (series = { count: 0, sum: 0, buckets: BUCKETS_SECONDS.map(() => 0) }));
    series.count++;
    series.sum += seconds;
    for (const [i, bound] of BUCKETS_SECONDS.entries()) if (seconds <= bound) series.buckets[i]!++;
  }

  text(
    gauges: Readonly<Record<string, number>> = {},
    registered: readonly Registered[] = [],
    counters: Readonly<Record<string, number>> = {},
  ): string {
    const memory = process.memoryUsage();
    const cpu = process.cpuUsage();
    const lines: string[] = [];
    const metric = (type: string, name: string, value: number) =>
      lines.push(`# TYPE ${name} ${type}`, `${name} ${value}`);
    metric("counter", "process_cpu_seconds_total", (cpu.user + cpu.system) / 1e6);
    metric("gauge", "process_resident_memory_bytes", memory.rss);
    metric("gauge", "process_uptime_seconds", process.uptime());
    metric("gauge", "nodejs_heap_size_used_bytes", memory.heapUsed);
    metric("gauge", "nodejs_eventloop_delay_p99_seconds", this.#delay.percentile(99) / 1e9);
    for (const [name, value] of Object.entries(gauges)) metric("gauge", name, value);
    for (const [name, value] of Object.entries(counters)) metric("counter", name, value);
    lines.push("# TYPE http_request_duration_seconds histogram");
    const name = "http_request_duration_seconds";
    for (const [labels, { count, sum, buckets }] of this.#requests) {
      for (const [i, bound] of BUCKETS_SECONDS.entries())
        lines.push(`${name}_bucket{${labels},le="${bound}"} ${buckets[i]}`);
      lines.push(
        `${name}_bucket{${labels},le="+Inf"} ${count}`,
        `${name}_sum{${labels}} ${sum}`,
        `${name}_count{${labels}} ${count}`,
      );
    }
    for (const metric of registered) lines.push(...linesOf(metric));
    return `${lines.join("\n")}\n`;
  }
}

/** A metric of the broker's registry, with the value or the distribution for each combination of labels. */
export interface Registered {
  readonly type: string;
  readonly name: string;
  readonly values: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly value?: number;
    readonly count?: number;
    readonly sum?: number;
    readonly buckets?: Readonly<Record<string, number>>;
  }[];
}

function linesOf({ type, name: dotted, values }: Registered): string[] {
  const name = dotted.replaceAll(/[.-]/g, "_");
  const rows = values.flatMap(({ labels, value, count, sum, buckets }) => {
    const text = Object.entries(labels).map(([label, of]) => `${label}="${of}"`);
    if (buckets === undefined) return [`${name}{${text.join(",")}} ${value}`];
    return [
      ...Object.entries({ ...buckets, "+Inf": count }).map(
        ([le, n]) => `${name}_bucket{${[...text, `le="${le}"`].join(",")}} ${n}`,
      ),
      `${name}_sum{${text.join(",")}} ${sum}`,
      `${name}_count{${text.join(",")}} ${count}`,
    ];
  });
  return [`# TYPE ${name} ${type}`, ...rows];
}
