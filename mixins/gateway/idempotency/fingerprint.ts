// Fingerprints, which tell a repeat of a request from another request with the same key.
import { hash, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { secretsOf, withoutSecrets } from "../../contract/index.ts";
import { canonicalJson } from "../../kernel/index.ts";
import type { Exchange } from "../exchange.ts";
import type { Route } from "../route/route.ts";

type Asked = Pick<Exchange, "route" | "request">;

/** Equal for equal requests: the body as the route reads it, so that blanks and the order of its keys do not count. */
export const fingerprintOf = (asked: Asked): string => of(asked, asked.request.body);

/**
 * The same for a store, where it lies for a day. Passwords could be found by trial from a fast hash, so a body with fields that
 * are `writeOnly` enters it by a slow one (scrypt, RFC 7914, at Node's cost: 16 MB and some 50 ms), salted with the scope.
 */
export async function keptFingerprintOf(asked: Asked, scope: string): Promise<string> {
  const { body } = asked.request;
  const names = secretNamesOf(asked.route);
  if (names.size === 0) return fingerprintOf(asked);
  const slow = await slowHash(canonicalJson(body), scope, 32);
  return of(asked, [withoutSecrets(body, names), slow.toString("base64url")]);
}

const of = ({ route, request: { path, query } }: Asked, body: unknown): string =>
  hash("sha256", canonicalJson([route.method, route.url, path, query, body]), "base64url");

const slowHash = promisify<string, string, number, Buffer>(scrypt);

const namesOf = new WeakMap<Route, ReadonlySet<string>>();
function secretNamesOf(route: Route): ReadonlySet<string> {
  let names = namesOf.get(route);
  if (!names) namesOf.set(route, (names = new Set(secretsOf(route.body))));
  return names;
}
