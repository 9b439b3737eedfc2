import type { IncomingMessage } from "node:http";
import Type from "typebox";
import { isRefusal, Refusal, type RefusalDetail } from "@valence/runtime/kernel";
import { gatewayErrors } from "./errors.ts";

export const KEY_FIELD = "Idempotency-Key";
/**
 * The header as it is sent: an sf-string (RFC 9651, as draft-ietf-httpapi-idempotency-key-header has it), or the key
 * bare, which is what most clients send: a UUID, a ULID, base64. Bare text has no comma or semicolon: two fields arrive
 * joined by a comma, and parameters follow a semicolon. The API's description shows this same schema.
 */
const PATTERN = String.raw`^(?:"(?:[ !#-\[\]-~]|\\["\\]){1,128}"|[!#-+\--:<-\[\]-~]{1,128})$`;
const KEY = new RegExp(PATTERN);
export const KEY_HEADER = {
  description:
    "1 to 128 printable ASCII characters, in quotes (an sf-string) or, without comma, semicolon, backslash, quote and " +
    "blank, bare. A repeat with the same key gets the first answer, marked `Idempotency-Replayed: true`.",
  schema: Type.String({ pattern: PATTERN }),
};

/** The client's key, or undefined without one: quoted and bare it is the same. Refuses a malformed one, naming the header. */
export function parseKey(headers: IncomingMessage["headers"]): string | undefined {
  const text = headers["idempotency-key"];
  if (text === undefined) return undefined;
  if (typeof text !== "string" || !KEY.test(text)) throw gatewayErrors.BAD_IDEMPOTENCY_KEY({ field: KEY_FIELD });
  return text.startsWith('"') ? text.slice(1, -1).replaceAll(/\\(.)/g, "$1") : text;
}

const field = KEY_FIELD;
/** Refusals of the runtime that are about the command's id, which the client knows as its key. */
const OF_KEYS: Readonly<Record<string, () => Refusal>> = {
  COMMAND_ID_REUSED: () => gatewayErrors.IDEMPOTENCY_KEY_REUSED({ field }),
  COMMAND_ID_TOO_LONG: () => gatewayErrors.BAD_IDEMPOTENCY_KEY({ field, message: "is too long" }),
  BAD_COMMAND_ID: () => gatewayErrors.BAD_IDEMPOTENCY_KEY({ field, message: "is not one plain key" }),
  ABANDONED: () => gatewayErrors.IDEMPOTENCY_KEY_ABANDONED({ field }),
};

/** What a request with a key failed with, as its client knows the matter; a recorded refusal says that it is one. */
export function inClientsWords(error: unknown, isReplay: boolean): unknown {
  if (!isRefusal(error)) return error;
  const ofKey = OF_KEYS[error.type];
  if (ofKey) return ofKey();
  if (!isReplay) return error;
  const { errors, members } = (error as { data?: Pick<RefusalDetail, "errors" | "members"> }).data ?? {};
  const message = `${error.message} (the first answer to this Idempotency-Key; to try again, send a new key)`;
  return new Refusal(error.type, {
    message,
    status: error.code,
    ...(errors && { errors }),
    ...(members && { members }),
  });
}
