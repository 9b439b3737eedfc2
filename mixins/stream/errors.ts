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
  DEAD_LETTER_OF_LOG: {
    status: 409,
    says: "the dead letter {id} is an event of a log, which its consumer needs",
    todo: "mend the cause and retry it; only messages from outside can be discarded",
  },
  BUS_AWAY: {
    status: 503,
    says: "{bus} is away",
    todo: "look whether its servers run and this machine can reach them: `GET /ops/health`",
  },
  INGRESS_NOT_FOUND: {
    status: 404,
    says: "no ingress has the name {ingress}",
    todo: "ask for the names: `GET /ops/ingresses`",
  },
  MESSAGE_TOO_LARGE: {
    status: 413,
    says: "the message has {bytes} bytes and may have {maxBytes}",
    todo: "have it sent in smaller parts, then discard the dead letter",
  },
  MESSAGE_TOO_DEEP: {
    status: 422,
    says: "the message has more than {levels} levels",
    todo: "tell its sender, then discard the dead letter",
  },
  MESSAGE_EMPTY: {
    status: 422,
    says: "the message has no value, as a tombstone of a compacted topic has none",
    todo: "tell its sender, or set `ignoresEmpty` of the ingress, then discard the dead letter",
  },
  MESSAGE_MALFORMED: {
    status: 422,
    says: "the message is no JSON",
    todo: "tell its sender, then discard the dead letter",
  },
  MESSAGE_UNFIT: {
    status: 422,
    says: "the message does not fit the schema: {what}",
    todo: "tell its sender, or widen the schema of the ingress and retry the dead letter",
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
  OUTBOUND_MISFIT: {
    status: 500,
    says: "{event} became a {type} that breaks its schema: {problem}",
    todo: "mend the mapping of the public event, then retry the dead letter",
  },
  OUTBOUND_TOO_LARGE: {
    status: 500,
    says: "{event} became a {type} of {bytes} bytes",
    todo: "let the public event name what receivers can ask for, then retry the dead letter",
  },
  OUTBOUND_TOPIC_AWAY: {
    status: 503,
    says: "nothing can be published to the topic {topic}: {problem}",
    todo: "nothing: it goes on when the brokers answer; `GET /ops/health` says how they stand",
    retryAfterMs: 1_000,
  },
  WEBHOOK_NOT_FOUND: {
    status: 404,
    says: "there is no webhook {id}",
    todo: "ask for the ids: `GET /ops/webhooks`",
  },
  WEBHOOKS_NOT_SERVED: {
    status: 404,
    says: "no service that runs has public events",
    todo: "start the service that sends them",
  },
  DELIVERY_NOT_FOUND: {
    status: 404,
    says: "the webhook has no delivery {id}",
    todo: "ask for them: `GET /ops/webhook-deliveries`",
  },
  TOO_MANY_WEBHOOKS: {
    status: 409,
    says: "there are {webhooks} webhooks already",
    todo: "remove one that nobody needs",
  },
});
