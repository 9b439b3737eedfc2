// Sagas in a list, as the API tells them, and what an operator narrows them by.
import type { Tone } from "../../../kit/tone.ts";

export interface SagaRow {
  readonly id: string;
  readonly saga: string;
  readonly state: string;
  /** The step and the error, in words. */
  readonly reason?: string;
  /** Type of the error. */
  readonly code?: string;
  readonly startedAt: string;
  readonly updatedAt: string;
  /** Where an open one stands, in words, and the attempt of its present call. */
  readonly step?: string;
  readonly attempt?: number;
  readonly service: string;
}

export interface SagaGroup {
  readonly state: string;
  readonly saga: string;
  readonly reason?: string;
  readonly sagas: number;
  readonly oldestStartedAt: string;
  readonly service: string;
}

export const STATES = ["open", "stuck", "running", "compensating", "completed", "compensated"] as const;

const TONES: Readonly<Record<string, Tone>> = {
  stuck: "bad",
  running: "busy",
  compensating: "warn",
  completed: "good",
  compensated: "idle",
};
export const toneOf = (state: string): Tone => TONES[state] ?? "idle";

export interface Filter {
  readonly state?: (typeof STATES)[number];
  readonly name?: string;
  readonly reason?: string;
  readonly olderThanMinutes?: number;
  readonly order?: "newest";
}

/** Ages by which sagas are narrowed, in minutes. */
export const AGES: readonly (readonly [minutes: number, text: string])[] = [
  [5, "5 minutes"],
  [60, "an hour"],
  [1_440, "a day"],
  [10_080, "a week"],
];

/** The filter that a URL says. What is no filter is left out: somebody may have typed it. */
export function filterOf({ state, name, reason, older, order }: Readonly<Record<string, string>>): Filter {
  const minutes = Number(older);
  return {
    ...(STATES.includes(state as never) && { state: state as (typeof STATES)[number] }),
    ...(name && { name }),
    ...(reason && { reason }),
    ...(older && minutes > 0 && { olderThanMinutes: minutes }),
    ...(order === "newest" && { order }),
  };
}

/** A filter in words, as a dialog restates it: `stuck sagas of checkout with PAYMENT_VOIDED`. */
export function inWords({ state = "open", name, reason, olderThanMinutes }: Filter): string {
  const age = AGES.find(([minutes]) => minutes === olderThanMinutes)?.[1] ?? `${olderThanMinutes} minutes`;
  return [
    `${state} sagas`,
    name && `of ${name}`,
    reason && `with ${reason}`,
    olderThanMinutes !== undefined && `older than ${age}`,
  ]
    .filter(Boolean)
    .join(" ");
}

/** The part of the id that tells one saga from another; the name of its kind stands beside it. */
export const keyOf = ({ id, saga }: Pick<SagaRow, "id" | "saga">): string =>
  id.startsWith(`${saga}.`) ? id.slice(saga.length + 1) : id;
