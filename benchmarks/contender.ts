// One contender of `bench:peers`, ours or a peer's, in a process of its own: its task, and the messages with its
// results.
import { closedLoop, type Cost, type Load } from "./harness.ts";

/** How long the load runs, and with how many callers. */
export interface Effort {
  readonly callers: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly runs: number;
}
export type Told = { readonly ready: number } | { readonly loads: readonly Load[] } | { readonly cost: Cost };

/** The task that the process was started with. */
export const task = (): unknown => JSON.parse(process.argv[2]!);

export const tell = (message: Told): void => void process.send!(message);

/** Warms up, measures, and reports. */
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

// The process that started this one has ended: no other would stop it.
process.on("disconnect", () => process.exit());
