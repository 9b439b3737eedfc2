// What every measurement shares: medians, event-loop delay, tables for people and JSON for machines.
import { mkdir, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { monitorEventLoopDelay } from "node:perf_hooks";

export const median = (values: readonly number[]): number => quantile(values, 0.5);
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** `--name value` from the command line. */
export function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  const value = at < 0 ? fallback : Number(process.argv[at + 1]);
  if (!Number.isFinite(value)) throw new Error(`--${name} wants a number`);
  return value;
}

export interface Load {
  /** Completed per second. */
  readonly perSecond: number;
  readonly loopDelayP99Ms: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  /** CPU seconds of this process per wall second. */
  readonly cpus: number;
}

/** Closed loop: `callers` callers, each with one call in flight, for `seconds`. */
export async function closedLoop(
  callers: number,
  seconds: number,
  call: (n: number) => Promise<unknown>,
): Promise<Load> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const latencies: number[] = [];
  let calls = 0;
  const cpuBefore = process.cpuUsage();
  delay.enable();
  const start = performance.now();
  const end = start + seconds * 1_000;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < end) {
        const n = calls++;
        const began = performance.now();
        await call(n);
        if (n % 64 === 0) latencies.push(performance.now() - began);
      }
    }),
  );
  const elapsedS = (performance.now() - start) / 1_000;
  delay.disable();
  const cpu = process.cpuUsage(cpuBefore);
  return {
    perSecond: calls / elapsedS,
    // The monitor's own resolution is part of what it reports.
    loopDelayP99Ms: delay.percentile(99) / 1e6,
    latencyMs: { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) },
    cpus: (cpu.user + cpu.system) / 1e6 / elapsedS,
  };
}

export const thousands = (n: number): string => Math.round(n).toLocaleString("en");

/** Prints the rows and writes them with versions and CPU to `benchmarks/results/<name>.json`. */
export async function report(name: string, rows: readonly Record<string, unknown>[]): Promise<void> {
  console.table(rows);
  const folder = new URL("results/", import.meta.url);
  await mkdir(folder, { recursive: true });
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, platform: process.platform };
  const file = new URL(`${name}.json`, folder);
  await writeFile(file, `${JSON.stringify({ name, at: new Date().toISOString(), machine, rows }, null, 2)}\n`);
  console.log(`written to benchmarks/results/${name}.json`);
}
