// The identity of this node, and the nodes that it has met. It writes packets that others can believe and reads those of
// others: each comes from one run of one node of one role, is for us or for all, arrives once, and is as it was sent. See
// `certificate.ts` for who a node is, and `envelope.ts` for the bytes.
//
// A client with only the credentials of the NATS server can therefore neither read nor write a call, an answer or an event,
// and cannot announce a node. They can read descriptions of nodes, and can disturb: send rubbish, which is dropped and
// counted. Whoever has the key of a role as well is a node of that role, and no more.
import {
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  hkdfSync,
  type KeyObject,
} from "node:crypto";
import type { ClusterKeys, Role } from "../../kernel/index.ts";
import { mintCertificate, readCertificate, type Certified } from "./certificate.ts";
import {
  envelopeOf,
  FINGERPRINT_BYTES,
  readSigned,
  seal,
  signPacket,
  unseal,
  type Sealed,
  type Signed,
} from "./envelope.ts";
import { IDENTITY_LIMITS as limits } from "./limits.ts";
import { ReplayWindow } from "./replay-window.ts";

/** Packets that carry what people and services say: they are never sent or taken unsealed. */
const CONFIDENTIAL: ReadonlySet<string> = new Set(["REQ", "RES", "EVENT"]);

/** The reason for which a packet was dropped. */
export type Refusal =
  /** Bytes of a node without keys, or rubbish. */
  | "unsigned"
  /** A call, an answer or an event that is not sealed. */
  | "unsealed"
  /** From a run that we have not met, or of a certificate that is not good. */
  | "stranger"
  /** From an earlier run of the node. */
  | "stale"
  /** Not what the sender has sent, or not for us. */
  | "forged"
  /** It has arrived before. */
  | "replayed";
export type Read = { readonly from: Certified; readonly text: Buffer } | { readonly refused: Refusal } | "own";

interface Peer extends Certified {
  readonly fingerprint: string;
  readonly sendKey: KeyObject;
  readonly receiveKey: KeyObject;
  /** Windows of sealed and of signed packets: two kinds of keys, two rows of numbers. */
  readonly sealed: ReplayWindow;
  readonly signed: ReplayWindow;
  /** Whether it has sent us a sealed packet, for which it needs our certificate. */
  knowsUs: boolean;
  /** The certificate that we have checked last. */
  certificate: string | undefined;
}

interface Options {
  readonly keys: ClusterKeys;
  /** The prefix of the bus's subjects. */
  readonly cluster: string;
  readonly nodeId: string;
  readonly instance: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export class NodeIdentity {
  readonly role: Role;
  readonly #options: Required<Options>;
  readonly #key: KeyObject;
  readonly #publicKey: string;
  readonly #fingerprint: Buffer;
  readonly #bornAt: number;
  #certificate: { readonly text: string; readonly at: number } | undefined;
  /** One row of numbers for all receivers: a peer that was forgotten and met again has the same key as before. */
  #number = 0;
  readonly #byFingerprint = new Map<string, Peer>();
  readonly #byCertificate = new Map<string, Peer>();
  /** The present run of each node. */
  readonly #byNode = new Map<string, Peer>();

  constructor(options: Options) {
    this.#options = { now: Date.now, ...options };
    this.role = options.keys.own;
    const { publicKey, privateKey } = generateKeyPairSync("x25519");
    this.#key = privateKey;
    this.#publicKey = publicKey.export({ format: "jwk" }).x!;
    this.#fingerprint = fingerprintOf(this.#publicKey);
    this.#bornAt = this.#options.now();
  }

  /**
   * A packet as it goes over the bus; `target` is the node that it is for, null for all. Undefined for what must be sealed
   * for a node that we have not met.
   */
  write(text: Buffer, type: string, target: string | null): Buffer | undefined {
    const peer = target === null ? undefined : this.#byNode.get(target);
    const number = ++this.#number;
    if (peer) {
      const certificate = peer.knowsUs ? undefined : this.#certified();
      return seal(text, { type, fingerprint: this.#fingerprint, number, certificate, key: peer.sendKey });
    }
    if (CONFIDENTIAL.has(type)) return undefined;
    const key = this.#options.keys.privateKey;
    return signPacket(text, { type, target, number, certificate: this.#certified(), key });
  }

  /** A packet of the bus, if it can be believed. */
  read(data: Buffer, type: string): Read {
    const envelope = envelopeOf(data, type);
    if (!envelope) return { refused: "unsigned" };
    return envelope.form === "sealed" ? this.#readSealed(data, envelope) : this.#readSigned(data, envelope, type);
  }

  #readSealed(data: Buffer, envelope: Sealed): Read {
    const { fingerprint, certificate, number } = envelope;
    const known = this.#byFingerprint.get(fingerprint);
    const peer = known ?? (certificate === undefined ? undefined : this.#introduced(certificate));
    if (peer?.fingerprint !== fingerprint) return { refused: "stranger" };
    const text = unseal(data, envelope, peer.receiveKey);
    if (text === undefined) return { refused: "forged" };
    if (!this.#adopt(peer)) return { refused: "stale" };
    if (!peer.sealed.take(number)) return { refused: "replayed" };
    peer.knowsUs = true;
    return { from: peer, text };
  }

  #readSigned(data: Buffer, envelope: Signed, type: string): Read {
    const { certificate, number } = envelope;
    if (CONFIDENTIAL.has(type)) return { refused: "unsealed" };
    if (certificate === this.#certificate?.text) return "own";
    const peer = this.#byCertificate.get(certificate) ?? this.#introduced(certificate);
    if (!peer) return { refused: "stranger" };
    if (peer.key === this.#publicKey) return "own";
    const text = readSigned(data, envelope, { own: this.#options.nodeId, key: peer.role.publicKey });
    if (text === undefined) return { refused: "forged" };
    if (!this.#adopt(peer, certificate)) return { refused: "stale" };
    if (!peer.signed.take(number)) return { refused: "replayed" };
    return { from: peer, text };
  }

  /** The run that a certificate speaks of: one that we know, or a new one that we have not adopted yet. */
  #introduced(certificate: string): Peer | undefined {
    const { keys, cluster, now } = this.#options;
    const certified = readCertificate(certificate, keys, cluster, now());
    if (!certified) return undefined;
    const fingerprint = fingerprintOf(certified.key).toString("latin1");
    const known = this.#byFingerprint.get(fingerprint);
    if (known) return known.nodeId === certified.nodeId && known.role === certified.role ? known : undefined;
    const secret = this.#agreeWith(certified.key);
    if (!secret) return undefined;
    const keyTo = (from: string, to: string): KeyObject =>
      createSecretKey(Buffer.from(hkdfSync("sha256", secret, "", `valence bus ${cluster} ${from} to ${to}`, 32)));
    return {
      ...certified,
      fingerprint,
      sendKey: keyTo(this.#publicKey, certified.key),
      receiveKey: keyTo(certified.key, this.#publicKey),
      sealed: new ReplayWindow(),
      signed: new ReplayWindow(),
      knowsUs: false,
      certificate: undefined,
    };
  }

  #agreeWith(key: string): Buffer | undefined {
    try {
      const publicKey = createPublicKey({ key: { kty: "OKP", crv: "X25519", x: key }, format: "jwk" });
      return diffieHellman({ privateKey: this.#key, publicKey });
    } catch {
      return undefined;
    }
  }

  /** Remembers a run that has proven itself. False for an earlier run than the one that we know under its id. */
  #adopt(peer: Peer, certificate?: string): boolean {
    // Moleculer ends a node that hears of another run under its own id: an earlier one must not do that.
    if (peer.nodeId === this.#options.nodeId && peer.bornAt <= this.#bornAt) return false;
    const current = this.#byNode.get(peer.nodeId);
    if (current !== peer) {
      if (current && current.bornAt > peer.bornAt) return false;
      if (current) this.#forget(current);
      this.#byNode.set(peer.nodeId, peer);
      this.#byFingerprint.set(peer.fingerprint, peer);
      if (this.#byNode.size > limits.peersMax) this.#forget(this.#byNode.values().next().value!);
    }
    if (certificate !== undefined && certificate !== peer.certificate) {
      if (peer.certificate !== undefined) this.#byCertificate.delete(peer.certificate);
      peer.certificate = certificate;
      this.#byCertificate.set(certificate, peer);
    }
    return true;
  }

  #forget(peer: Peer): void {
    this.#byNode.delete(peer.nodeId);
    this.#byFingerprint.delete(peer.fingerprint);
    if (peer.certificate !== undefined) this.#byCertificate.delete(peer.certificate);
  }

  #certified(): string {
    const { keys, cluster, nodeId, instance, now } = this.#options;
    const at = now();
    // A clock that was set back makes a new one as well.
    if (!this.#certificate || Math.abs(at - this.#certificate.at) >= limits.certificateAgeMs) {
      const run = { nodeId, instance, key: this.#publicKey, bornAt: this.#bornAt };
      this.#certificate = { text: mintCertificate(keys, cluster, run, at), at };
    }
    return this.#certificate.text;
  }
}

const fingerprintOf = (key: string): Buffer => hash("sha256", key, "buffer").subarray(0, FINGERPRINT_BYTES);
