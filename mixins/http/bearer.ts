// Bearer tokens of requests (RFC 6750).
import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

export const BEARER = /^Bearer +([\w.~+/-]+=*)$/i;

/** Whether the request has this secret as its bearer token. The comparison takes the same time for every secret. */
export function isBearer({ headers: { authorization = "" } }: IncomingMessage, secret: string): boolean {
  const digest = (text: string): Buffer => hash("sha256", text, "buffer");
  return timingSafeEqual(digest(BEARER.exec(authorization)?.[1] ?? ""), digest(secret));
}
