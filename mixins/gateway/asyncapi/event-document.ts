// The description of the events of all services (AsyncAPI 3), from what the services say of themselves in the registry.
import type { ServiceBroker } from "moleculer";
import { asyncApi, listedServices } from "../../contract/index.ts";
import { nodeEnvironment } from "../../kernel/index.ts";
import { eventCatalogue, inboundChannels, kafkaEnvironment } from "../../stream/siblings.ts";
import type { ApiInfo } from "../openapi/document.ts";

const ABOUT =
  "Durable events, as CloudEvents 1.0 in binary mode. An event may come again, with the same `ce_id`; those of one " +
  "`ce_subject` come in order. Readers pass over fields that they do not know: a release may add optional ones.";

export class EventDocument {
  readonly #broker: ServiceBroker;
  readonly #info: ApiInfo;
  #document: object | undefined;

  constructor(broker: ServiceBroker, info: ApiInfo) {
    this.#broker = broker;
    this.#info = info;
  }

  /** The events of the services that are known now. */
  get(): object {
    this.#document ??= this.#write();
    return this.#document;
  }

  /** Services came or went, and with them events and their consumers. */
  forget(): void {
    this.#document = undefined;
  }

  #write(): object {
    const { name, version = "1", license } = this.#info;
    const { NAMESPACE: namespace, SERVICEDIR: folder } = nodeEnvironment.of(this.#broker);
    const { KAFKA_PARTITIONS: partitions } = kafkaEnvironment.of(this.#broker);
    const services = listedServices(this.#broker, { skipInternal: true });
    return asyncApi(
      { title: `${name}: events`, version, description: ABOUT, license },
      eventCatalogue(services, { namespace, folder, partitions }),
      inboundChannels(services),
    );
  }
}
