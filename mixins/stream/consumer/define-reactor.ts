// A reactor calls actions when events happen: at least once for each event, under command ids that are derived from the
// event, so that an actor executes the command once.
import type { Call, EventName, Recorded } from "../../contract/index.ts";

export interface Reactor {
  /** Names its checkpoint: under a new name it starts at the first event. */
  readonly name: string;
  /**
   * Reaction to an event that fails again and again: `park` (default) parks its stream while the others go on, `stop` stops
   * the reactor, which tries again at its next start.
   */
  readonly onPoison?: "park" | "stop";
  readonly on: { readonly [E in EventName]?: (event: Recorded<E>, tools: { call: Call }) => Promise<unknown> };
}
/** Defines a reactor. A service runs it by `mixins: [Reactors(reactor)]`. */
export const defineReactor = (reactor: Reactor): Reactor => reactor;
