// Which streams every consumer has taken in full: what the owner asks before it lets them go to the cold part.
import type { ServiceBroker } from "moleculer";

/** Params of `<service>.taken`: actors of one source, each with the version that has to have been taken. */
export interface Taken {
  readonly source: string;
  readonly streams: readonly { readonly id: string; readonly version: number }[];
}

interface Listed {
  readonly fullName: string;
  readonly metadata?: { readonly consumers?: object };
}

/**
 * Ids of the streams that all consumers of the source have taken. Asks every service with consumers; one that does not
 * answer makes the call fail, since nobody knows how far it is.
 */
export async function takenByAll(broker: ServiceBroker, asked: Taken): Promise<ReadonlySet<string>> {
  const services = broker.registry.getServiceList({ onlyAvailable: true }) as unknown as Listed[];
  const consuming = new Set(services.filter(({ metadata }) => metadata?.consumers).map(({ fullName }) => fullName));
  let taken = new Set(asked.streams.map(({ id }) => id));
  for (const service of consuming) {
    const answer: { ids: string[] } = await broker.call(`${service}.taken`, asked);
    taken = taken.intersection(new Set(answer.ids));
  }
  return taken;
}
