// One line in the log for each request that is refused because of its sender: a failed log-in, 401, 403, 429, an e-mail
// address that is taken. Guessing and probing show in these lines. They contain no token, no password and no e-mail
// address.
import { hash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { addressOf, type Problem } from "../../http/siblings.ts";
import { limits } from "../limits.ts";

const STATUSES = new Set([401, 403, 429]);
/** The answer says whether an address has an account: a client that asks often searches for accounts. */
const TYPES = new Set(["/problems/email-taken"]);

export const concernsSecurity = ({ status, type }: Problem): boolean => STATUSES.has(status) || TYPES.has(type);

/** A refused request, as far as the gateway knows it. */
export interface RefusedRequest {
  readonly req: IncomingMessage;
  /** Proxies before the gateway; see `addressOf`. */
  readonly proxies: number;
  /** The pattern of its route; the path would be text of the client's choice. */
  readonly route: string;
  readonly user?: string | undefined;
  /** The e-mail address of an attempt to log in or register. */
  readonly email?: string | undefined;
}

/** `refused 401 bad-credentials: POST /api/v1/auth/login, account 5f2d8a…, from 192.0.2.1, request …` */
export function securityLine(
  { status, type, requestId }: Problem,
  { req, proxies, route, user, email }: RefusedRequest,
): string {
  const sender = [
    ...(user ? [`user ${user}`] : []),
    ...(email === undefined ? [] : [`account ${accountMark(email)}`]),
    `from ${addressOf(req, proxies) || "a closed connection"}`,
  ];
  return `refused ${status} ${type.replace("/problems/", "")}: ${req.method} ${route}, ${sender.join(", ")}, request ${requestId}`;
}

/** Identifies an e-mail address without showing it: the first 12 digits of the SHA-256 of the address in lower case. */
export const accountMark = (email: string): string => hash("sha256", email.toLowerCase()).slice(0, MARK_DIGITS);
const MARK_DIGITS = 12;

/** Passes lines on up to a rate: a client that is refused a thousand times a second must not fill the disk. */
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

  /** Logs how many lines were left out. */
  #end(): void {
    if (this.#more > 0) this.#say(`refused ${this.#more} more requests within ${limits.securityWindowMs} ms`);
    [this.#said, this.#more, this.#window] = [0, 0, undefined];
  }
}
