// Which node of a cluster may be what. Every role of a cluster (gateway, core, …) has an Ed25519 key pair (RFC 8032). All
// nodes know the public halves, and each node the private half of its own role:
//
//   CLUSTER_KEYS  a JWK set (RFC 7517), one key a role: `kid` is the role's name, `services` are those that its nodes may
//                 run, `actors` those whose logs its nodes own
//   NODE_KEY      the private JWK of this node's role, with the same `kid`
//
// Both are JSON, or the path of a file with it. `valence cluster-keys gateway=api core=accounts,loans:loan` makes them.
// A node's id begins with its role and a dot: a wildcard of a NATS permission stands for whole tokens, and so a user of the
// NATS server is given the subjects of one role.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  type JsonWebKey,
  type KeyObject,
} from "node:crypto";
import { readFileSync } from "node:fs";

/** Services of a role whose nodes may run all: the workers of one machine, which are one program. */
export const ALL_SERVICES = "*";

export interface Role {
  readonly name: string;
  /** Names of the services that a node of this role may run, or `["*"]`. */
  readonly services: readonly string[];
  /** Actors whose logs a service of such a node may own; undefined for any: `CLUSTER_KEYS` names none at all. */
  readonly actors: readonly string[] | undefined;
  readonly publicKey: KeyObject;
  /** Whether its nodes may have any id. For the workers of one machine, which are named after it. */
  readonly anyNodeId: boolean;
}
export interface ClusterKeys {
  readonly roles: ReadonlyMap<string, Role>;
  /** The role of this node. */
  readonly own: Role;
  readonly privateKey: KeyObject;
}

const ROLE = /^[a-z][a-z\d-]{0,31}$/;
const SERVICE_NAME = /^(\*|[\w-]{1,64})$/;
const ACTOR = /^[\w-]{1,64}$/;

export const mayRun = ({ services }: Role, service: string): boolean =>
  services.includes(service) || services.includes(ALL_SERVICES);

/** Whether a service on a node of the role may own the log of this actor. */
export const mayOwn = ({ actors }: Role, actor: string): boolean => actors === undefined || actors.includes(actor);

/** Whether a node of the role may have this id. */
export const mayBeCalled = ({ name, anyNodeId }: Role, nodeId: string): boolean =>
  anyNodeId || (nodeId.startsWith(`${name}.`) && nodeId.length > name.length + 1);

/** The form that `CLUSTER_KEYS` should have had; undefined when it is as it should be. */
export const clusterKeysProblem = (text: string): string | undefined => problemIn(() => rolesIn(text));
/** Likewise of `NODE_KEY`. It never shows the key. */
export const nodeKeyProblem = (text: string): string | undefined => problemIn(() => privateKeyIn(text));

function problemIn(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The roles of `CLUSTER_KEYS`. Throws Error whose message is the form that it should have had. */
export function rolesIn(text: string): Map<string, Role> {
  const { keys } = jsonIn(text, "a JWK set") as { keys?: unknown };
  if (!Array.isArray(keys) || keys.length === 0) throw new Error('a JWK set: {"keys":[…]}, one key a role');
  const roles = new Map<string, Role>();
  const isOwned = keys.some(key => (key as { actors?: unknown } | null)?.actors !== undefined);
  for (const key of keys as Record<string, unknown>[]) {
    const { kid, services, nodes, actors = isOwned ? [] : undefined } = key;
    if (typeof kid !== "string" || !ROLE.test(kid))
      throw new Error("a role's name as kid of each key: small letters, digits, -");
    if (roles.has(kid)) throw new Error(`one key for the role ${kid}`);
    if (key["d"] !== undefined) throw new Error(`public keys: the one of ${kid} is private`);
    if (!Array.isArray(services) || !services.every(name => typeof name === "string" && SERVICE_NAME.test(name)))
      throw new Error(`a list of service names as services of the key of ${kid}`);
    if (actors !== undefined && !(Array.isArray(actors) && actors.every(name => ACTOR.test(name as string))))
      throw new Error(`a list of actors as actors of the key of ${kid}`);
    const publicKey = keyOf(key, kid, createPublicKey);
    const may = { services: services as string[], actors: actors as string[] | undefined };
    roles.set(kid, { name: kid, ...may, publicKey, anyNodeId: nodes === "*" });
  }
  return roles;
}

function privateKeyIn(text: string): { role: string; key: KeyObject } {
  const jwk = jsonIn(text, "a private JWK") as Record<string, unknown>;
  const { kid } = jwk;
  if (typeof kid !== "string" || jwk["d"] === undefined) throw new Error("a private JWK whose kid is the role's name");
  return { role: kid, key: keyOf(jwk, kid, createPrivateKey) };
}

function keyOf(jwk: object, role: string, create: (from: { key: JsonWebKey; format: "jwk" }) => KeyObject): KeyObject {
  const { kty, crv } = jwk as JsonWebKey;
  try {
    if (kty !== "OKP" || crv !== "Ed25519") throw new Error("another kind");
    return create({ key: jwk as JsonWebKey, format: "jwk" });
  } catch {
    throw new Error(`an Ed25519 key for ${role}`);
  }
}

function jsonIn(text: string, what: string): object {
  const isJson = text.trimStart().startsWith("{");
  let read = text;
  if (!isJson)
    try {
      read = readFileSync(text, "utf8");
    } catch (error) {
      const { code = "unreadable" } = error as NodeJS.ErrnoException;
      throw new Error(`${what}, or a file with it (${code})`, { cause: error });
    }
  try {
    const value: unknown = JSON.parse(read);
    if (typeof value === "object" && value !== null) return value;
  } catch {}
  throw new Error(`${what} as JSON`);
}

/** Both variables together. Throws Error whose message names what does not go together. */
export function clusterKeysOf(clusterKeys: string, nodeKey: string): ClusterKeys {
  const roles = rolesIn(clusterKeys);
  const { role, key: privateKey } = privateKeyIn(nodeKey);
  const own = roles.get(role);
  if (!own) throw new Error(`a key of a role of CLUSTER_KEYS (${[...roles.keys()].join(", ")}), not of ${role}`);
  if (!createPublicKey(privateKey).equals(own.publicKey))
    throw new Error(`the private half of the key of ${role} in CLUSTER_KEYS`);
  return { roles, own, privateKey };
}

/** A secret of all nodes of this node's role, for one purpose: 32 bytes, base64url (HKDF, RFC 5869). */
export function secretOfRole({ privateKey }: ClusterKeys, purpose: string): string {
  const { d = "" } = privateKey.export({ format: "jwk" });
  return Buffer.from(hkdfSync("sha256", Buffer.from(d, "base64url"), "", `valence ${purpose}`, 32)).toString(
    "base64url",
  );
}

/**
 * New keys: the text of `CLUSTER_KEYS`, and of `NODE_KEY` by role. A service that owns an actor's log is named with it:
 * `loans:loan`.
 */
export function newClusterKeys(
  services: Readonly<Record<string, readonly string[]>>,
  { anyNodeId = false } = {},
): { readonly clusterKeys: string; readonly nodeKeys: ReadonlyMap<string, string> } {
  const nodeKeys = new Map<string, string>();
  const keys = Object.entries(services).map(([kid, runs]) => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    nodeKeys.set(kid, JSON.stringify({ ...privateKey.export({ format: "jwk" }), kid }));
    const named = runs.map(service => service.split(":", 2));
    const actors = named.flatMap(([, actor]) => actor ?? []);
    const may = { services: named.map(([service]) => service!), ...(actors.length > 0 && { actors }) };
    const role = { kid, alg: "EdDSA", use: "sig", ...may, ...(anyNodeId && { nodes: "*" }) };
    return { ...publicKey.export({ format: "jwk" }), ...role };
  });
  const clusterKeys = JSON.stringify({ keys }, undefined, 2);
  rolesIn(clusterKeys);
  return { clusterKeys, nodeKeys };
}
