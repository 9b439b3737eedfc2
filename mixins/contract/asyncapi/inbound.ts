// The messages that a system takes from outside, as AsyncAPI describes them: a channel for each ingress.
import type { TSchema } from "typebox";
import type { NamedSchemas } from "../openapi/schemas.ts";
import { sampleOf } from "../sample.ts";

export interface InboundChannel {
  /** Full name of the service that takes the messages, and name of its ingress. */
  readonly service: string;
  readonly ingress: string;
  /** Topic of Kafka; subject of JetStream, and the stream that has it. */
  readonly topic: string | undefined;
  readonly jetstream: { readonly stream: string; readonly subject: string } | undefined;
  readonly schema: TSchema;
}

const keyOf = ({ service, ingress }: InboundChannel): string => `${service}.${ingress}`;

/** The parts of the document that tell of them. */
export function inboundParts(channels: readonly InboundChannel[], schemas: NamedSchemas) {
  return {
    channels: Object.fromEntries(channels.map(channel => [keyOf(channel), channelOf(channel)])),
    operations: Object.fromEntries(channels.map(channel => [`${keyOf(channel)}.receive`, operationOf(channel)])),
    messages: Object.fromEntries(channels.map(channel => [keyOf(channel), messageOf(channel, schemas)])),
  };
}

function channelOf(channel: InboundChannel): object {
  const { service, topic, jetstream } = channel;
  const key = keyOf(channel);
  return {
    address: topic ?? jetstream!.subject,
    title: key,
    description: `What the service ${service} takes from outside, in order for each key of a partition.`,
    messages: { [key]: { $ref: `#/components/messages/${key}` } },
    ...(topic !== undefined && { bindings: { kafka: { topic, bindingVersion: "0.5.0" } } }),
    ...(jetstream && { "x-jetstream-subject": jetstream.subject }),
  };
}

function operationOf(channel: InboundChannel): object {
  const key = keyOf(channel);
  return {
    action: "receive",
    channel: { $ref: `#/channels/${key}` },
    summary: `${channel.service} handles each message once: as a CloudEvent it is known by \`source\` and \`id\`, else by its place.`,
    messages: [{ $ref: `#/channels/${key}/messages/${key}` }],
  };
}

function messageOf(channel: InboundChannel, schemas: NamedSchemas): object {
  const { service, ingress, schema } = channel;
  return {
    name: ingress,
    title: ingress,
    contentType: "application/json",
    payload: schemas.referAs(`${titled(service)}${titled(ingress)}`, schema),
    examples: [{ payload: sampleOf(schema, "full") }],
    tags: [{ name: service }],
  };
}

/** `printer-deliveries` becomes `SupplierDeliveries`. */
const titled = (name: string): string =>
  name
    .split(/[^A-Za-z0-9]+/)
    .map(word => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
