// The durable events of a project's services, which need not run: their schemas say what a node would announce of them.
import { Service, type ServiceBroker, type ServiceSchema } from "moleculer";
import type { EventChannel, InboundChannel, ListedService } from "../contract/index.ts";
import { nodeEnvironment, type Environment } from "../kernel/index.ts";
import { schemaIn, serviceFiles } from "../operations/services.ts";
import { kafkaEnvironment } from "../stream/environment.ts";
import { eventCatalogue, inboundChannels } from "../stream/siblings.ts";

export async function channelsIn(
  folder: string,
  services: readonly string[],
  environment: Environment,
): Promise<EventChannel[]> {
  const announced = await announcedIn(folder, services);
  const { NAMESPACE: namespace } = nodeEnvironment.of(environment);
  return eventCatalogue(announced, {
    namespace,
    folder,
    partitions: kafkaEnvironment.of(environment).KAFKA_PARTITIONS,
  });
}

/** Channels of the messages that they take from outside. */
export const inboundIn = async (folder: string, services: readonly string[]): Promise<InboundChannel[]> =>
  inboundChannels(await announcedIn(folder, services));

async function announcedIn(folder: string, services: readonly string[]): Promise<Omit<ListedService, "nodeID">[]> {
  const announced: Omit<ListedService, "nodeID">[] = [];
  for (const file of services.flatMap(service => serviceFiles(folder, service))) {
    const { name, version, metadata } = withMixins(await schemaIn(file));
    announced.push({ name, fullName: Service.getVersionedFullName(name, version), metadata: metadata ?? {} });
  }
  return announced;
}

/** A schema as Moleculer merges it, without a broker: the services of one would begin to work. */
const withMixins = (schema: ServiceSchema): ServiceSchema =>
  new Service({} as ServiceBroker).applyMixins(schema) as ServiceSchema;
