// Services with events, as the broker's registry lists them: the owners of types, and the nodes that answer.
import type { ServiceBroker } from "moleculer";
import { listedServices } from "../../contract/index.ts";

/** A key of `metadata.takes` for all types that there are. */
export const ALL_TYPES = "*";

/** Whether a service whose metadata has these `takes` reads the log of one whose metadata has these `events`. */
export const readsLog = (takes: object, events: object): boolean =>
  ALL_TYPES in takes || Object.keys(events).some(type => type in takes);

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
}

export function ownedBy(broker: ServiceBroker, owner: string): Owned | undefined {
  const services = listedServices(broker, { onlyAvailable: true });
  const { records, actor = records, events } = services.find(({ fullName }) => fullName === owner)?.metadata ?? {};
  return actor === undefined ? undefined : { actor, types: new Set(Object.keys(events ?? {})) };
}

/** Whether the event can be of that log. A node of a newer release writes types that others do not know yet. */
export const isOf = ({ actor, types }: Owned, event: { readonly actor: string; readonly type: string }): boolean =>
  event.actor === actor && (event.type.startsWith(`${actor}.`) || types.has(event.type));
