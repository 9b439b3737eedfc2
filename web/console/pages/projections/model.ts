// Read models and readers of logs, as the API tells them.
export interface Projection {
  readonly name: string;
  readonly version: number;
  readonly service: string;
  /** `live`, or what its build is at. */
  readonly state: string;
  readonly lagEvents: number | null;
  readonly events: number;
}
export interface Lag {
  readonly kind: string;
  readonly service: string;
  readonly name: string;
  readonly state: string;
  readonly lagEvents: number | null;
  readonly parkedStreams?: number;
}

/** Whether its rows are being made. */
export const isBuilding = ({ state }: Pick<Projection, "state">): boolean => /build|catching/.test(state);

/** How much of the log a build has taken, in per cent; a log that grows moves the end. */
export function shareOf({ events, lagEvents }: Pick<Projection, "events" | "lagEvents">): number {
  const all = events + (lagEvents ?? 0);
  return all === 0 ? 0 : Math.round((events / all) * 100);
}

/** Events behind, in words: where a log does not answer nobody knows. */
export const lagOf = (events: number | null): string =>
  events === null ? "unknown" : events === 0 ? "up to date" : `${new Intl.NumberFormat("en").format(events)} events`;
