// A durable event as a CloudEvent 1.0, for readers that know nothing of this runtime: its place and cause are context
// attributes, which travel as headers (binary mode), and the message's body is the event's data as JSON.
//
//   id               loan.0190…@3: the stream and the version, which no other event of this source has
//   source           /<namespace>/<service>, or /<service> without a namespace
//   type             loan.made.v1: the type and the version of its schema
//   subject          loan.0190…: the actor
//   partitionkey     the same: the events of one actor come in order
//   time             when it was recorded, on the database's clock
//   traceparent      the span of the command that caused it, where traces are sent
//   tracestate       what other systems have noted about its trace
//   userid, keyid, caller, node, requestid, commandid
//                    the rest of its metadata, each where it is known
//   withheld         fields that the contract marks as secret or personal, and that the data therefore lacks; `*`: there is no
//                    data, since the owner cannot read the event. A reader within the house reads such an event from the log.
//
// A carrier may add attributes of its own (its place in the log). Nothing else is needed to make the event again.
import { eventIdOf, PersonalFields, type PersonalField } from "../kernel/index.ts";
import { jsonWithoutSecrets, type EventMetadata } from "../contract/index.ts";
import type { LogEvent } from "./log/source.ts";

/** Context attributes by name, and the data. */
export interface CloudEvent {
  /** Lower-case letters and digits in the names, as the specification has it. */
  readonly attributes: Readonly<Record<string, string>>;
  /** JSON text; undefined when the owner cannot read the event. */
  readonly data: string | undefined;
}

/** The owner of the events, as its service announces itself: name, and metadata. */
export interface EventOwner {
  /** `NAMESPACE`; may be empty. */
  readonly namespace: string;
  /** Name of the service, with its version if it has one: `v2.loans`. */
  readonly service: string;
  /** Current version of each type: `metadata.events`. */
  readonly versions: Readonly<Record<string, unknown>>;
  /** Fields that its contract marks: names of the secret ones, `metadata.secrets`, and the personal ones, `metadata.personal`. */
  readonly secrets?: readonly string[];
  readonly personal?: readonly PersonalField[];
}

/** A message that was read, as the event that it tells of. */
export interface ReadEvent {
  /** `data` is empty where it did not leave; see `withheld`. */
  readonly event: LogEvent;
  readonly source: string;
  /** The version of the schema that the data has. */
  readonly schemaVersion: number;
  /** Names of fields that the data lacks; `["*"]` for all of it. A reader of the house takes the event from the log. */
  readonly withheld: readonly string[];
  /** Attributes that are not of the event: those that a carrier added. */
  readonly extensions: Readonly<Record<string, string>>;
}

const ALL = "*";
const TYPE = /^(?<type>.+)\.v(?<schemaVersion>\d+)$/;
const ID = /^(?<actor>[^.]+)\.(?<stream>.+)@(?<version>\d+)$/;

/** Attributes of the metadata, by its field. */
const METADATA: Readonly<Record<keyof EventMetadata, string>> = {
  user: "userid",
  key: "keyid",
  caller: "caller",
  node: "node",
  requestId: "requestid",
  commandId: "commandid",
  traceparent: "traceparent",
  tracestate: "tracestate",
};
const OWN: ReadonlySet<string> = new Set([
  "specversion",
  "id",
  "source",
  "type",
  "subject",
  "partitionkey",
  "time",
  "datacontenttype",
  "withheld",
  ...Object.values(METADATA),
]);

/** The source of an owner's events. */
export const sourceOf = ({ namespace, service }: Pick<EventOwner, "namespace" | "service">): string =>
  [namespace, service]
    .filter(Boolean)
    .map(part => `/${encodeURIComponent(part)}`)
    .join("");

/** The type of an event outside: `loan.made.v1`. */
export const cloudType = (type: string, schemaVersion: number): string => `${type}.v${schemaVersion}`;

/** Makes CloudEvents of an owner's events. `extensions` are attributes of the carrier. */
export function cloudEvents(owner: EventOwner): (event: LogEvent, extensions?: CloudEvent["attributes"]) => CloudEvent {
  const secrets: ReadonlySet<string> = new Set(owner.secrets);
  const personal = new PersonalFields();
  personal.add(owner.personal ?? []);
  const source = sourceOf(owner);
  return (event, extensions = {}) => {
    const { json, withheld } =
      event.broken === undefined
        ? jsonWithoutSecrets(event.data, secrets, personal)
        : { json: undefined, withheld: [ALL] as const };
    const subject = `${event.actor}.${event.stream}`;
    return {
      attributes: {
        specversion: "1.0",
        id: eventIdOf(subject, event.version),
        source,
        type: cloudType(event.type, Number(owner.versions[event.type] ?? 1)),
        subject,
        partitionkey: subject,
        time: event.at,
        ...(json !== undefined && { datacontenttype: JSON_TYPE }),
        ...(withheld.length > 0 && { withheld: withheld.join(",") }),
        ...metadataAttributes(event.metadata),
        ...extensions,
      },
      data: json,
    };
  };
}

const JSON_TYPE = "application/json";

function metadataAttributes(metadata: EventMetadata): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [field, name] of METADATA_ENTRIES) {
    const value = metadata[field];
    if (value !== undefined) attributes[name] = value;
  }
  return attributes;
}
const METADATA_ENTRIES = Object.entries(METADATA) as [keyof EventMetadata, string][];

/** The event of a message; undefined for one that is no event of this runtime, whoever sent it. */
export function readCloudEvent({ attributes, data }: CloudEvent): ReadEvent | undefined {
  const { id = "", type = "", source = "", time = "", withheld = "" } = attributes;
  const place = ID.exec(id)?.groups as { actor: string; stream: string; version: string } | undefined;
  const shape = TYPE.exec(type)?.groups as { type: string; schemaVersion: string } | undefined;
  const value = data === undefined ? {} : objectIn(data);
  if (attributes["specversion"] !== "1.0" || !place || !shape || !value || source === "" || time === "")
    return undefined;
  const metadata = METADATA_ENTRIES.flatMap(([field, name]) =>
    attributes[name] === undefined ? [] : [[field, attributes[name]]],
  );
  return {
    event: {
      eventId: id,
      type: shape.type,
      actor: place.actor,
      stream: place.stream,
      version: Number(place.version),
      at: time,
      data: value,
      metadata: Object.fromEntries(metadata),
    } as unknown as LogEvent,
    source,
    schemaVersion: Number(shape.schemaVersion),
    withheld: withheld === "" ? [] : withheld.split(","),
    extensions: Object.fromEntries(Object.entries(attributes).filter(([name]) => !OWN.has(name))),
  };
}

function objectIn(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

// ---- binary mode: attributes as headers, the content type under the protocol's own name

/** Headers of a Kafka record: `ce_id`. Values are UTF-8. */
export const kafkaHeaders = ({ attributes }: CloudEvent): Record<string, string> =>
  headersOf(attributes, "ce_", value => value);

/** The CloudEvent of a Kafka record. Headers that are no attributes are passed over. */
export const fromKafka = (headers: Headers, data: string | undefined): CloudEvent =>
  fromHeaders(headers, "ce_", value => value, data);

/** Header fields of an HTTP request: `ce-id`. Characters beyond printable ASCII are percent-encoded. */
export const httpHeaders = ({ attributes }: CloudEvent): Record<string, string> =>
  headersOf(attributes, "ce-", percentEncoded);

/** The CloudEvent of an HTTP request, its field names in lower case. */
export const fromHttp = (headers: Headers, data: string | undefined): CloudEvent =>
  fromHeaders(headers, "ce-", percentDecoded, data);

type Headers = Readonly<Record<string, string>>;
const CONTENT_TYPE = "content-type";

function headersOf(
  { datacontenttype, ...attributes }: CloudEvent["attributes"],
  prefix: string,
  encode: (value: string) => string,
): Record<string, string> {
  const headers: Record<string, string> = {};
  if (datacontenttype !== undefined) headers[CONTENT_TYPE] = datacontenttype;
  for (const [name, value] of Object.entries(attributes)) headers[prefix + name] = encode(value);
  return headers;
}

function fromHeaders(
  headers: Headers,
  prefix: string,
  decode: (value: string) => string,
  data: string | undefined,
): CloudEvent {
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (name === CONTENT_TYPE) attributes["datacontenttype"] = value;
    else if (name.startsWith(prefix)) attributes[name.slice(prefix.length)] = decode(value);
  return { attributes, data };
}

/** Blank, quote and percent sign are encoded too (HTTP Protocol Binding for CloudEvents, 3.1.3.2). */
const percentEncoded = (value: string): string => value.toWellFormed().replaceAll(/[^!#$&-~]/gu, encodeURIComponent);

/** A sign that begins no code stands for itself. */
function percentDecoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
