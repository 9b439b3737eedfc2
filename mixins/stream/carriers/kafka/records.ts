// The records of a topic: CloudEvents in binary mode, which readers outside need no code of ours for. The place in the log
// travels as attributes of ours beside those of the event.
import {
  cloudEvents,
  fromKafka,
  kafkaHeaders,
  readCloudEvent,
  type CloudEvent,
  type EventOwner,
} from "../../cloud-events.ts";
import type { Sent } from "../../publish/relay.ts";
import { digestOf, sealOf, type Carried, type Received } from "../message.ts";

const limits = {
  /** Bytes of an event's data: with its headers below the million that a broker takes unless it is set otherwise. */
  dataBytes: 900_000,
  /** Messages of a page, at most: anybody may have written to a topic. */
  count: 100_000,
};

/** A record, as the client takes it. */
export interface TopicRecord {
  readonly key: string;
  /** Absent for an event that is too large, or that its owner cannot read. */
  readonly value: string | undefined;
  readonly headers: Record<string, string>;
}

type Attributes = CloudEvent["attributes"];

/**
 * Makes the record of a message, sealed with a secret where nodes have keys. It lacks the data of an event with more than
 * `dataBytes`, which no broker takes.
 */
export type ToRecord = (message: Sent, seal: string | undefined, dataBytes?: number) => TopicRecord;

/** Makes the records of an owner's messages. */
export function recordsOf(owner: EventOwner): ToRecord {
  const encode = cloudEvents(owner);
  return ({ event, ...place }, seal, dataBytes = limits.dataBytes) => {
    const whole = encode(event, attributesOf(place));
    const sent = Buffer.byteLength(whole.data ?? "") > dataBytes ? withoutData(whole) : whole;
    const { attributes, data } = seal === undefined ? sent : withSeal(sent, seal);
    return { key: attributes["partitionkey"]!, value: data, headers: kafkaHeaders({ attributes, data }) };
  };
}

/** The message of a record; undefined for one that is none of a relay's. */
export function receivedFrom(
  headers: Readonly<Record<string, string>>,
  value: string | undefined,
): Received | undefined {
  const sent = fromKafka(headers, value);
  const read = readCloudEvent(sent);
  const place = read && placeIn(read.extensions);
  if (!place) return undefined;
  const { logseal: seal } = sent.attributes;
  return {
    ...place,
    size: value?.length ?? 0,
    digest: seal === undefined ? "" : digestIn(sent),
    ...(seal !== undefined && { seal }),
    // A field that does not leave the house is in the log.
    ...(read.withheld.length === 0 && { event: read.event }),
  };
}

/** An attribute has a value, and the start of a log is `""`: there is none then. */
const attributesOf = ({ origin, after, upTo, index, count, follows, mark }: Omit<Carried, "event">): Attributes => ({
  logorigin: origin,
  ...(after !== "" && { logafter: after }),
  logupto: upTo,
  logindex: `${index}`,
  logcount: `${count}`,
  ...(follows !== undefined && { logfollows: follows }),
  ...(mark !== undefined && { logmark: mark }),
});

function placeIn({ logorigin, logafter, logupto, logindex, logcount, logfollows, logmark }: Attributes) {
  const [index, count] = [Number(logindex), Number(logcount)];
  const isWhole = Number.isInteger(index) && Number.isInteger(count) && index >= 1 && index <= count;
  if (logorigin === undefined || logupto === undefined || !isWhole || count > limits.count) return undefined;
  return {
    origin: logorigin,
    after: logafter ?? "",
    upTo: logupto,
    index,
    count,
    ...(logfollows !== undefined && { follows: logfollows }),
    ...(logmark !== undefined && { mark: logmark }),
  };
}

const withoutData = ({ attributes: { datacontenttype: _none, ...attributes } }: CloudEvent): CloudEvent => ({
  attributes: { ...attributes, withheld: "*" },
  data: undefined,
});

const withSeal = (sent: CloudEvent, secret: string): CloudEvent => ({
  ...sent,
  attributes: { ...sent.attributes, logseal: sealOf(digestIn(sent), secret) },
});

/** Of all attributes but the seal, in an order of their own, and the data. */
function digestIn({ attributes: { logseal: _seal, ...attributes }, data = "" }: CloudEvent): string {
  const pairs = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return digestOf(`${JSON.stringify(pairs)}\n${data}`);
}
