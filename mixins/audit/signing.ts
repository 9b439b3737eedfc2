// Signatures of the audit (Ed25519), and the statements that are signed: the head of a partition after each commit, and
// checkpoints, which say where every partition stood. Pure.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import { canonicalJson } from "../kernel/index.ts";
import { auditErrors } from "./errors.ts";
import { hashOf, objectIn } from "./record.ts";

/** Where a partition stands: the number and hash of its newest record. */
export interface Head {
  readonly partition: number;
  readonly seq: number;
  readonly hash: string;
}

export interface Checkpoint {
  /** 1, 2, 3, … */
  readonly number: number;
  /** RFC 3339, the clock of the audit's database. */
  readonly at: string;
  /** Hash of the checkpoint before it; "" in the first. */
  readonly previous: string;
  readonly heads: readonly Head[];
  /** The checkpoint up to which records have been removed by retention; 0: none. */
  readonly removedUpTo: number;
  /** Ids of the keys that have signed so far, this one's included. */
  readonly keys: readonly string[];
  /** Id of the key that signs it. */
  readonly key: string;
}
export interface SignedCheckpoint {
  /** Canonical JSON of the checkpoint. */
  readonly text: string;
  readonly signature: string;
}

/** Undefined when the text says none: it was edited. */
export function readCheckpoint({ text }: SignedCheckpoint): Checkpoint | undefined {
  const value = objectIn(text) as Partial<Record<keyof Checkpoint, unknown>> | undefined;
  const isRight =
    value !== undefined &&
    [value.number, value.removedUpTo].every(Number.isSafeInteger) &&
    [value.at, value.previous, value.key].every(isText) &&
    Array.isArray(value.keys) &&
    value.keys.every(isText) &&
    Array.isArray(value.heads) &&
    value.heads.every(isHead);
  return isRight ? (value as unknown as Checkpoint) : undefined;
}
/** @throws Bug `AUDIT_BROKEN` when the text says none */
export function checkpointIn(signed: SignedCheckpoint): Checkpoint {
  const checkpoint = readCheckpoint(signed);
  if (!checkpoint) throw auditErrors.AUDIT_BROKEN({ reason: "a checkpoint cannot be read" });
  return checkpoint;
}
export function isHead(value: unknown): value is Head {
  const { partition, seq, hash: ofRecord } = (value ?? {}) as Partial<Record<keyof Head, unknown>>;
  return Number.isSafeInteger(partition) && Number.isSafeInteger(seq) && isText(ofRecord);
}
const isText = (value: unknown): value is string => typeof value === "string";
export const checkpointHash = ({ text }: SignedCheckpoint): string => hashOf(text);

/** A signing key, and its public half in PEM (SPKI). */
export class SigningKey {
  readonly id: string;
  readonly publicPem: string;
  readonly #key: KeyObject;

  /** Throws when the text is no Ed25519 private key in PEM (PKCS #8). */
  constructor(pem: string) {
    this.#key = createPrivateKey(pem);
    if (this.#key.asymmetricKeyType !== "ed25519") throw new TypeError("it is no Ed25519 key");
    this.publicPem = createPublicKey(this.#key).export({ type: "spki", format: "pem" }).toString();
    this.id = keyIdOf(this.publicPem);
  }

  /** A new private key in PEM. */
  static make(): string {
    return generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  }

  /** `<key id>.<signature>`. */
  signHead(head: Head): string {
    return `${this.id}.${this.#sign(headText(head))}`;
  }
  signCheckpoint(checkpoint: Omit<Checkpoint, "key">): SignedCheckpoint {
    const text = canonicalJson({ ...checkpoint, key: this.id });
    return { text, signature: this.#sign(text) };
  }
  #sign(text: string): string {
    return sign(null, Buffer.from(text), this.#key).toString("base64url");
  }
}

/** Id of a public key in PEM: the beginning of its SHA-256 (base64url, 16 characters). Throws when it is no key. */
export const keyIdOf = (publicPem: string): string =>
  hash("sha256", createPublicKey(publicPem).export({ type: "spki", format: "der" }), "base64url").slice(0, 16);

/** Public keys by id, which check signatures. */
export class PublicKeys {
  readonly #keys = new Map<string, KeyObject>();

  /** Adds a key in PEM and answers its id. Throws when it is no key. */
  add(publicPem: string): string {
    const id = keyIdOf(publicPem);
    this.#keys.set(id, createPublicKey(publicPem));
    return id;
  }
  /** Id of the key that signed the head, or undefined when the signature is not right. */
  signerOf(head: Head, signature: string): string | undefined {
    const [id = "", text = ""] = signature.split(".");
    return this.#isRight(id, headText(head), text) ? id : undefined;
  }
  isSigned({ text, signature }: SignedCheckpoint, id: string): boolean {
    return this.#isRight(id, text, signature);
  }
  #isRight(id: string, text: string, signature: string): boolean {
    const key = this.#keys.get(id);
    return key !== undefined && verify(null, Buffer.from(text), key, Buffer.from(signature, "base64url"));
  }
}

const headText = ({ partition, seq, hash: ofRecord }: Head): string => `audit head\n${partition}\n${seq}\n${ofRecord}`;
