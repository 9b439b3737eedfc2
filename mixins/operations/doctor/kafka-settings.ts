// Kafka: whether it answers, and how it keeps the topics. It holds copies: our consumers read an event that it loses from the log of
// its owner. Readers outside have nothing else.
import type { Environment } from "../../kernel/index.ts";
import { streamEnvironment } from "../../stream/index.ts";
import { examineKafka, kafkaEnvironment, problemOf, type KafkaFacts, type TopicFacts } from "../../stream/siblings.ts";
import { count, duration, ok, warn, type Result } from "./finding.ts";
import { limits } from "./limits.ts";

/** The brokers, and what was found; undefined where another carrier moves the events. `sources`: services that own events. */
export async function kafkaFindings(
  environment: Environment,
  sources: readonly string[],
): Promise<{ server: string; results: readonly Result[] } | undefined> {
  if (streamEnvironment.of(environment).CARRIER !== "kafka") return undefined;
  const server = kafkaEnvironment.of(environment).KAFKA_BROKERS!.join(", ");
  try {
    return { server, results: resultsOf(await examineKafka(environment, sources)) };
  } catch (error) {
    const { message, advice } = problemOf(error);
    return {
      server,
      results: [warn("kafka", `${message}: consumers read the logs, readers outside get nothing`, advice)],
    };
  }
}

export function resultsOf(facts: KafkaFacts): Result[] {
  const { brokers, settings, topics, unseen } = facts;
  const troubles = [
    ...unseen.map(({ name, source, reason }) =>
      warn(
        "topics",
        `${name} cannot be seen (${reason}): consumers read the log of ${source} itself`,
        "a start of that service makes it, or `npx valence migrate`; or the user lacks the right to describe it",
      ),
    ),
    ...topics.flatMap(topic => troublesOf(topic, brokers)),
  ];
  const all =
    troubles.length > 0 ? troubles : [ok("topics", `${count(topics.length, "topic")}, kept as they should be`)];
  return [brokersOf(brokers, settings), ...all];
}

function brokersOf(brokers: number, settings: KafkaFacts["settings"]): Result {
  if (settings["auto.create.topics.enable"] === "true")
    return warn(
      "kafka",
      "auto.create.topics.enable: a misspelt name becomes a topic, with the brokers' partitions and copies instead of ours",
      "set auto.create.topics.enable=false on the brokers",
    );
  return ok("kafka", `the cluster answers: ${count(brokers, "broker")}`);
}

/** Copies that outlast the loss of one broker while another one is restarted. */
const COPIES = 3;

function troublesOf(topic: TopicFacts, brokers: number): Result[] {
  const { name, replicas, outOfSync, leaderless, settings } = topic;
  const results: Result[] = [];
  const say = (what: string, advice: string): void => void results.push(warn("topics", `${name} ${what}`, advice));
  const set = (setting: string): string =>
    `kafka-configs.sh --alter --entity-type topics --entity-name ${name} --add-config ${setting}`;
  if (leaderless > 0)
    say(
      `has ${count(leaderless, "partition")} without a leader: nothing is published`,
      "start the brokers that have them",
    );
  else if (outOfSync > 0)
    say(
      `has ${count(outOfSync, "partition")} with copies that are not in sync`,
      "look at the brokers: one is away, slow, or has a full disk",
    );
  if (replicas < Math.min(COPIES, brokers))
    say(
      `has ${replicas} of ${COPIES} copies: a broker that is lost takes its events with it`,
      "kafka-reassign-partitions.sh gives it more; KAFKA_REPLICATION=3 for topics that are made",
    );
  const inSync = Number(settings["min.insync.replicas"] ?? Number.NaN);
  if (replicas >= COPIES && inSync < 2)
    say(
      "is acknowledged by one copy (min.insync.replicas=1): it may be lost with that broker",
      set("min.insync.replicas=2"),
    );
  if (replicas > 1 && inSync >= replicas)
    say(
      `needs all of its ${replicas} copies (min.insync.replicas=${inSync}): nothing is published while one broker is away`,
      set(`min.insync.replicas=${replicas - 1}`),
    );
  if (settings["unclean.leader.election.enable"] === "true")
    say("may be led by a copy that lacks events", set("unclean.leader.election.enable=false"));
  const policy = settings["cleanup.policy"] ?? "delete";
  if (policy !== "delete")
    say(`is compacted (${policy}): older events of an actor are removed`, set("cleanup.policy=delete"));
  const keptMs = Number(settings["retention.ms"] ?? Number.NaN);
  if (keptMs >= 0 && keptMs < limits.streamAgeMs)
    say(
      `keeps events for ${duration(keptMs)}: a reader that is away for longer misses some`,
      set("retention.ms=604800000"),
    );
  return results;
}
