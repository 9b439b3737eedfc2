// Shared by all measurements: medians, event-loop delay, tables for people and JSON for machines.
import { mkdir, open, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

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

/** Closed loop: `callers` callers, each with one call in flight, for `seconds`. One latency in `sampled` is kept. */
export async function closedLoop(
  callers: number,
  seconds: number,
  call: (n: number) => Promise<unknown>,
  sampled = 64,
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
        if (n % sampled === 0) latencies.push(performance.now() - began);
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

/** The cost of a call. */
export interface Cost {
  readonly perSecond: number;
  /** Microseconds of CPU of the process. */
  readonly cpuUs: number;
  /** The part of them that the thread of the event loop takes. */
  readonly loopUs?: number;
}

/** Closed loop of a number of calls. */
export async function fixedLoop(
  callers: number,
  calls: number,
  call: (n: number) => Promise<unknown>,
): Promise<Required<Cost>> {
  const [cpu, loop, start] = [process.cpuUsage(), process.threadCpuUsage(), performance.now()];
  let begun = 0;
  const caller = async (): Promise<void> => {
    while (begun < calls) await call(begun++);
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const each = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / calls;
  return {
    perSecond: (calls / (performance.now() - start)) * 1_000,
    cpuUs: each(process.cpuUsage(cpu)),
    loopUs: each(process.threadCpuUsage(loop)),
  };
}

/**
 * Open loop: calls start at random times (Poisson) at a given rate, whether or not earlier calls were answered. A
 * latency counts from the time at which its call was due: a generator that waits for a slow system would leave out the
 * slow calls. Timers have a resolution of 1 ms, which is part of the reported latency.
 */
export async function openLoop(
  perSecond: number,
  seconds: number,
  call: (n: number) => Promise<unknown>,
): Promise<readonly number[]> {
  const latencies: number[] = [];
  const calls: Promise<void>[] = [];
  const start = performance.now();
  const end = start + seconds * 1_000;
  for (let due = start, n = 0; due < end;) {
    for (const now = performance.now(); due <= now && due < end; n++) {
      const at = due;
      // A refused call counts as infinitely slow: it shows in the highest quantiles.
      calls.push(
        call(n).then(
          () => void latencies.push(performance.now() - at),
          () => void latencies.push(Infinity),
        ),
      );
      due += (-Math.log(1 - Math.random()) * 1_000) / perSecond;
    }
    await sleep(1);
  }
  await Promise.all(calls);
  return latencies;
}

/** Median of the milliseconds that the disk takes to store 4 kB durably. */
export async function fdatasyncP50(folder: string): Promise<number> {
  const file = await open(join(folder, "fdatasync"), "w");
  const times: number[] = [];
  for (let i = 0; i < 500; i++) {
    await file.write(Buffer.alloc(4_096), 0, 4_096, i * 4_096);
    const began = performance.now();
    await file.datasync();
    times.push(performance.now() - began);
  }
  await file.close();
  return quantile(times, 0.5);
}

export const thousands = (n: number): string => Math.round(n).toLocaleString("en");
export const rounded = (n: number, digits: number): number => Number(n.toFixed(digits));

/** Prints the rows, and writes them with `more` to `benchmarks/results/<name>.json`. */
export async function report(
  name: string,
  rows: readonly Record<string, unknown>[],
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  console.table(rows);
  const folder = new URL("results/", import.meta.url);
  await mkdir(folder, { recursive: true });
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, platform: process.platform };
  const file = new URL(`${name}.json`, folder);
  const result = { name, at: new Date().toISOString(), machine, ...more, rows };
  await writeFile(file, `${JSON.stringify(result, null, 2)}\n`);
  console.log(`written to benchmarks/results/${name}.json`);
}
