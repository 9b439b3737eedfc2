// Errors of consumers: of an operator's requests, and of their logs.
import { defineErrors } from "../kernel/index.ts";

export const streamErrors = defineErrors({
  CONSUMER_NOT_FOUND: {
    status: 404,
    says: "no consumer has the name {consumer}",
    todo: "ask for the names: `GET /ops/consumers`",
  },
  CONSUMER_NOT_STOPPED: {
    status: 409,
    says: "{consumer} has not stopped: its places are in the logs that it reads",
    todo: "leave it: there is nothing to reset",
  },
  DEAD_LETTER_NOT_FOUND: {
    status: 404,
    says: "there is no dead letter {id}",
    todo: "ask for the open ones: `GET /ops/dead-letters`",
  },
  LOG_HOLE: {
    status: 500,
    says: "{consumer}: {source} goes from version {version} to {event}",
    todo: "find out whether this is the log that the consumer read before; `npx valence doctor --deep` tells",
  },
  STREAM_MISSING: {
    status: 500,
    says: "the stream {stream} is missing in JetStream, and this node may not make it; consumers read the log instead",
    todo: "run `npx valence migrate` with the `NATS_URL` of the user migrate",
  },
  TOPIC_MISSING: {
    status: 500,
    says: "the topic {topic} is missing in Kafka, and this node may not make it; consumers read the log instead",
    todo: "run `npx valence migrate` as a user that may make topics, or have it made with KAFKA_PARTITIONS partitions",
  },
  TOPIC_PARTITIONS: {
    status: 500,
    says: "the topic {topic} has {found} partitions and KAFKA_PARTITIONS says {partitions}; nothing is published to it, and consumers read the log instead",
    todo: "set KAFKA_PARTITIONS to that number on every node, or delete the topic: it is made anew, and its events are in the log",
  },
  TOPIC_REFUSES: {
    status: 500,
    says: "the topic {topic} takes no events: {problem}; consumers read the log instead",
    todo: "see `GET /ops/health`: the dependency `relay` says what to do",
  },
  LOG_FOREIGN: {
    status: 500,
    says: "{source} gives {event} of the type {type} as of its log, which is that of {actor}",
    todo: "find out which node answers for the source: it may give itself out for an owner; nothing of it is taken",
  },
  EVENT_BROKEN: {
    status: 500,
    says: "the event cannot be read",
    todo: "restore the event from a backup, then retry the dead letter",
  },
  REACTION_TOO_LONG: {
    status: 500,
    says: "{event} was not handled within {ms} ms",
    todo: "give the reactor's calls deadlines of their own",
  },
});
