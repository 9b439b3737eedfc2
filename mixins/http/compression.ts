// Compression of answers (RFC 9110, 8.4 and 12.5.3). An answer that may hold a secret beside text of the request is not
// compressed: its length would tell how much of the secret the text has guessed (BREACH). So only answers to GET are, and
// none of the paths that give out tokens. Event streams never come here: a compressor would hold their events back.
import type { OutgoingHttpHeaders } from "node:http";
import { promisify } from "node:util";
import { brotliCompress, brotliCompressSync, constants, gzip, gzipSync } from "node:zlib";
import { httpLimits as limits } from "./limits.ts";

export type Encoding = "br" | "gzip";

const SECRETS = /\/(?:auth|session|sessions|keys|api-keys)(?:\/|$)/;
const TEXT = /^(?:text\/(?!event-stream)|application\/(?:[\w.-]+\+)?(?:json|yaml|javascript))/;

/** The encoding that an Accept-Encoding prefers of ours, brotli among equals; undefined for none. */
export function acceptedEncoding(header: string | string[] | undefined): Encoding | undefined {
  if (typeof header !== "string" || header.length > limits.acceptEncodingCharsMax) return undefined;
  let any = 0;
  let br: number | undefined;
  let gz: number | undefined;
  for (const part of header.split(",")) {
    const { name = "", q = "1" } = PART.exec(part)?.groups ?? {};
    const weight = Number(q);
    if (name.toLowerCase() === "br") br = weight;
    else if (/^(?:x-)?gzip$/i.test(name)) gz = weight;
    else if (name === "*") any = weight;
  }
  br ??= any;
  gz ??= any;
  if (br > 0 && br >= gz) return "br";
  return gz > 0 ? "gzip" : undefined;
}
/** RFC 9110, 12.4.2: at most three digits. A malformed part accepts nothing. */
const PART = /^[ \t]*(?<name>[\w*.-]+)[ \t]*(?:;[ \t]*q=(?<q>0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$/i;

/** Whether an answer to a GET of this path may be compressed: long enough, a text, and neither a secret nor final. */
export function isCompressible(path: string, headers: OutgoingHttpHeaders, bytes: number): boolean {
  const { "Content-Type": type, "Cache-Control": control, "Content-Encoding": encoding } = headers;
  return (
    bytes >= limits.compressFromBytes &&
    encoding === undefined &&
    TEXT.test(String(type)) &&
    !String(control).includes("no-transform") &&
    !SECRETS.test(path)
  );
}

const quality = (bytes: number) => ({
  params: {
    [constants.BROTLI_PARAM_QUALITY]: limits.brotliQuality,
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes,
  },
});
const brotliAside = promisify(brotliCompress);
const gzipAside = promisify(gzip);

/** The compressed bytes: a short answer's at once, a long one's by a thread. */
export function compressed(body: Buffer, encoding: Encoding): Buffer | Promise<Buffer> {
  const isShort = body.length < limits.compressAsideBytes;
  if (encoding === "br")
    return isShort ? brotliCompressSync(body, quality(body.length)) : brotliAside(body, quality(body.length));
  return isShort ? gzipSync(body) : gzipAside(body);
}
