// The brokers and topics as they are, for the doctor.
import type { Environment } from "../../../kernel/index.ts";
import { nodeEnvironment } from "../../../kernel/index.ts";
import { closeClients, kafkaClients, kafkaOptions, type KafkaClients } from "./connection.ts";
import { problemOf } from "./problems.ts";
import { topicOf } from "./topic.ts";

export interface TopicFacts {
  readonly name: string;
  /** The service whose events it has. */
  readonly source: string;
  /** Copies of the partition with the fewest. */
  readonly replicas: number;
  /** Partitions of which some copy is not in sync, and those without a leader. */
  readonly outOfSync: number;
  readonly leaderless: number;
  /** Its own, or the brokers'; empty where the user may not ask. */
  readonly settings: Readonly<Record<string, string | null | undefined>>;
}
export interface KafkaFacts {
  readonly brokers: number;
  /** Settings of one broker; likewise. */
  readonly settings: Readonly<Record<string, string | null | undefined>>;
  readonly topics: readonly TopicFacts[];
  /** Topics that are not there, or that the user may not see, with the service. */
  readonly unseen: readonly { readonly name: string; readonly source: string; readonly reason: string }[];
}

const TOPIC_SETTINGS = ["min.insync.replicas", "retention.ms", "cleanup.policy", "unclean.leader.election.enable"];
const BROKER_SETTINGS = ["auto.create.topics.enable"];

/** Asks the brokers about the topics of these services. Rejects with an error that `problemOf` explains. */
export async function examineKafka(environment: Environment, sources: readonly string[]): Promise<KafkaFacts> {
  const clients = await kafkaClients(kafkaOptions(environment, "doctor"));
  try {
    const { brokers } = await clients.admin.metadata({ topics: [], forceUpdate: true });
    const { BROKER } = clients.kafka.ConfigResourceTypes;
    const topics: TopicFacts[] = [];
    const unseen: KafkaFacts["unseen"][number][] = [];
    for (const source of sources) {
      const name = topicOf(nodeEnvironment.of(environment).NAMESPACE, source);
      try {
        topics.push(await topicFacts(clients, name, source));
      } catch (error) {
        unseen.push({ name, source, reason: problemOf(error).message });
      }
    }
    const [first] = brokers.keys();
    return {
      brokers: brokers.size,
      settings: await settingsOf(clients, BROKER, `${first}`, BROKER_SETTINGS),
      topics,
      unseen,
    };
  } finally {
    await closeClients(clients);
  }
}

async function topicFacts(clients: KafkaClients, name: string, source: string): Promise<TopicFacts> {
  const { topics } = await clients.admin.metadata({ topics: [name], forceUpdate: true });
  const { partitions } = topics.get(name)!;
  return {
    name,
    source,
    replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
    outOfSync: partitions.filter(({ isr, replicas }) => isr.length < replicas.length).length,
    leaderless: partitions.filter(({ leader }) => leader < 0).length,
    settings: await settingsOf(clients, clients.kafka.ConfigResourceTypes.TOPIC, name, TOPIC_SETTINGS),
  };
}

async function settingsOf(
  { admin }: KafkaClients,
  resourceType: 2 | 4,
  resourceName: string,
  configurationKeys: string[],
): Promise<Record<string, string | null | undefined>> {
  try {
    const [described] = await admin.describeConfigs({ resources: [{ resourceType, resourceName, configurationKeys }] });
    return Object.fromEntries(described!.configs.map(({ name, value }) => [name, value]));
  } catch {
    // A user of a node needs no right to look.
    return {};
  }
}
