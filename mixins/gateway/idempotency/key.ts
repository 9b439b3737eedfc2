// Idempotency-Key: how the header is written, and how refusals about the command id are put for the client, which knows
// the id as its key.
import type { IncomingMessage } from "node:http";
import Type from "typebox";
import { Refusal } from "../../kernel/index.ts";
import { refusedOf } from "@valence/runtime/contract";
import { gatewayErrors } from "../errors.ts";
import type { Route } from "../route/route.ts";

export const KEY_FIELD = "Idempotency-Key";
/**
 * The header: an sf-string (RFC 9651, as draft-ietf-httpapi-idempotency-key-header has it), or the bare key that most
 * clients send: a UUID, a ULID, base64. A bare key has no comma or semicolon: two fields arrive joined by a comma, and
 * parameters follow a semicolon. The API's description shows this same schema.
 */
const PATTERN = String.raw`^(?:"(?:[ !#-\[\]-~]|\\["\\]){1,128}"|[!#-+\--:<-\[\]-~]{1,128})$`;
const KEY = new RegExp(PATTERN);
export const KEY_HEADER = {
  description:
    "1 to 128 printable ASCII characters, in quotes (an sf-string) or, without comma, semicolon, backslash, quote and " +
    "blank, bare. A repeat with the same key gets the first answer, marked `Idempotency-Replayed: true`.",
  schema: Type.String({ pattern: PATTERN }),
};

/** Whether a route takes a key: it changes something, and is not public. A key belongs to a user. */
export const takesKey = ({ method, access, target }: Pick<Route, "method" | "access" | "target">): boolean =>
  method !== "GET" && access !== "public" && !("stream" in target);

/** The client's key, undefined without one; quoted and bare it is the same. Refuses (400) a malformed key. */
export function parseKey(headers: IncomingMessage["headers"]): string | undefined {
  const text = headers["idempotency-key"];
  if (text === undefined) return undefined;
  if (typeof text !== "string" || !KEY.test(text)) throw gatewayErrors.BAD_IDEMPOTENCY_KEY({ field: KEY_FIELD });
  return text.startsWith('"') ? text.slice(1, -1).replaceAll(/\\(.)/g, "$1") : text;
}

/** Refusals of the runtime about the command id, in the client's words. */
const OF_KEYS: Readonly<Record<string, () => Refusal>> = {
  COMMAND_ID_REUSED: () => gatewayErrors.IDEMPOTENCY_KEY_REUSED({ field: KEY_FIELD }),
  COMMAND_ID_TOO_LONG: () => gatewayErrors.BAD_IDEMPOTENCY_KEY({ field: KEY_FIELD, message: "is too long" }),
  BAD_COMMAND_ID: () => gatewayErrors.BAD_IDEMPOTENCY_KEY({ field: KEY_FIELD, message: "is not one plain key" }),
  ABANDONED: () => gatewayErrors.IDEMPOTENCY_KEY_ABANDONED({ field: KEY_FIELD }),
};

/** The error of a request with a key, in the client's words. A refusal that is a recorded answer says so. */
export function inClientsWords(error: unknown, isReplay: boolean): unknown {
  const refused = refusedOf(error);
  if (!refused) return error;
  const ofKey = OF_KEYS[refused.type];
  if (ofKey) return ofKey();
  if (!isReplay) return error;
  const message = `${refused.message} (the first answer to this Idempotency-Key; to try again, send a new key)`;
  return new Refusal(refused.type, { ...refused, message });
}
