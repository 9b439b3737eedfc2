import { parseArgs } from "node:util";
import { DEFAULTS, type Wanted } from "./plan.ts";

export const USAGE = `npm run capacity -- --orders-per-day 1e9 [--peak-factor ${DEFAULTS.peakFactor}] [--views-per-order ${DEFAULTS.viewsPerOrder}]
  [--keep-days ${DEFAULTS.keepDays}] [--carrier jetstream|kafka] [--seed 1] [--json] [--help]`;

export interface Asked {
  readonly wanted: Wanted;
  readonly seed: number;
  readonly isJson: boolean;
}

/** Throws an error whose message names the option that is wrong. */
export function readArguments(args: readonly string[]): Asked | "help" {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      "orders-per-day": text,
      "peak-factor": text,
      "views-per-order": text,
      "keep-days": text,
      carrier: text,
      seed: text,
      json: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help) return "help";
  const number = (
    name: Exclude<keyof typeof values, "json" | "help">,
    least: number,
    most: number,
    fallback?: number,
  ) => {
    const given = values[name] ?? fallback;
    const value = given === "" ? Number.NaN : Number(given);
    if (!(value >= least && value <= most)) throw new Error(`--${name} wants a number from ${least} to ${most}`);
    return value;
  };
  const carrier = values.carrier ?? DEFAULTS.carrier;
  if (carrier !== "jetstream" && carrier !== "kafka") throw new Error("--carrier wants jetstream or kafka");
  const wanted = {
    ordersPerDay: number("orders-per-day", 1, 1e11),
    peakFactor: number("peak-factor", 1, 100, DEFAULTS.peakFactor),
    viewsPerOrder: number("views-per-order", 0, 10_000, DEFAULTS.viewsPerOrder),
    keepDays: number("keep-days", 1, 36_500, DEFAULTS.keepDays),
    carrier,
  } satisfies Wanted;
  return { wanted, seed: number("seed", 0, 2 ** 32 - 1, 1), isJson: values.json === true };
}
