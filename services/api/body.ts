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
 * Calls back once it is known whether chunks bring a body: with their first byte, or their end. Proxies frame an empty
 * body so, on probes and GETs too: it is no body, and from then on the header says so. Nothing is called back when the
 * client leaves before.
 */
export function whenBodyKnown(req: IncomingMessage, callback: () => void): void {
  const known = (): void => {
    req.off("readable", look).off("end", empty);
    // The stream takes in that nobody waits for `readable` any more, else whoever reads next would not be served.
    setImmediate(callback);
  };
  const look = (): void => {
    const chunk: Buffer | null = req.read();
    if (chunk === null) return;
    req.unshift(chunk);
    known();
  };
  const empty = (): void => {
    delete req.headers["transfer-encoding"];
    known();
  };
  req.on("readable", look).once("end", empty);
}

/**
 * The JSON body, `{}` when there is none. Every JSON value is read, and the route says that it wants an object: `null`
 * is JSON, whatever else it is. Refuses broken, too large, too deep and poisoned ones.
 */
export async function readBody(req: IncomingMessage): Promise<unknown> {
  if (!hasBody(req.headers)) return {};
  // 50 kB inflate to 50 MB before any limit looks.
  if ((req.headers["content-encoding"] ?? "identity").toLowerCase() !== "identity")
    throw new Refusal("UNSUPPORTED_ENCODING", { status: 415, message: "send the body without Content-Encoding" });
  const text = textOf(await bytesOf(req));
  if (text === "") return {};
  const body = parse(text);
  checkShape(body, limits.bodyDepthMax);
  return body;
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
