import { isUtf8 } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import ApiGateway from "moleculer-web";
import { Refusal } from "../../mixins/kernel/index.ts";
import { limits } from "./limits.ts";

type Parser = (req: IncomingMessage & { body?: unknown }, res: ServerResponse, next: (error?: Error) => void) => void;
const parse: Parser = (ApiGateway as any).bodyParser.json({
  limit: limits.bodyBytesMax,
  // A compressed body is refused: 50 kB inflate to 50 MB before any limit looks.
  inflate: false,
  // Every JSON value is read, and the route says that it wants an object: `null` is JSON, whatever else it is.
  strict: false,
  verify: refuseBrokenBytes,
});

/** Decoded, they would be stored as U+FFFD: another text than was sent. */
function refuseBrokenBytes(_req: IncomingMessage, _res: ServerResponse, body: Buffer): void {
  if (!isUtf8(body)) throw new Refusal("MALFORMED_JSON", { status: 400, message: "the body is not UTF-8" });
}

/** The JSON body, `{}` when there is none. Refuses broken, too large, too deep and poisoned ones. */
export async function readBody(req: IncomingMessage & { body?: unknown }, res: ServerResponse): Promise<unknown> {
  await new Promise<void>((resolve, reject) => {
    parse(req, res, error => (error ? reject(error) : resolve()));
  });
  checkShape(req.body, limits.bodyDepthMax);
  return req.body === undefined ? {} : req.body;
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
