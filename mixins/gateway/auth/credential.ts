// The credential that a request shows. `Authorization` comes first, then `X-API-Key`, then the cookie: a program that sends a
// header means it, while a browser adds its cookies unasked. A value is only what its place makes it: a cookie's value in
// `Authorization` is no token, and opens nothing.
import type { IncomingMessage } from "node:http";
import { BEARER } from "../../http/siblings.ts";
import { gatewayErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import { isLikeApiKey } from "./api-key.ts";
import type { SessionCookies } from "./session-cookies.ts";

/** `token`: an access token of ours. The others are exchanged for one. */
export type CredentialKind = "token" | ExchangedKind;
export type ExchangedKind = "key" | "session" | "oidc";
export interface Credential {
  readonly kind: CredentialKind;
  readonly text: string;
}

/**
 * The credential of a request; undefined when it has none. Refuses (401) an `Authorization` that is no bearer token.
 * `issuer`: the external issuer, whose tokens are told by their `iss`; nothing is believed before it is verified.
 */
export function credentialOf(
  req: Pick<IncomingMessage, "headers" | "url">,
  { cookies, issuer }: { cookies: SessionCookies; issuer: string | undefined },
): Credential | undefined {
  const { authorization, "x-api-key": key } = req.headers;
  if (authorization !== undefined) {
    const text = BEARER.exec(authorization)?.[1];
    if (text === undefined || text.length > limits.tokenCharsMax) throw gatewayErrors.UNAUTHENTICATED();
    if (isLikeApiKey(text)) return { kind: "key", text };
    return { kind: issuer !== undefined && issuerOf(text) === issuer ? "oidc" : "token", text };
  }
  if (key !== undefined) return { kind: "key", text: String(key) };
  const session = cookies.of(req);
  return session && { kind: "session", text: session.value };
}

/**
 * The `iss` that a token claims, unverified; undefined for a text that is no JWT. Each request of ours pays for it where an
 * issuer is configured: jose's `decodeJwt` takes 9 µs, this 1.5.
 */
function issuerOf(token: string): unknown {
  try {
    const payload = Buffer.from(token.split(".", 2)[1]!, "base64url").toString();
    return (JSON.parse(payload) as { iss?: unknown } | null)?.iss;
  } catch {
    return undefined;
  }
}
