// The spans of durable events on their way from an owner to its consumers. An event carries the span of its command as
// `traceparent`; whatever is done because of the event is a part of that trace, or links to it.
import {
  ATTRIBUTES,
  carriedCause,
  SPANS,
  tracing,
  type Attributes,
  type Cause,
  type SpanStart,
} from "../tracing/index.ts";
import type { LogEvent } from "./log/source.ts";

type Events = readonly Pick<LogEvent, "eventId" | "metadata">[];
type Trace = <T>(events: Events, work: () => Promise<T>) => Promise<T>;

const causesOf = (events: Events): Cause[] => events.flatMap(({ metadata }) => carriedCause(metadata) ?? []);

/** Does a consumer's work on events as a span; undefined where nothing is traced. Without events there is no span. */
export function consumerTracing(consumer: string, source: string): Trace | undefined {
  return messageTracing({
    name: `${SPANS.process} ${consumer}`,
    kind: "consumer",
    attributes: {
      [ATTRIBUTES.operationName]: SPANS.process,
      [ATTRIBUTES.operationType]: "process",
      [ATTRIBUTES.consumerGroup]: consumer,
      [ATTRIBUTES.destination]: source,
    },
  });
}

/** Does the publishing of an owner's events as a span; undefined where nothing is traced. */
export function publishTracing(source: string): Trace | undefined {
  return messageTracing({
    name: `${SPANS.publish} ${source}`,
    kind: "producer",
    attributes: {
      [ATTRIBUTES.operationName]: SPANS.publish,
      [ATTRIBUTES.operationType]: "send",
      [ATTRIBUTES.destination]: source,
    },
  });
}

type MessageSpan = Omit<SpanStart, "attributes"> & { readonly attributes: Attributes };

function messageTracing({ attributes, ...start }: MessageSpan): Trace | undefined {
  const active = tracing();
  if (!active) return undefined;
  return (events, work) => {
    if (events.length === 0) return work();
    const own = (): Attributes => ({ ...attributes, [ATTRIBUTES.messagingSystem]: "valence", ...messagesOf(events) });
    return active.within({ ...start, causes: causesOf(events), attributes: own }, work);
  };
}

const messagesOf = (events: Events): Attributes =>
  events.length === 1 ? { [ATTRIBUTES.messageId]: events[0]!.eventId } : { [ATTRIBUTES.messages]: events.length };
