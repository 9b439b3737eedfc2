// Which service owns an event type: the registry says, by the metadata `events` of each service that hosts actors.
import type { ServiceBroker } from "moleculer";
import { listedServices } from "../contract/index.ts";

/**
 * Full names of the services that own these types; "all" means every service that owns any. Only those that are known
 * now: who starts later shows up in a later answer.
 */
export function ownersOf(broker: ServiceBroker, types: readonly string[] | "all"): Set<string> {
  const owners = new Set<string>();
  for (const { fullName, metadata } of listedServices(broker, { onlyAvailable: true })) {
    const events = metadata?.events;
    // What another node announces may be anything, and this runs where nobody catches.
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

/** The actor type of a service, the first part of its streams' names. */
export function actorOf(broker: ServiceBroker, owner: string): string | undefined {
  const services = listedServices(broker, { onlyAvailable: true });
  return services.find(({ fullName }) => fullName === owner)?.metadata?.actor;
}
