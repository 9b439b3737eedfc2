// Services with events, as the broker's registry lists them: the owners of types, and the nodes that answer.
import type { ServiceBroker } from "moleculer";
import { listedServices } from "../../contract/index.ts";

/** A key of `metadata.takes` for all types that there are. */
export const ALL_TYPES = "*";

/** Whether a service whose metadata has these `takes` reads the log of one whose metadata has these `events`. */
export const readsLog = (takes: object, events: object): boolean =>
  ALL_TYPES in takes || Object.keys(events).some(type => type in takes);

/**
 * Whether every service that reads the log of one with these `events` puts the pages of several relays into order
 * (carriers/pages.ts). One of a release before does not say so, and does not.
 */
export const doAllJoinPages = (broker: ServiceBroker, events: object): boolean =>
  listedServices(broker, { onlyAvailable: true }).every(
    ({ metadata }) =>
      metadata?.joinsPages === true ||
      typeof metadata?.takes !== "object" ||
      metadata.takes === null ||
      !readsLog(metadata.takes, events),
  );

/**
 * Full names of the services that own these event types; "all" means every service that owns any. Only those that are
 * known now: a service that starts later appears in a later answer.
 */
export function ownersOf(broker: ServiceBroker, types: readonly string[] | "all"): Set<string> {
  const owners = new Set<string>();
  for (const { fullName, metadata } of listedServices(broker, { onlyAvailable: true })) {
    const events = metadata?.events;
    // Runs in timers and listeners, where an error because of foreign metadata would end the process.
    if (typeof events === "object" && events !== null && (types === "all" || types.some(type => type in events)))
      owners.add(fullName);
  }
  return owners;
}

/** Actor type of the entries in journals of sagas, as their logs have them. Their streams begin with the service's name. */
export const JOURNALS = "saga";
const JOURNALS_SOURCE = ".sagaJournals";

/** The log of the journals of a service's sagas, as a source: its action is `<service>.sagaJournals.readLog`. */
export const sourceOfJournals = (service: string): string => service + JOURNALS_SOURCE;

export const isOfJournals = (source: string): boolean => source.endsWith(JOURNALS_SOURCE);

/** The service whose database has a source's log. */
export const serviceOf = (source: string): string =>
  isOfJournals(source) ? source.slice(0, -JOURNALS_SOURCE.length) : source;

/** The sources that are the journals of the services that are known now. */
export const journalSources = (broker: ServiceBroker): string[] =>
  listedServices(broker, { onlyAvailable: true }).flatMap(({ fullName, metadata }) =>
    metadata?.journals === true ? [sourceOfJournals(fullName)] : [],
  );

/** Nodes that answer an action, as far as this one knows. */
export function nodesOf(broker: ServiceBroker, action: string): string[] {
  const endpoints = broker.registry.actions.get(action)?.endpoints ?? [];
  return endpoints.filter(endpoint => endpoint.isAvailable).map(({ id }) => id);
}

/** A service's own account of its log, which other nodes believe as far as its role goes (`broker/identity/`). */
export interface Owned {
  /** The actor type of the service: the first part of its streams' names. */
  readonly actor: string;
  readonly types: ReadonlySet<string>;
  /** Where it is not the only service with such actors: the beginning of the names of its streams. */
  readonly prefix?: string;
}

export function ownedBy(broker: ServiceBroker, owner: string): Owned | undefined {
  if (isOfJournals(owner)) return { actor: JOURNALS, types: new Set(), prefix: `${serviceOf(owner)}.` };
  const services = listedServices(broker, { onlyAvailable: true });
  const { records, actor = records, events } = services.find(({ fullName }) => fullName === owner)?.metadata ?? {};
  return actor === undefined ? undefined : { actor, types: new Set(Object.keys(events ?? {})) };
}

/** Whether the event can be of that log. A node of a newer release writes types that others do not know yet. */
export const isOf = (
  { actor, types, prefix = "" }: Owned,
  event: { readonly actor: string; readonly stream: string; readonly type: string },
): boolean =>
  event.actor === actor &&
  event.stream.startsWith(prefix) &&
  (event.type.startsWith(`${actor}.`) || types.has(event.type));
