// Read models and readers of logs, as the API tells them.
export interface Projection {
  readonly name: string;
  readonly version: number;
  readonly build: number;
  readonly service: string;
  /** `live`, or what its build is at. */
  readonly state: string;
  readonly lagEvents: number | null;
  readonly events: number;
  readonly parkedStreams?: number;
  /** Logs that do not have its checkpoint: it waits for a rebuild. */
  readonly stopped?: readonly { readonly source: string; readonly since?: string; readonly reason?: string }[];
  /** Streams that failed in this build and not in the live one. */
  readonly blockedBy?: readonly string[];
}
export interface Lag {
  readonly kind: string;
  readonly service: string;
  readonly name: string;
  readonly state: string;
  readonly lagEvents: number | null;
  readonly parkedStreams?: number;
}

/** The name under which a build reads logs, and its dead letters lie. */
export const consumerOf = ({ name, version, build }: Pick<Projection, "name" | "version" | "build">): string =>
  `${name}@${version}${build > 1 ? `.${build}` : ""}`;

/** What needs a person first, then by name. */
export const inOrder = (lag: readonly Lag[]): Lag[] =>
  lag.toSorted(
    (a, b) =>
      Number(needs(b)) - Number(needs(a)) ||
      `${a.service} ${a.kind} ${a.name}`.localeCompare(`${b.service} ${b.kind} ${b.name}`),
  );
const needs = ({ state, lagEvents, parkedStreams = 0 }: Lag): boolean =>
  state === "stopped" || state === "full" || lagEvents === null || parkedStreams > 0;

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
