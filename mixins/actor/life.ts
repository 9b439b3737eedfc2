// The phases of an activation, as one tagged union: a value that only one phase needs is a field of that phase.
//
//      loading ──▶ running ◀──▶ preparing        `begins` starts as running, on a presumed new stream
//       │   ▲         │             │
//       │   └─────── voided ◀───────┘
//       └──▶ dropped
import type { Request } from "./request.ts";

/** The activation's knowledge of its stream: presumed to be new, loaded, or loaded from the archive (no new commands). */
export type Footing = "presumed" | "loaded" | "archived";

/** Decides as requests come. */
export interface Running {
  readonly phase: "running";
  footing: Footing;
  /** Commits that are still done one by one. */
  cautious: number;
}

/** One command is being prepared: the mailbox waits, the pipeline goes on. */
export interface Preparing {
  readonly phase: "preparing";
  /** The life after it, unless a conflict voids the decisions meanwhile. */
  readonly running: Running;
}

/** Decisions without a verdict are void. Loads as soon as the pipeline is empty and nothing is being prepared. */
export interface Voided {
  readonly phase: "voided";
  footing: Footing;
  /** Requests that lost, to be decided again after the load. */
  readonly again: Request[];
  isPreparing: boolean;
}

export type Life = Running | Preparing | Voided | typeof LOADING | typeof DROPPED;

/** Reads the stream; requests wait. */
export const LOADING = { phase: "loading" } as const;
/** The stream could not be loaded: every request has got that error, and the host makes another activation. */
export const DROPPED = { phase: "dropped" } as const;

/** The activation's knowledge of its stream. "loaded" where no request is decided: the next load says more. */
export function footingOf(life: Life): Footing {
  const own = life.phase === "preparing" ? life.running : life;
  return own.phase === "running" || own.phase === "voided" ? own.footing : "loaded";
}

/** An append has committed: a presumed stream is proved, and one commit less is done alone. */
export function noteCommit(life: Life): void {
  const own = life.phase === "preparing" ? life.running : life;
  if (own.phase !== "running" && own.phase !== "voided") return;
  if (own.footing === "presumed") own.footing = "loaded";
  if (own.phase === "running" && own.cautious > 0) own.cautious--;
}

/** The life after a lost append or a bug. */
export const voidedFrom = (life: Life): Voided =>
  life.phase === "voided"
    ? life
    : { phase: "voided", footing: footingOf(life), again: [], isPreparing: life.phase === "preparing" };
