// The two forms in which packets pass the bus where nodes have keys. `type` is Moleculer's: REQ, RES, EVENT, INFO, …
//
//   sealed  to one node that we know: encrypted and authenticated by AES-256-GCM (NIST SP 800-38D) with a key that only the
//           two runs have. 4 µs a packet on each side.
//             1 · flags · type · sender's fingerprint (8) · number (8) · [length (2) · certificate] · tag (16) · ciphertext
//   signed  to all, or to a node that we do not know yet: Ed25519. 36 µs to sign, 106 µs to verify; a few a second.
//             2 · flags · type · number (8) · length (2) · certificate · signature (64) · text
//
// A sealed packet carries the sender's certificate until the receiver has shown, by a sealed packet of its own, that it
// knows the sender: a node may call another one before its own description has arrived there.
//
// Numbers rise with each packet of a sender and key, and serve as GCM's nonce. Both keys die with the run, so that a nonce
// is never used twice. Whatever stands outside of the ciphertext is authenticated with it.
import { createCipheriv, createDecipheriv, sign, verify, type KeyObject } from "node:crypto";

const SEALED = 1;
const SIGNED = 2;
const WITH_CERTIFICATE = 1;
const FOR_ONE = 2;
const NUMBER_BYTES = 8;
const TAG_BYTES = 16;
const SIGNATURE_BYTES = 64;
export const FINGERPRINT_BYTES = 8;
const START = 3;
const SEALED_HEAD = START + FINGERPRINT_BYTES + NUMBER_BYTES;
const SIGNED_HEAD = START + NUMBER_BYTES + 2;

/** A packet as it arrived, before anything of it is believed. */
export type Envelope =
  | {
      readonly form: "sealed";
      readonly fingerprint: string;
      readonly number: number;
      readonly certificate: string | undefined;
      /** Length of all that precedes the tag. */
      readonly head: number;
    }
  | {
      readonly form: "signed";
      /** Whether it is for one node: then its name is signed too. */
      readonly isForOne: boolean;
      readonly number: number;
      readonly certificate: string;
      readonly head: number;
    };
export type Sealed = Extract<Envelope, { form: "sealed" }>;
export type Signed = Extract<Envelope, { form: "signed" }>;

/** Undefined for bytes that are none: a packet of a node without keys, or rubbish. */
export function envelopeOf(data: Buffer, type: string): Envelope | undefined {
  if (data.length < START || data[2] !== codeOf(type)) return undefined;
  const flags = data[1]!;
  const isCertified = (flags & WITH_CERTIFICATE) !== 0;
  if (data[0] === SEALED) {
    const certificateAt = SEALED_HEAD + 2;
    if (data.length < SEALED_HEAD + TAG_BYTES + (isCertified ? 2 : 0)) return undefined;
    const head = isCertified ? certificateAt + data.readUInt16BE(SEALED_HEAD) : SEALED_HEAD;
    if (data.length < head + TAG_BYTES) return undefined;
    return {
      form: "sealed",
      fingerprint: data.toString("latin1", START, START + FINGERPRINT_BYTES),
      number: numberAt(data, START + FINGERPRINT_BYTES),
      certificate: isCertified ? data.toString("latin1", certificateAt, head) : undefined,
      head,
    };
  }
  if (data[0] !== SIGNED || !isCertified || data.length < SIGNED_HEAD) return undefined;
  const head = SIGNED_HEAD + data.readUInt16BE(START + NUMBER_BYTES);
  if (data.length < head + SIGNATURE_BYTES) return undefined;
  return {
    form: "signed",
    isForOne: (flags & FOR_ONE) !== 0,
    number: numberAt(data, START),
    certificate: data.toString("latin1", SIGNED_HEAD, head),
    head,
  };
}

interface Sealing {
  readonly type: string;
  readonly fingerprint: Buffer;
  readonly number: number;
  readonly certificate: string | undefined;
  readonly key: KeyObject;
}

export function seal(text: Buffer, { type, fingerprint, number, certificate, key }: Sealing): Buffer {
  const head = Buffer.allocUnsafe(SEALED_HEAD + (certificate === undefined ? 0 : 2 + certificate.length));
  head[0] = SEALED;
  head[1] = certificate === undefined ? 0 : WITH_CERTIFICATE;
  head[2] = codeOf(type);
  head.set(fingerprint, START);
  writeNumber(head, number, START + FINGERPRINT_BYTES);
  if (certificate !== undefined) {
    head.writeUInt16BE(certificate.length, SEALED_HEAD);
    head.write(certificate, SEALED_HEAD + 2, "latin1");
  }
  const cipher = createCipheriv("aes-256-gcm", key, nonceOf(number));
  cipher.setAAD(head);
  const ciphertext = cipher.update(text);
  cipher.final();
  return Buffer.concat([head, cipher.getAuthTag(), ciphertext]);
}

/** The text of a sealed packet; undefined when it was not sealed with this key. */
export function unseal(data: Buffer, { head, number }: Sealed, key: KeyObject): Buffer | undefined {
  const decipher = createDecipheriv("aes-256-gcm", key, nonceOf(number));
  decipher.setAAD(data.subarray(0, head));
  decipher.setAuthTag(data.subarray(head, head + TAG_BYTES));
  const text = decipher.update(data.subarray(head + TAG_BYTES));
  try {
    decipher.final();
    return text;
  } catch {
    return undefined;
  }
}

interface Signing {
  readonly type: string;
  /** The node that it is for; null for all. */
  readonly target: string | null;
  readonly number: number;
  readonly certificate: string;
  readonly key: KeyObject;
}

export function signPacket(text: Buffer, { type, target, number, certificate, key }: Signing): Buffer {
  const head = Buffer.allocUnsafe(SIGNED_HEAD + certificate.length);
  head[0] = SIGNED;
  head[1] = WITH_CERTIFICATE | (target === null ? 0 : FOR_ONE);
  head[2] = codeOf(type);
  writeNumber(head, number, START);
  head.writeUInt16BE(certificate.length, START + NUMBER_BYTES);
  head.write(certificate, SIGNED_HEAD, "latin1");
  return Buffer.concat([head, sign(null, signedBytes(target, head, text), key), text]);
}

/** The text of a signed packet; undefined when the key has not signed it, or has for another node than `own`. */
export function readSigned(
  data: Buffer,
  { head, isForOne }: Signed,
  { own, key }: { own: string; key: KeyObject },
): Buffer | undefined {
  const signature = data.subarray(head, head + SIGNATURE_BYTES);
  const text = data.subarray(head + SIGNATURE_BYTES);
  const signed = signedBytes(isForOne ? own : null, data.subarray(0, head), text);
  return verify(null, signed, key, signature) ? text : undefined;
}

const signedBytes = (target: string | null, head: Buffer, text: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`valence packet for ${target ?? "*"}\n`), head, text]);

/** Moleculer's types of packets, of which none may be taken for another. */
const TYPES = "? EVENT REQ RES DISCOVER INFO DISCONNECT HEARTBEAT PING PONG GOSSIP_REQ GOSSIP_RES GOSSIP_HELLO";
const CODES = new Map(TYPES.split(" ").map((type, code) => [type, code]));
const codeOf = (type: string): number => CODES.get(type) ?? 0;

/** One for all: a cipher copies it. */
const NONCE = Buffer.alloc(12);
function nonceOf(number: number): Buffer {
  writeNumber(NONCE, number, 4);
  return NONCE;
}

/** Numbers have 53 bits: a node that sends a million packets a second needs 285 years for them. */
function writeNumber(to: Buffer, number: number, at: number): void {
  to.writeUInt32BE(Math.floor(number / 2 ** 32), at);
  to.writeUInt32BE(number % 2 ** 32, at + 4);
}
const numberAt = (from: Buffer, at: number): number => from.readUInt32BE(at) * 2 ** 32 + from.readUInt32BE(at + 4);
