// Writes answers.
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { encodedTag } from "../contract/index.ts";
import type { Fields } from "./response.ts";
import { together } from "./together.ts";
import { acceptedEncoding, compressed, isCompressible, type Encoding } from "./compression.ts";

/** Header fields of a request by which its answer may differ: a cache keeps one answer for each of their values. */
export const VARY = "Accept-Encoding, Accept, Origin";

/**
 * `Cache-Control` of every answer that does not say how long it may be kept. `no-store` would do by RFC 9111; a network
 * that heeds it only where it is told to still keeps nothing that is private.
 */
export const NOT_KEPT = "private, no-store";

export const JSON_TYPE = "application/json; charset=utf-8";

export const fieldsOf = (headers: OutgoingHttpHeaders): Fields =>
  Object.entries(headers).flatMap(([name, value]) => [name, String(value)]);

/** Responses to HEAD: the router knows only GET. */
const heads = new WeakSet<ServerResponse>();
export const noteHead = (res: ServerResponse): void => void heads.add(res);
export const answersHead = (res: ServerResponse): boolean => heads.has(res);

/**
 * Sends any value as JSON: moleculer-web would send a stored `{ type: "Buffer" }` raw and `null` as nothing. A text with
 * a `Content-Type` of its own is sent as it is; `undefined` sends no body. The answer is not cached unless `headers` say
 * so, and is compressed where that is worth it and safe. Node leaves the body out for HEAD.
 */
export function send(res: ServerResponse, status: number, body: unknown, headers: OutgoingHttpHeaders = {}): void {
  const all = completed(body, headers);
  const text = textOf(body, all);
  const encoding = status === 200 ? encodingFor(res, all, Buffer.byteLength(text)) : undefined;
  if (encoding === undefined) return end(res, status, all, text);
  sendEncoded(res, all, encoding, () => compressed(Buffer.from(text), encoding));
}

/**
 * Answers 304 (RFC 9110, 15.4.5): the fields that the 200 with this body has for this client, by which a cache updates its
 * copy, its tag in the client's encoding too, and none about the body.
 */
export function sendUnchanged(res: ServerResponse, body: unknown, headers: OutgoingHttpHeaders): void {
  end(res, 304, unchangedHeaders(headers, encodingOf(res, body, headers)), "");
}

export function unchangedHeaders(headers: OutgoingHttpHeaders, encoding: Encoding | undefined): OutgoingHttpHeaders {
  const { "Content-Type": _type, ...others } = headers;
  return { "Cache-Control": NOT_KEPT, ...others, ...(encoding !== undefined && tagOf(headers, encoding)) };
}

/** The encoding in which `send` sends this answer (200), undefined for none. */
export function encodingOf(res: ServerResponse, body: unknown, headers: OutgoingHttpHeaders): Encoding | undefined {
  if (res.req.headers["accept-encoding"] === undefined) return undefined;
  const all = completed(body, headers);
  return encodingFor(res, all, Buffer.byteLength(textOf(body, all)));
}

/** A body that is written part by part, as they come. */
export class TextParts {
  readonly parts: AsyncIterable<string>;
  constructor(parts: AsyncIterable<string>) {
    this.parts = parts;
  }
}

/**
 * Sends a text in parts, under its `Content-Type`. The next part is asked for when the client has taken the one before; one that
 * leaves its socket full for `stallMs` is cut. Resolves when all is sent or the client has left. When a part fails it rejects,
 * and the answer is not ended: whoever handles the error cuts the connection.
 */
export async function sendParts(
  res: ServerResponse,
  { parts }: TextParts,
  headers: OutgoingHttpHeaders,
  stallMs: number,
): Promise<void> {
  res.writeHead(200, { "Cache-Control": `${NOT_KEPT}, no-transform`, ...headers });
  if (answersHead(res)) return void res.end();
  for await (const part of parts) {
    if (!res.destroyed && !res.write(part)) await drained(res, stallMs);
    if (res.destroyed) return;
  }
  res.end();
}

/** Resolves when the client has taken what was written, or is gone. One that takes nothing for `stallMs` is cut. */
export async function drained(res: ServerResponse, stallMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cut = setTimeout(() => res.destroy(), stallMs);
  res.once("drain", resolve).once("close", resolve);
  await promise;
  clearTimeout(cut);
  res.off("drain", resolve).off("close", resolve);
}

const completed = (body: unknown, headers: OutgoingHttpHeaders): OutgoingHttpHeaders => ({
  "Cache-Control": NOT_KEPT,
  ...(body !== undefined && { "Content-Type": JSON_TYPE }),
  ...headers,
});

/** The text of a body, under these headers. */
export function textOf(body: unknown, { "Content-Type": type }: OutgoingHttpHeaders): string {
  if (body === undefined) return "";
  return typeof body === "string" && type !== JSON_TYPE ? body : JSON.stringify(body);
}

/** The encoding in which this answer (200) is to be sent, undefined for none. */
export function encodingFor(res: ServerResponse, headers: OutgoingHttpHeaders, bytes: number): Encoding | undefined {
  const { method, url, headers: asked } = res.req;
  if ((method !== "GET" && method !== "HEAD") || !isCompressible(url!.split("?", 1)[0]!, headers, bytes))
    return undefined;
  return acceptedEncoding(asked["accept-encoding"]);
}

/** Sends what `compress` gives. HEAD gets the same fields, but the length, and nothing is compressed for it. */
export function sendEncoded(
  res: ServerResponse,
  headers: OutgoingHttpHeaders,
  encoding: Encoding,
  compress: () => Buffer | Promise<Buffer>,
): void {
  const encoded = encodedHeaders(headers, encoding);
  if (answersHead(res)) return void res.writeHead(200, encoded).end();
  const bytes = compress();
  if (Buffer.isBuffer(bytes)) return end(res, 200, encoded, bytes);
  bytes.then(
    compressedBytes => res.destroyed || end(res, 200, encoded, compressedBytes),
    // zlib fails for want of memory only: the client repeats.
    () => res.destroy(),
  );
}

/** The fields that an encoding changes. */
export const encodedHeaders = (headers: OutgoingHttpHeaders, encoding: Encoding): OutgoingHttpHeaders => ({
  ...headers,
  "Content-Encoding": encoding,
  ...tagOf(headers, encoding),
});
const tagOf = ({ ETag: tag }: OutgoingHttpHeaders, encoding: Encoding): { ETag?: string } =>
  typeof tag === "string" ? { ETag: encodedTag(tag, encoding) } : {};

/** Answers with exactly these fields. Node writes a list in half of the time of fields that are set one by one. */
export function endWith(res: ServerResponse, status: number, fields: Fields, body: string | Buffer): void {
  res.writeHead(status, fields as string[]);
  together(() => res.end(body));
}

export function end(res: ServerResponse, status: number, headers: OutgoingHttpHeaders, body: string | Buffer): void {
  const hasBody = status !== 204 && status !== 304;
  res.writeHead(status, { ...headers, ...(hasBody && { "Content-Length": Buffer.byteLength(body) }) });
  together(() => res.end(body));
}
