// The topic of one owner: its name, its partitions, and how long it keeps events.
import type { ServiceBroker } from "moleculer";
import { minutes, nodeEnvironment } from "../../../kernel/index.ts";
import { kafkaEnvironment } from "../../environment.ts";
import { partitionOf } from "../../sharing/partitions.ts";
import { streamErrors } from "../../errors.ts";
import type { LogEvent } from "../../log/source.ts";
import { is, type KafkaClients } from "./connection.ts";

/** Name of the topic of a service's events: `<namespace>.<service>`. */
export const topicOf = (namespace: string, service: string): string =>
  [namespace, service.replaceAll(/[^\w.-]/g, "_")].filter(Boolean).join(".");

export class Topic {
  readonly name: string;
  readonly #partitions: number;
  readonly #replicas: number | undefined;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #isForeign: boolean;

  /** The topic of a service's events; with `isForeign` the one of this name, which others write. */
  constructor(broker: ServiceBroker, source: string, isForeign = false) {
    const { KAFKA_PARTITIONS, KAFKA_REPLICATION, KAFKA_RETENTION_HOURS } = kafkaEnvironment.of(broker);
    this.name = isForeign ? source : topicOf(nodeEnvironment.of(broker).NAMESPACE, source);
    this.#isForeign = isForeign;
    this.#partitions = KAFKA_PARTITIONS;
    this.#replicas = KAFKA_REPLICATION;
    this.#settings = { "cleanup.policy": "delete", "retention.ms": `${minutes(60 * KAFKA_RETENTION_HOURS)}` };
  }

  /** The partition of an event: the same for all events of a stream. */
  partitionOf({ actor, stream }: Pick<LogEvent, "actor" | "stream">): number {
    return partitionOf(`${actor}.${stream}`, this.#partitions);
  }

  /**
   * Makes the topic, or gives the one that is there today's settings; a foreign one is left as it is. Several callers at once do no harm. Where the brokers let
   * only others do that, it answers whether the topic has today's settings.
   * @throws TOPIC_MISSING when there is none, and this node may not make it; TOPIC_PARTITIONS
   */
  async ensure(clients: KafkaClients): Promise<boolean> {
    const found = await this.#partitionsIn(clients);
    // A topic of this moment has our settings, and may not be known to every broker yet.
    if (found === undefined) return this.#make(clients);
    if (this.#isForeign) return true;
    if (found !== this.#partitions)
      throw streamErrors.TOPIC_PARTITIONS({ topic: this.name, found, partitions: this.#partitions });
    return this.#update(clients);
  }

  /** Undefined where there is no topic, or none that this user may see. */
  async #partitionsIn({ kafka, admin }: KafkaClients): Promise<number | undefined> {
    try {
      const { topics } = await admin.metadata({ topics: [this.name], forceUpdate: true });
      return topics.get(this.name)?.partitionsCount;
    } catch (error) {
      if (is(kafka, error, ...DENIED) || isUnknown(kafka, error)) return undefined;
      throw error;
    }
  }

  async #make({ kafka, admin }: KafkaClients): Promise<boolean> {
    try {
      await admin.createTopics({
        topics: [this.name],
        partitions: this.#partitions,
        ...(this.#replicas !== undefined && { replicas: this.#replicas }),
        configs: Object.entries(this.#settings).map(([name, value]) => ({ name, value })),
      });
      return true;
    } catch (error) {
      // Another node was faster.
      if (is(kafka, error, "TOPIC_ALREADY_EXISTS")) return true;
      if (is(kafka, error, ...DENIED))
        throw streamErrors.TOPIC_MISSING({ topic: this.name, partitions: this.#partitions });
      throw error;
    }
  }

  async #update({ kafka, admin }: KafkaClients): Promise<boolean> {
    const resource = { resourceType: kafka.ConfigResourceTypes.TOPIC, resourceName: this.name };
    let isOld = false;
    try {
      const [described] = await admin.describeConfigs({
        resources: [{ ...resource, configurationKeys: Object.keys(this.#settings) }],
      });
      const known = new Map(described?.configs.map(({ name, value }) => [name, value]));
      const others = Object.entries(this.#settings).filter(([name, value]) => known.get(name) !== value);
      isOld = others.length > 0;
      const configOperation = kafka.IncrementalAlterConfigOperationTypes.SET;
      const configs = others.map(([name, value]) => ({ name, value, configOperation }));
      if (isOld) await admin.incrementalAlterConfigs({ resources: [{ ...resource, configs }] });
      return true;
    } catch (error) {
      // A user that may not even look has a topic that somebody else takes care of.
      if (is(kafka, error, ...DENIED)) return !isOld;
      throw error;
    }
  }
}

const DENIED = ["TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"];

/** The client has an error of its own for a topic that is not there. */
const isUnknown = ({ findErrorBy }: KafkaClients["kafka"], error: unknown): boolean =>
  findErrorBy(error as Error, "code", "PLT_KFK_USER") !== null;
