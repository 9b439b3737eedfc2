// Measured figures, each number with the command that measures it anew, its unit and its date.
import { readFileSync } from "node:fs";
import type data from "./costs.json";

export interface Figure {
  readonly value: number;
  readonly unit: string;
  /** The command that measures it. */
  readonly command: string;
  /** Day of the measurement. */
  readonly date: string;
  readonly note?: string;
}

const file = JSON.parse(readFileSync(new URL("costs.json", import.meta.url), "utf8")) as Record<
  keyof typeof data,
  Record<string, Figure>
>;

/** Figures that the model is given. */
export const FIGURES = file.costs;
/** Figures that it has to come to by itself. */
export const MEASURED = file.measured;

export type Costs = { readonly [Name in keyof (typeof data)["costs"]]: number };
export const COSTS = Object.fromEntries(Object.entries(FIGURES).map(([name, { value }]) => [name, value])) as Costs;
export type Measured = { readonly [Name in keyof (typeof data)["measured"]]: number };
