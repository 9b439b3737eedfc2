// The body of a request, read here and not by moleculer-web's parser: that one brings what we refuse anyway (inflating,
// other charsets), takes three times as long, and its errors quote the body.
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Refusal } from "../../mixins/kernel/index.ts";
import { limits } from "./limits.ts";

/** Bytes that are no text would be stored as U+FFFD, another text than was sent: they are refused. */
const utf8 = new TextDecoder("utf-8", { fatal: true });

export const hasBody = ({ "content-length": length, "transfer-encoding": encoding }: IncomingHttpHeaders): boolean =>
  encoding !== undefined || Number(length ?? 0) > 0;

/**
 * The JSON body, `{}` when there is none. Every JSON value is read, and the route says that it wants an object: `null`
 * is JSON, whatever else it is. Refuses broken, too large, too deep and poisoned ones.
 */
export async function readBody(req: IncomingMessage): Promise<unknown> {
  const text = await readText(req);
  if (text === "") return {};
  const body = parse(text);
  checkShape(body, limits.bodyDepthMax);
  return body;
}

/** The body as it was sent, for whoever checks its signature; "" when there is none. */
export async function readText(req: IncomingMessage): Promise<string> {
  if (!hasBody(req.headers)) return "";
  // 50 kB inflate to 50 MB before any limit looks.
  if ((req.headers["content-encoding"] ?? "identity").toLowerCase() !== "identity")
    throw new Refusal("UNSUPPORTED_ENCODING", { status: 415, message: "send the body without Content-Encoding" });
  return textOf(await bytesOf(req));
}

function bytesOf(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const endedEarly = (): void =>
      reject(new Refusal("INCOMPLETE_BODY", { status: 400, message: "the body ended early" }));
    if (req.destroyed) return endedEarly();
    const chunks: Buffer[] = [];
    let length = 0;
    req.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= limits.bodyBytesMax) return void chunks.push(chunk);
      chunks.length = 0;
      reject(tooLarge());
    });
    req.once("end", () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    req.once("error", endedEarly);
  });
}

export const tooLarge = (): Refusal =>
  new Refusal("BODY_TOO_LARGE", { status: 413, message: `at most ${limits.bodyBytesMax} bytes` });

function textOf(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new Refusal("MALFORMED_JSON", { status: 400, message: "the body is not UTF-8" });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal("MALFORMED_JSON", { status: 400, message: "the body is not JSON" });
  }
}

/** `__proto__` in a body becomes the prototype of whatever copies it by assignment, and with it any field's value. */
export function checkShape(value: unknown, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depth === 0)
    throw new Refusal("BODY_TOO_DEEP", { status: 400, message: `at most ${limits.bodyDepthMax} levels` });
  for (const [key, item] of Object.entries(value)) {
    if (key === "__proto__" || key === "constructor" || key === "prototype")
      throw new Refusal("FORBIDDEN_KEY", { status: 400, field: key, message: "is not allowed" });
    checkShape(item, depth - 1);
  }
}
