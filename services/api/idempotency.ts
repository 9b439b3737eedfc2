import type { IncomingMessage } from "node:http";
import { Refusal } from "../../mixins/kernel/index.ts";

export const KEY_FIELD = "Idempotency-Key";
/** An sf-string as in draft-ietf-httpapi-idempotency-key-header-07; bare tokens are accepted as well. No comma: two fields arrive joined. */
const KEY = /^(?:"(?<quoted>[\x20\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]{1,128})"|(?<bare>[\w.:-]{1,128}))$/;

/** The client's key, or undefined without one. Refuses a malformed one, naming the header. */
export function parseKey(headers: IncomingMessage["headers"]): string | undefined {
  const text = headers["idempotency-key"];
  if (text === undefined) return undefined;
  const groups = typeof text === "string" ? KEY.exec(text)?.groups : undefined;
  if (!groups)
    throw new Refusal("BAD_IDEMPOTENCY_KEY", {
      status: 400,
      field: KEY_FIELD,
      message: "one key of 1 to 128 printable characters, without comma, backslash or quote",
    });
  return groups["quoted"] ?? groups["bare"];
}
