// A reactor calls: at least once an event, with command ids derived from the event, which makes actor commands once.
import type { Call, EventName, Recorded } from "../../contract/index.ts";

export interface Reactor {
  /** Names its place in the log: a new name starts at the first event. */
  readonly name: string;
  /**
   * What an event does that fails again and again: parks its stream, the others go on (default); or stops the reactor,
   * which tries again at its next start.
   */
  readonly onPoison?: "park" | "stop";
  readonly on: { readonly [E in EventName]?: (event: Recorded<E>, tools: { call: Call }) => Promise<unknown> };
}
export const defineReactor = (reactor: Reactor): Reactor => reactor;
