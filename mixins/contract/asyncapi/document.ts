// The events of a system as AsyncAPI 3.0 describes them: a channel for each owner, a message for each version of an event.
// A message is a CloudEvent in binary mode, so that its headers are the same for all but the type.
import type { TSchema } from "typebox";
import { inboundParts, type InboundChannel } from "./inbound.ts";
import { NamedSchemas } from "../openapi/schemas.ts";
import type { DocumentInfo } from "../openapi/document.ts";

/** One version of an event, as readers outside get it. */
export interface EventVersion {
  readonly version: number;
  /** The type as messages have it: `booking.held.v1`. */
  readonly cloudType: string;
  readonly schema: TSchema;
  readonly example: unknown;
}

export interface CataloguedEvent {
  readonly type: string;
  /** The version that is written now. */
  readonly version: number;
  /** Oldest first; older ones may still be in a topic. */
  readonly versions: readonly EventVersion[];
  /** Services that take it. */
  readonly consumers: readonly string[];
}

/** The events of one owner, or public ones of a service that go the same way. */
export interface EventChannel {
  /** Full name of the service. */
  readonly owner: string;
  /** Whether they are public events, which webhooks get as well, and maybe a topic. */
  readonly isPublic?: boolean;
  /** `/<namespace>/<service>`: the source of its CloudEvents. */
  readonly source: string;
  /** Topic of Kafka, and how many partitions it has unless an operator chose otherwise. Public events may have none. */
  readonly topic?: string;
  readonly partitions: number;
  /** Subjects of JetStream. Its messages are for nodes of the system, and public events have none. */
  readonly subject?: string;
  readonly events: readonly CataloguedEvent[];
}

const HEADERS = "CloudEvent";
const text = (description: string, more: object = {}) => ({ type: "string", description, ...more });

/** Headers of every message: the context attributes of CloudEvents 1.0, by the names of its Kafka binding. */
const headers = {
  type: "object",
  title: HEADERS,
  description:
    "Context attributes of CloudEvents 1.0, binary mode. Those that begin with `ce_log` are for nodes of the system.",
  required: ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_partitionkey"],
  properties: {
    ce_specversion: { const: "1.0" },
    ce_id: text("The actor's stream and the version in it: an event that comes twice has the same.", {
      examples: ["booking.0190a0a0-0000-7000-8000-000000000000@3"],
    }),
    ce_source: text("The owner.", { format: "uri-reference" }),
    ce_type: text("The event and the version of its schema."),
    ce_subject: text("The actor. Its events come in order."),
    ce_time: text("When it was recorded.", { format: "date-time" }),
    ce_partitionkey: text("The actor: the key of the record."),
    ce_traceparent: text("W3C Trace Context of the command that caused it."),
    ce_tracestate: text("What other systems have noted about that trace, as W3C's `tracestate`."),
    ce_userid: text("The user on whose behalf it happened."),
    ce_keyid: text("Id of the API key with which the user came in."),
    ce_caller: text("The service that called."),
    ce_node: text("The node that decided."),
    ce_requestid: text("The request that it came from."),
    ce_commandid: text("The command that it came from."),
    ce_withheld: text("Names of fields that are secret, which the data lacks; `*` when there is no data at all."),
    "content-type": { const: "application/json" },
  },
};

/** The whole document. Pure: the same channels give the same text. `inbound` are those of messages from outside. */
export function asyncApi(
  { title, version, description, license }: DocumentInfo,
  channels: readonly EventChannel[],
  inbound: readonly InboundChannel[] = [],
) {
  const schemas = new NamedSchemas();
  schemas.refer(headers);
  const received = inboundParts(inbound, schemas);
  return {
    asyncapi: "3.0.0",
    info: { title, version, description, ...(license && { license: { name: license.name } }) },
    defaultContentType: "application/json",
    channels: {
      ...Object.fromEntries(channels.map(channel => [keyOf(channel), channelOf(channel)])),
      ...received.channels,
    },
    operations: {
      ...Object.fromEntries(channels.map(channel => [`${keyOf(channel)}.publish`, operationOf(channel)])),
      ...received.operations,
    },
    components: {
      messages: {
        ...Object.fromEntries(
          channels.flatMap(channel =>
            versionsOf(channel).map(([event, version]) => [
              version.cloudType,
              messageOf(channel, event, version, schemas),
            ]),
          ),
        ),
        ...received.messages,
      },
      schemas: schemas.components,
    },
  };
}

/** Names of channels are letters, digits, `-`, `_` and dots, as those of services are. */
export const keyOf = ({ owner, isPublic, topic }: EventChannel): string =>
  isPublic ? `${owner}.${topic ?? "webhooks"}` : owner;

const versionsOf = ({ events }: EventChannel): [CataloguedEvent, EventVersion][] =>
  events.flatMap(event => event.versions.map((version): [CataloguedEvent, EventVersion] => [event, version]));

function channelOf(channel: EventChannel): object {
  const { owner, topic, partitions, subject, isPublic } = channel;
  return {
    address: topic ?? null,
    title: keyOf(channel),
    description: isPublic
      ? `Public events of the service ${owner}, for programs outside. ${BY_WEBHOOK}`
      : `What the service ${owner} records, in order for each actor.`,
    messages: Object.fromEntries(
      versionsOf(channel).map(([, { cloudType }]) => [cloudType, { $ref: `#/components/messages/${cloudType}` }]),
    ),
    ...(topic !== undefined && { bindings: { kafka: { topic, partitions, bindingVersion: "0.5.0" } } }),
    ...(subject !== undefined && { "x-jetstream-subject": subject }),
  };
}

const BY_WEBHOOK =
  "A webhook gets each as one JSON object, the same attributes without `ce_` and the payload as `data` (structured mode).";

function operationOf(channel: EventChannel): object {
  const key = keyOf(channel);
  return {
    action: "send",
    channel: { $ref: `#/channels/${key}` },
    summary: channel.isPublic
      ? `${channel.owner} tells programs outside once it has happened.`
      : `${channel.owner} publishes each event once it is recorded.`,
    messages: channel.events.map(({ versions }) => ({
      $ref: `#/channels/${key}/messages/${versions.at(-1)!.cloudType}`,
    })),
  };
}

function messageOf(
  { owner, source, isPublic }: EventChannel,
  { type, version: current, consumers }: CataloguedEvent,
  { cloudType, version, schema, example }: EventVersion,
  schemas: NamedSchemas,
): object {
  const own = {
    ce_source: { const: source },
    ce_type: { const: cloudType },
    ...(isPublic && { ce_id: text("An event that comes twice has the same.", { format: "uuid" }) }),
  };
  return {
    name: cloudType,
    title: type,
    ...(version < current && {
      summary: `Version ${version}, which is no longer written: a topic may hold some still.`,
      deprecated: true,
    }),
    contentType: "application/json",
    headers: { allOf: [{ $ref: `#/components/schemas/${HEADERS}` }, { type: "object", properties: own }] },
    payload: schemas.referAs(typeName(cloudType), schema),
    examples: [{ payload: example }],
    tags: [{ name: owner }],
    bindings: { kafka: { key: { type: "string", description: "The actor." }, bindingVersion: "0.5.0" } },
    "x-owner": owner,
    "x-version": version,
    "x-consumers": consumers,
  };
}

/** `booking.held.v1` becomes `BookingHeldV1`. */
const typeName = (cloudType: string): string =>
  cloudType
    .split(/[^A-Za-z0-9]+/)
    .map(word => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
