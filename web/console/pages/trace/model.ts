// Events of one trace in the order of their time, with what passed between them.
export interface TracedEvent {
  readonly at: string;
  readonly service: string;
  readonly type: string;
  /** `<type>/<id>` of the actor, or the name of the log's stream. */
  readonly stream: string;
  readonly version: number;
}
export interface Row extends TracedEvent {
  /** Milliseconds since the first event, and since the one before. */
  readonly offsetMs: number;
  readonly sinceMs: number;
}

/** Milliseconds between two events from which it is a gap that is worth a look. */
export const GAP_MS = 1_000;

export function rowsOf(events: readonly TracedEvent[]): Row[] {
  const sorted = events.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  const moments = sorted.map(({ at }) => Date.parse(at));
  return sorted.map((event, n) => ({
    ...event,
    offsetMs: moments[n]! - moments[0]!,
    sinceMs: n === 0 ? 0 : moments[n]! - moments[n - 1]!,
  }));
}
