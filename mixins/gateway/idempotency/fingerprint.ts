// Fingerprints, which tell a repeat of a request from another request with the same key.
import { createHmac, hash } from "node:crypto";
import { secretsOf, withoutSecrets } from "../../contract/index.ts";
import { canonicalJson } from "../../kernel/index.ts";
import type { Exchange } from "../exchange.ts";
import type { Route } from "../route/route.ts";

type Asked = Pick<Exchange, "route" | "request">;

/** Equal for equal requests: the body as the route reads it, so that blanks and the order of its keys do not count. */
export const fingerprintOf = (asked: Asked): string => of(asked, asked.request.body);

/** What a kept fingerprint is sealed with; the store has neither. */
export interface Seal {
  /** The key of the client, which the store has hashed only. */
  readonly key: string;
  /** A secret that all gateways share, now and after a restart; undefined in a cluster without keys. */
  readonly secret: string | undefined;
}

/**
 * The same for a store, where it lies for a day. Passwords could be found by trial from a plain hash, so the fields that are
 * `writeOnly` enter it by an HMAC (RFC 2104) whose key the store does not have. A slow hash instead would be work that a
 * stranger can order: it comes before any limit of the action, and took the turns of people who log in.
 */
export function keptFingerprintOf(asked: Asked, { key, secret = "" }: Seal): string {
  const { user, body } = asked.request;
  const names = secretNamesOf(asked.route);
  if (names.size === 0) return fingerprintOf(asked);
  const hmac = createHmac("sha256", canonicalJson([secret, key]));
  const sealed = hmac.update(canonicalJson([user.id, asked.route.url, body])).digest("base64url");
  return of(asked, [withoutSecrets(body, names), sealed]);
}

const of = ({ route, request: { path, query } }: Asked, body: unknown): string =>
  hash("sha256", canonicalJson([route.method, route.url, path, query, body]), "base64url");

const namesOf = new WeakMap<Route, ReadonlySet<string>>();
function secretNamesOf(route: Route): ReadonlySet<string> {
  let names = namesOf.get(route);
  if (!names) namesOf.set(route, (names = new Set(secretsOf(route.body))));
  return names;
}
