// A message as it waits in the dead-letter table, and travels through the retries: whole, with its headers and its place.
import type { LogEvent } from "../log/source.ts";
import { idFrom } from "../../kernel/index.ts";

/** A message as a bus gives it. */
export interface Incoming {
  readonly partition: number;
  /** The place of the message in its partition. */
  readonly place: bigint;
  /** Tells the topic or stream from another one of its name. */
  readonly origin: string;
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Buffer;
  readonly atMs: number;
}

/**
 * `json` is the value itself; `deep` the text of one with too many levels; `cut` the beginning of one that was too large; `none`
 * is a message without a value.
 */
type Encoding = "json" | "deep" | "text" | "base64" | "cut" | "none";
export interface KeptMessage {
  readonly partition: number;
  readonly place: string;
  readonly origin: string;
  readonly key?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly atMs: number;
  /** Bytes of the payload. */
  readonly bytes: number;
  readonly encoding: Encoding;
  readonly payload: unknown;
  /** Raised when an operator tries a refused message again, which would get the recorded refusal for ever. From 1 on. */
  readonly attempt: number;
}

/** Bytes that are kept of a payload that is too large, and characters of its key. */
const CUT_BYTES = 1_024;
/** Levels of a payload. JSON.parse takes any number; whatever writes the value again fails at some thousands. */
export const LEVELS_MAX = 100;

export function keptOf(message: Incoming, maxBytes: number): KeptMessage {
  const { partition, place, origin, key, headers, payload, atMs } = message;
  const isCut = sizeOf(message) > maxBytes;
  return {
    partition,
    place: `${place}`,
    origin,
    ...(key !== undefined && { key: isCut ? key.slice(0, CUT_BYTES) : key }),
    headers: isCut ? {} : headers,
    atMs,
    bytes: payload.byteLength,
    ...(isCut ? { encoding: "cut", payload: payload.subarray(0, CUT_BYTES).toString() } : encoded(payload)),
    attempt: 1,
  };
}

/** Bytes of payload, key and headers. */
export function sizeOf({ payload, key = "", headers }: Incoming): number {
  const texts = Object.entries(headers).flat();
  return payload.byteLength + [key, ...texts].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

function encoded(payload: Buffer): Pick<KeptMessage, "encoding" | "payload"> {
  if (payload.byteLength === 0) return { encoding: "none", payload: "" };
  let text: string;
  try {
    text = UTF8.decode(payload);
  } catch {
    return { encoding: "base64", payload: payload.toString("base64") };
  }
  try {
    const value: unknown = JSON.parse(text);
    return hasMoreLevels(value, LEVELS_MAX)
      ? { encoding: "deep", payload: text }
      : { encoding: "json", payload: value };
  } catch {
    return { encoding: "text", payload: text };
  }
}
const hasMoreLevels = (value: unknown, levels: number): boolean =>
  typeof value === "object" &&
  value !== null &&
  (levels === 0 || Object.values(value).some(part => hasMoreLevels(part, levels - 1)));
const UTF8 = new TextDecoder("utf-8", { fatal: true });

// ---- as an event of a stream, which handling and retrying know

/** Begins the names of streams that hold one message: one without a key, or one that is set aside from its key. */
const ALONE = "@";
export const isAlone = ({ stream }: Pick<LogEvent, "stream">): boolean => stream.startsWith(ALONE);

/** The stream of a message that nothing waits for. */
export const streamAlone = ({ partition, place }: Pick<KeptMessage, "partition" | "place">): string =>
  `${ALONE}${partition}/${place}`;

/** The stream of a key in a partition. */
export const streamOfKey = (partition: number, key: string): string =>
  `${partition}:${NAMEABLE.test(key) ? key : `#${idFrom(key)}`}`;
/** Text that a database can have in an index and an operator can read. */
const NAMEABLE = /^[^\p{C}#][^\p{C}]{0,199}$/u;

/** The partition of a stream, `<ingress>.<stream>`. */
export const partitionOfStream = (name: string): number => Number(/\.@?(\d+)[:/]/.exec(name)?.[1] ?? 0);

/** Begins the names of those streams of an ingress. */
export const aloneIn = (ingress: string): string => `${ingress}.${ALONE}`;

/** The message as an event; `version` counts within the stream. */
export function envelopeOf(
  ingress: string,
  message: KeptMessage,
  {
    stream,
    version,
    type,
    traceparent,
  }: { stream: string; version: number; type: string; traceparent?: string | undefined },
): LogEvent {
  return {
    eventId: `${ingress}/${message.partition}@${message.place}`,
    actor: ingress,
    stream,
    version,
    type,
    at: new Date(message.atMs).toISOString(),
    data: message,
    metadata: { ...(traceparent !== undefined && { traceparent }) },
  } as unknown as LogEvent;
}
export const withMessage = (event: LogEvent, message: KeptMessage): LogEvent =>
  Object.assign({ ...event }, { data: message });
export const messageIn = (event: LogEvent): KeptMessage => event.data as unknown as KeptMessage;
