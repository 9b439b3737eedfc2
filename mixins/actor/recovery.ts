// The recovery of an activation whose decided states are void. Guards P2 (what lost to another owner is decided again, on the
// newest state) and P3 (a repetition whose decision fails gets its first answer).
//
//   1. load       the stream, as it is now.
//   2. look up    the commands whose decision failed: the store may have executed them before. After the load, since a command
//                 that is not found by then has no effect on the loaded state.
//   3. sort       executed ones are answered; those that lost too often are unavailable; the others are decided again.
//
// A crash on the way loses nothing: none of the requests has an answer yet.
import type { RecordedCommand } from "../event-store/index.ts";
import type { ActivationContext } from "./activation-context.ts";
import type { Loaded } from "./load.ts";
import type { Request } from "./request.ts";

export interface Recovered {
  readonly loaded: Loaded;
  /** Requests that the store has executed before, with their rows. */
  readonly executed: readonly (readonly [Request, RecordedCommand])[];
  /** Requests that were lost `decisionsMax` times. */
  readonly vain: readonly Request[];
  /** Requests to decide again, in their order. */
  readonly open: readonly Request[];
}

/** Loads the stream, and sorts the requests that wait for it. Throws what the store throws, before it counts an attempt. */
export async function recover(
  { load, store, limits }: ActivationContext,
  stream: string,
  again: readonly Request[],
): Promise<Recovered> {
  const loaded = await load(stream);
  const executed = new Map<Request, RecordedCommand>();
  for (const request of again) {
    if (!request.hasFailed || !("command" in request) || !request.command.explicit) continue;
    const first = await store.findCommand(stream, request.command.commandId);
    if (first) executed.set(request, first);
  }
  const rest = again.filter(request => !executed.has(request));
  const vain = rest.filter(request => ++request.attempts > limits.decisionsMax);
  return { loaded, executed: [...executed], vain, open: rest.filter(request => !vain.includes(request)) };
}
