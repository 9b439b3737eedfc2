// One line for each request that was refused for who asks: a failed log-in, 401, 403, 429, an address that is taken.
// Whoever watches them sees guessing and probing; they hold no token, no password and no e-mail address.
import { hash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { addressOf } from "../http/address.ts";
import { limits } from "../limits.ts";
import type { Problem } from "../http/problem.ts";

const STATUSES = new Set([401, 403, 429]);
/** Tells whether an address has an account: asked often, it is a search for accounts. */
const TYPES = new Set(["/problems/email-taken"]);

export const concernsSecurity = ({ status, type }: Problem): boolean => STATUSES.has(status) || TYPES.has(type);

/** What the gateway knows of a request that is refused. */
export interface Told {
  readonly req: IncomingMessage;
  /** Proxies that stand before the gateway; see `addressOf`. */
  readonly proxies: number;
  /** The pattern of its route: a path would be the client's own text. */
  readonly route: string;
  readonly user?: string | undefined;
  /** E-mail address that somebody tries to log in or register with. */
  readonly email?: string | undefined;
}

/** `refused 401 bad-credentials: POST /api/v1/auth/login, account 5f2d8a…, from 192.0.2.1, request …` */
export function securityLine({ status, type, requestId }: Problem, { req, proxies, route, user, email }: Told): string {
  const who = [
    ...(user ? [`user ${user}`] : []),
    ...(email === undefined ? [] : [`account ${accountMark(email)}`]),
    `from ${addressOf(req, proxies) || "a closed connection"}`,
  ];
  return `refused ${status} ${type.replace("/problems/", "")}: ${req.method} ${route}, ${who.join(", ")}, request ${requestId}`;
}

/** The same for the same address, and no way back to it but by trying: the first 12 digits of its SHA-256, in lower case. */
export const accountMark = (email: string): string => hash("sha256", email.toLowerCase()).slice(0, MARK_DIGITS);
const MARK_DIGITS = 12;

/** Passes lines on, up to a rate: whoever is refused a thousand times a second must not fill the disk. */
export class SecurityLog {
  readonly #say: (line: string) => void;
  #said = 0;
  #more = 0;
  #window: NodeJS.Timeout | undefined;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  tell(line: string): void {
    if (!this.#window) this.#window = setTimeout(() => this.#end(), limits.securityWindowMs).unref();
    if (this.#said++ < limits.securityLinesMax) this.#say(line);
    else this.#more++;
  }

  /** Says what was left out. */
  #end(): void {
    if (this.#more > 0) this.#say(`refused ${this.#more} more requests within ${limits.securityWindowMs} ms`);
    [this.#said, this.#more, this.#window] = [0, 0, undefined];
  }
}
