// Ids. Entities get UUIDv7 (RFC 9562: time-ordered, so index pages fill in order); ids that must come out the same on
// every retry are derived by UUIDv5 or spelled out as a command id.
import { hash, randomFillSync } from "node:crypto";
import { v7 } from "uuid";

/** Our own UUIDv5 namespace, 5b0f6d52-6f0d-5d0f-9a57-1c4b3f7e2a10. Never changes: ids of actors are derived from it. */
const NAMESPACE = Buffer.from("5b0f6d526f0d5d0f9a571c4b3f7e2a10", "hex");

declare const brand: unique symbol;
/** Identity of one command, for the life of its stream. Its origin is its prefix, which only the runtime writes. */
export type CommandId = string & { readonly [brand]: "CommandId" };

/** Random bytes ahead of their use: asked for one id at a time they cost four times the id. */
const POOL = new Uint8Array(16_384);
const BYTES_OF_ID = 16;
let used = POOL.length;
/** The time and counter of the last id: those of one process grow, also within a millisecond. */
let msecs = 0;
let seq = 0;

/** A UUIDv7. */
export function newId(): string {
  if (used === POOL.length) {
    randomFillSync(POOL);
    used = 0;
  }
  const random = POOL.subarray(used, (used += BYTES_OF_ID));
  const now = Date.now();
  if (now > msecs) {
    msecs = now;
    // The upper half of the counter's range is left to count into.
    seq = new DataView(random.buffer, random.byteOffset).getUint32(0) >>> 1;
  } else seq += 1;
  return v7({ random, msecs, seq });
}

/**
 * The same parts give the same UUID (v5, RFC 9562), on any node and after any loss. Parts are length-prefixed. By Node's
 * own hash in one call: the package's v5 takes four times as long, and the ids of new actors are made this way.
 */
export function idFrom(...parts: readonly string[]): string {
  const name = Buffer.from(parts.map(part => `${part.length}:${part}`).join(""));
  const hex = hash("sha1", Buffer.concat([NAMESPACE, name]), "hex");
  const variant = ((Number.parseInt(hex[16]!, 16) & 0b0011) | 0b1000).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Made by the runtime for a caller that gave none: its answer is still recorded, but no one else can repeat it. */
export const autoCommandId = (): CommandId => `auto:${newId()}` as CommandId;
export const isAutoCommandId = (id: string): boolean => id.startsWith("auto:");
/** A client's Idempotency-Key, scoped to the user. */
export const clientCommandId = (user: string, key: string): CommandId => `client:${user}:${key}` as CommandId;
export const isClientCommandId = (id: string): boolean => id.startsWith("client:");
/** A saga's step: `saga:<id>/<step>/<attempt>[/<item>]`, compensations end in `/undo`. */
export const sagaCommandId = (
  saga: string,
  step: string,
  attempt: number,
  options: { item?: number; undo?: boolean } = {},
): CommandId =>
  `saga:${saga}/${step}/${attempt}${options.item === undefined ? "" : `/${options.item}`}${options.undo ? "/undo" : ""}` as CommandId;
/** The n-th call that a reactor makes for an event. */
export const eventCommandId = (eventId: string, reactor: string, n: number): CommandId =>
  `event:${eventId}/${reactor}/${n}` as CommandId;
/** The n-th call that an ingress makes for a message from outside. `identity` is derived from the message; see `attempt` there. */
export const messageCommandId = (ingress: string, identity: string, attempt: number, n: number): CommandId =>
  `message:${ingress}/${identity}/${attempt}/${n}` as CommandId;
/** The firing of a durable timer. */
export const timerCommandId = (timer: string): CommandId => `timer:${timer}` as CommandId;

/** Identity of an event is (stream, version). */
export const eventIdOf = (stream: string, version: number): string => `${stream}@${version}`;
