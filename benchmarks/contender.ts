// One contender of `bench:peers`, ours or a peer's, in a process of its own: what it is told, and what it tells.
import { closedLoop, type Load } from "./harness.ts";

/** How long and with how many callers. */
export interface Effort {
  readonly callers: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly runs: number;
}
export type Told = { readonly ready: number } | { readonly loads: readonly Load[] };

/** What the process was started for. */
export const task = (): unknown => JSON.parse(process.argv[2]!);

export const tell = (message: Told): void => void process.send!(message);

/** Warms up, measures, and tells. */
export async function measure(
  { callers, warmUpSeconds, seconds, runs }: Effort,
  call: (n: number) => Promise<unknown>,
  run: (seconds: number) => Promise<Load> = seconds => closedLoop(callers, seconds, call, 4),
): Promise<void> {
  await closedLoop(callers, warmUpSeconds, call);
  const loads: Load[] = [];
  for (let i = 0; i < runs; i++) loads.push(await run(seconds));
  tell({ loads });
}

// Whoever started it is gone: nobody is left to stop it.
process.on("disconnect", () => process.exit());
