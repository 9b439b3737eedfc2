// One saga as the API tells it.
import type { Tone } from "../../../kit/tone.ts";

export interface ActorLink {
  readonly type: string;
  readonly id: string;
}
export interface Possible {
  readonly isPossible: boolean;
  readonly needsPastPivot?: true;
  readonly message?: string;
}
export interface LaneStep {
  readonly step: string;
  readonly action: string;
  readonly status: string;
  readonly calls: number;
  readonly done: number;
  readonly isPivot?: true;
}
export interface StepCall {
  readonly step: string;
  readonly item: number;
  readonly action: string;
  readonly actor?: ActorLink;
  readonly status: string;
  readonly attempt: number;
  readonly failedTries?: number;
  readonly sentAt: string;
  readonly endedAt?: string;
  readonly ms?: number;
  readonly params: unknown;
  readonly result?: unknown;
  readonly error?: { readonly type: string; readonly message: string };
}
export interface SagaDetail {
  readonly id: string;
  readonly state: string;
  readonly saga: string;
  readonly service: string;
  readonly says: string;
  readonly about?: ActorLink;
  readonly next: { readonly does: string; readonly by: string; readonly at?: string };
  /** The node that is to drive it; absent of one that rests. */
  readonly owner?: string;
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly steps: readonly StepCall[];
  readonly lanes: { readonly forward: readonly LaneStep[]; readonly back: readonly LaneStep[] };
  readonly can: { readonly retry: Possible; readonly compensate: Possible };
  readonly notes: readonly { readonly by: string; readonly at: string; readonly did: string; readonly note: string }[];
  readonly actors: readonly ActorLink[];
  readonly traces: readonly string[];
}

const TONES: Readonly<Record<string, Tone>> = {
  done: "good",
  refused: "bad",
  sent: "busy",
  waiting: "idle",
  abandoned: "warn",
};
export const toneOf = (status: string): Tone => TONES[status] ?? "idle";

const WORDS: Readonly<Record<string, string>> = {
  done: "done",
  refused: "failed",
  sent: "under way",
  waiting: "not begun",
  abandoned: "given up",
};
/** A step's status as a person says it. A step of no items was passed over. */
export const wordOf = ({ status, calls }: Pick<LaneStep, "status" | "calls">): string =>
  status === "done" && calls === 0 ? "not needed" : (WORDS[status] ?? status);

/** Calls of a step that is done once an item: `2 of 3`. */
export const progressOf = ({ calls, done }: Pick<LaneStep, "calls" | "done">): string | undefined =>
  calls > 1 ? `${done} of ${calls}` : undefined;

/** Milliseconds as a person says them. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  const seconds = ms / 1_000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

/** The call that keeps a step from being done, else its last one. */
export const callOf = (steps: readonly StepCall[], step: string): StepCall | undefined =>
  steps.findLast(call => call.step === step && call.status === "refused") ?? steps.findLast(call => call.step === step);

/** Why it stands still: the newest failure. */
export const failureOf = ({ steps }: Pick<SagaDetail, "steps">): StepCall | undefined =>
  steps.findLast(({ error }) => error !== undefined);
