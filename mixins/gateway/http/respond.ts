// Writes JSON responses.
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";

/**
 * Sends any value as JSON: moleculer-web would send a stored `{ type: "Buffer" }` raw and `null` as nothing. `undefined`
 * sends no body. The answer is not cached unless `headers` say so. Node leaves the body out for HEAD.
 */
export function send(res: ServerResponse, status: number, body: unknown, headers: OutgoingHttpHeaders = {}): void {
  const text = body === undefined ? "" : JSON.stringify(body);
  res.writeHead(status, {
    "Cache-Control": "no-store",
    ...(status !== 204 && status !== 304 && { "Content-Length": Buffer.byteLength(text) }),
    ...(body !== undefined && { "Content-Type": "application/json; charset=utf-8" }),
    ...headers,
  });
  res.end(text);
}
