// Writes JSON responses, and the headers that every response of the gateway has.
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";

/** Security headers of every response, refusals and streams included. */
export const SECURITY_HEADERS: readonly (readonly [name: string, value: string])[] = [
  ["Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"],
  ["Strict-Transport-Security", "max-age=31536000; includeSubDomains"],
  ["X-Content-Type-Options", "nosniff"],
  ["Referrer-Policy", "no-referrer"],
  ["Cross-Origin-Resource-Policy", "same-site"],
];

/** A body that is text already, of another type than JSON. */
export class Written {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Sends any value as JSON: moleculer-web would send a stored `{ type: "Buffer" }` raw and `null` as nothing. `undefined`
 * sends no body. The answer is not cached unless `headers` say so. Node leaves the body out for HEAD.
 */
export function send(res: ServerResponse, status: number, body: unknown, headers: OutgoingHttpHeaders = {}): void {
  const text = body === undefined ? "" : body instanceof Written ? body.text : JSON.stringify(body);
  res.writeHead(status, {
    "Cache-Control": "no-store",
    ...(status !== 204 && status !== 304 && { "Content-Length": Buffer.byteLength(text) }),
    ...(body !== undefined && { "Content-Type": "application/json; charset=utf-8" }),
    ...headers,
  });
  res.end(text);
}
