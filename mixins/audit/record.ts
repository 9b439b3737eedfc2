// A record of the audit: one event, with who caused it, when and from which request. A record holds the hash of the one before
// it in its partition, so that none can be changed, removed, inserted or moved without changing all that follow. Pure.
import { hash } from "node:crypto";
import { canonicalJson, fnv1a, type PersonalFields } from "../kernel/index.ts";
import { withoutSecrets, type EventMetadata, type Recorded } from "../contract/index.ts";

export interface AuditRecord {
  readonly partition: number;
  /** Number in its partition: 1, 2, 3, … */
  readonly seq: number;
  /** Hash of the record before it; of the first one `GENESIS`. */
  readonly previous: string;
  /** RFC 3339, the clock of the event's own database. */
  readonly at: string;
  readonly type: string;
  /** The stream of the event: `loan.42`. */
  readonly subject: string;
  readonly version: number;
  /** Id of the user who asked, or on whose behalf a service did; absent where nobody asked. */
  readonly person?: string;
  /** Id of the API key, where the person came in with one. */
  readonly key?: string;
  /** The service that called on the person's behalf. */
  readonly caller?: string;
  /** The node that decided. */
  readonly node?: string;
  readonly requestId?: string;
  /** W3C `traceparent` of the call. */
  readonly trace?: string;
  readonly commandId?: string;
  /** The event's data, `…` for fields that a contract marks as secret or personal. */
  readonly data: unknown;
}
export type Entry = Omit<AuditRecord, "partition" | "seq" | "previous">;

/** `previous` of the first record of a partition. */
export const GENESIS = "";

/** The actor's type: `loan` of `loan.42`. */
export const actorOf = (subject: string): string => subject.split(".", 1)[0]!;

/** The partition of a subject: all records of one subject are in one, in their order. */
export const partitionOf = (subject: string, partitions: number): number => (fnv1a(subject) >>> 0) % partitions;

/** Fields that do not enter the audit: nobody could take them out again. */
export interface Unrecorded {
  /** Names of fields that no person may see. */
  readonly secrets: ReadonlySet<string>;
  readonly personal: PersonalFields;
}

/** The record's part that says what happened. */
export function entryOf(event: Recorded, { secrets, personal }: Unrecorded): Entry {
  const { type, at, version, actor, stream, data } = event;
  const { user, key, caller, node, requestId, commandId, traceparent } = event.metadata as EventMetadata & {
    readonly traceparent?: string;
  };
  return {
    at,
    type,
    subject: `${actor}.${stream}`,
    version,
    ...(user !== undefined && { person: user }),
    ...(key !== undefined && { key }),
    ...(caller !== undefined && { caller }),
    ...(node !== undefined && { node }),
    ...(requestId !== undefined && { requestId }),
    ...(traceparent !== undefined && { trace: traceparent }),
    ...(commandId !== undefined && { commandId }),
    data: withoutSecrets(data, secrets, personal),
  };
}

/** A record as it is stored: canonical JSON (RFC 8785), and the SHA-256 of that (base64url, 43 characters). */
export interface Sealed {
  readonly text: string;
  readonly hash: string;
}
/** The object that a text is the JSON of; undefined when it is none. */
export function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
/** The record that a text says; undefined when it says none: it was edited. */
export function readRecord(text: string): AuditRecord | undefined {
  const value = objectIn(text) as Partial<Record<keyof AuditRecord, unknown>> | undefined;
  const isRight =
    value !== undefined &&
    [value.partition, value.seq, value.version].every(Number.isSafeInteger) &&
    [value.previous, value.at, value.type, value.subject].every(part => typeof part === "string");
  return isRight ? (value as unknown as AuditRecord) : undefined;
}

export const hashOf = (text: string): string => hash("sha256", text, "base64url");
export function seal(record: AuditRecord): Sealed {
  const text = canonicalJson(record);
  return { text, hash: hashOf(text) };
}
