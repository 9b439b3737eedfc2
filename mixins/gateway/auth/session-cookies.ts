// The cookies of browser sessions. A cookie's value is opaque, and no script can read it. Several pages on one host have
// sessions of their own, each in its own cookie: a request says by name which of them it uses, in the header `X-Session` or,
// for an EventSource, which sends no headers, in the query (`?session=<name>`). The name is no secret.
//
// Where clients come by https, the name begins with `__Host-`: a browser then takes the cookie from this host alone, and
// only over TLS (RFC 6265bis, 4.1.3.2), so that no subdomain can plant another one.
import type { IncomingMessage } from "node:http";
import { parseCookie, stringifySetCookie, type SetCookie } from "cookie";
import { callErrors } from "../../contract/index.ts";

/** The header, and the field of the query, that name the session. */
export const SESSION_HEADER = "x-session";
export const SESSION_FIELD = "session";

export class SessionCookies {
  /** The names of the sessions, the usual one first. */
  readonly names: readonly string[];
  readonly #isSecure: boolean;

  /** `names`: of the sessions, the usual one first. `publicUrl`: the address at which browsers reach the gateway. */
  constructor(names: readonly string[], publicUrl: string | undefined) {
    this.names = names;
    this.#isSecure = publicUrl?.startsWith("https:") === true;
  }

  /** The session that a request uses: its name, and the value of its cookie. Refuses (422) a name that there is not. */
  of({ headers, url = "" }: Pick<IncomingMessage, "headers" | "url">): { name: string; value: string } | undefined {
    if (headers.cookie === undefined) return undefined;
    const name = this.nameOf({ headers, url });
    const value = parseCookie(headers.cookie)[this.cookieOf(name)];
    return value ? { name, value } : undefined;
  }

  /** The value of one session's cookie, for the routes that open and close it. */
  valueOf({ headers: { cookie } }: Pick<IncomingMessage, "headers">, name: string): string | undefined {
    return parseCookie(cookie ?? "")[this.cookieOf(name)] || undefined;
  }

  /** The name of the session that a request uses; the usual one unless it says another. Refuses (422) an unknown one. */
  nameOf({ headers, url = "" }: Pick<IncomingMessage, "headers" | "url">): string {
    const inHeader = headers[SESSION_HEADER];
    if (inHeader !== undefined) return this.named(String(inHeader), "X-Session");
    const inQuery = url.includes(`${SESSION_FIELD}=`) ? searchOf(url).get(SESSION_FIELD) : null;
    return inQuery === null ? this.names[0]! : this.named(inQuery, SESSION_FIELD);
  }
  /** The name, if there is such a session. `field`: where the client named it. */
  named(name: string, field: string): string {
    if (this.names.includes(name)) return name;
    throw callErrors.VALIDATION_ERROR({ field, message: `must be one of ${this.names.join(", ")}` });
  }

  /** `Set-Cookie` for a new session. `expiresAt`: milliseconds since the epoch. */
  set(name: string, value: string, expiresAt: number): string {
    return this.#write(name, value, { expires: new Date(expiresAt) });
  }
  /** `Set-Cookie` that makes a browser forget the session. */
  clear(name: string): string {
    return this.#write(name, "", { expires: new Date(0), maxAge: 0 });
  }

  #write(name: string, value: string, life: Pick<SetCookie, "expires" | "maxAge">): string {
    const scope = { path: "/", httpOnly: true, sameSite: "lax", secure: this.#isSecure } as const;
    return stringifySetCookie({ name: this.cookieOf(name), value, ...scope, ...life });
  }

  /** The name of a session's cookie. */
  cookieOf(name: string): string {
    return `${this.#isSecure ? "__Host-" : ""}valence-${name}`;
  }
}

const searchOf = (url: string): URLSearchParams => new URLSearchParams(url.slice(url.indexOf("?") + 1));

/** A query without the name of the session: it is the gateway's, and no field of a route. */
export function withoutSession(search: string): string {
  if (!search.includes(`${SESSION_FIELD}=`)) return search;
  return search
    .split("&")
    .filter(field => !field.startsWith(`${SESSION_FIELD}=`))
    .join("&");
}
