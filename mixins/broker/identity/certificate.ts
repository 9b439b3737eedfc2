// The identity of one run of a node, as a signed text that others can check: a JWS (RFC 7515) by the Ed25519 key of the
// node's role (RFC 8037). It binds the role's name to the node id, to the run (`instance`), and to the X25519 public key
// that the run has made for itself; with that key two nodes agree on the keys of their packets.
//
// It is short-lived, since it introduces a node to strangers: a copy of it is worth nothing without the run's private key.
import { sign, verify, type KeyObject } from "node:crypto";
import { mayBeCalled, type ClusterKeys, type Role } from "../../kernel/index.ts";
import { IDENTITY_LIMITS as limits } from "./limits.ts";

/** The description of one run of a node. */
export interface Run {
  readonly nodeId: string;
  readonly instance: string;
  /** Raw X25519 public key, base64url. */
  readonly key: string;
  /** Milliseconds since the epoch at its start: of two runs under one id the later one is there. */
  readonly bornAt: number;
}
export interface Certified extends Run {
  readonly role: Role;
}

interface Claims {
  readonly iss: string;
  readonly sub: string;
  /** The prefix of the bus's subjects: a certificate of one cluster says nothing in another. */
  readonly aud: string;
  readonly jti: string;
  readonly key: string;
  readonly born: number;
  readonly iat: number;
  readonly exp: number;
}

const TYPE = "node+jwt";
const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

export function mintCertificate(
  { own, privateKey }: ClusterKeys,
  cluster: string,
  { nodeId, instance, key, bornAt }: Run,
  now: number,
): string {
  const claims: Claims = {
    iss: own.name,
    sub: nodeId,
    aud: cluster,
    jti: instance,
    key,
    born: bornAt,
    iat: now,
    exp: now + limits.certificateLifeMs,
  };
  const signed = `${encoded({ alg: "EdDSA", typ: TYPE, kid: own.name })}.${encoded(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString("base64url")}`;
}

/** The run that a certificate speaks of; undefined when it is forged, of another cluster, too old, or of a strange role. */
export function readCertificate(
  text: string,
  { roles }: Pick<ClusterKeys, "roles">,
  cluster: string,
  now: number,
): Certified | undefined {
  const [head = "", body = "", signature = "", ...more] = text.split(".");
  if (more.length > 0 || text.length > limits.certificateBytesMax) return undefined;
  const header = decoded(head) as { alg?: unknown; typ?: unknown; kid?: unknown } | undefined;
  if (header?.alg !== "EdDSA" || header.typ !== TYPE || typeof header.kid !== "string") return undefined;
  const role = roles.get(header.kid);
  if (!role || !isSigned(`${head}.${body}`, signature, role.publicKey)) return undefined;
  // From here on the role itself speaks, and may lie about nothing but its own nodes.
  const { iss, sub, aud, jti, key, born, iat, exp } = (decoded(body) ?? {}) as Partial<Claims>;
  const isText = [sub, jti, key].every(value => typeof value === "string");
  const isTimed = [born, iat, exp].every(value => typeof value === "number");
  if (!isText || !isTimed || iss !== role.name || aud !== cluster || !mayBeCalled(role, sub!)) return undefined;
  if (iat! > now + limits.clockToleranceMs || exp! < now - limits.clockToleranceMs) return undefined;
  return { role, nodeId: sub!, instance: jti!, key: key!, bornAt: born! };
}

function isSigned(text: string, signature: string, key: KeyObject): boolean {
  return verify(null, Buffer.from(text), key, Buffer.from(signature, "base64url"));
}

function decoded(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString());
  } catch {
    return undefined;
  }
}
