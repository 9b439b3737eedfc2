// Answers a file, as any other answer that is kept: in the encoding that the client prefers, and 304 for the tag of that.
import { hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { encodingFor, end, KeptBody, unchangedHeaders, type Encoding, type HeaderList } from "../../http/siblings.ts";
import { conditionsOf, isUnchanged } from "../cache/conditions.ts";

export interface FileContent {
  readonly body: KeptBody;
  /** Strong, of the bytes without an encoding. */
  readonly tag: string;
}

/** `encoded`: the same bytes compressed before; what is missing is compressed at the first request that wants it. */
export const contentOf = (content: string | Buffer, encoded?: Partial<Record<Encoding, Buffer>>): FileContent => ({
  body: new KeptBody(content, encoded),
  tag: `"${hash("sha256", content, "base64url").slice(0, 22)}"`,
});

/** For ever, in a browser's words: the address changes with the content. */
export const IMMUTABLE = "public, max-age=31536000, immutable";

/** Refuses (400) malformed conditions, and (412) those that do not hold. */
export function sendFile(
  req: IncomingMessage,
  res: ServerResponse,
  { body, tag }: FileContent,
  about: Readonly<Record<"Content-Type" | "Cache-Control", string>>,
  security: HeaderList,
): void {
  for (const [name, value] of security) res.setHeader(name, value);
  const headers = { ...about, ETag: tag };
  const encoding = encodingFor(res, headers, body.bytes.length);
  if (isUnchanged(req.headers, conditionsOf(req.headers), { tag, modifiedAt: undefined }, encoding))
    return end(res, 304, unchangedHeaders(headers, encoding), "");
  body.send(res, headers);
}
