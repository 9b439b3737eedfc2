// Idempotency-Key: how the header is written, and a refusal about the command id in the words of the client, which knows the id
// as its key.
import type { IncomingMessage } from "node:http";
import Type from "typebox";
import { Refusal } from "../../kernel/index.ts";
import { refusedOf } from "@valence/runtime/contract";

export const KEY_FIELD = "Idempotency-Key";
/**
 * The header as it is sent: an sf-string (RFC 9651, as draft-ietf-httpapi-idempotency-key-header has it), or the bare key
 * that most clients send: a UUID, a ULID, base64. Bare text has no comma or semicolon: two fields arrive joined by a comma,
 * and parameters follow a semicolon. The API's description shows this same schema.
 */
const PATTERN = String.raw`^(?:"(?:[ !#-\[\]-~]|\\["\\]){1,128}"|[!#-+\--:<-\[\]-~]{1,128})$`;
const KEY = new RegExp(PATTERN);
export const KEY_HEADER = {
  description:
    "1 to 128 printable ASCII characters, in quotes (an sf-string) or, without comma, semicolon, backslash, quote and " +
    "blank, bare. A repeat with the same key gets the first answer, marked `Idempotency-Replayed: true`.",
  schema: Type.String({ pattern: PATTERN }),
};

/** The client's key, or undefined without one; quoted and bare it is the same. Refuses (400) a malformed key. */
export function parseKey(headers: IncomingMessage["headers"]): string | undefined {
  const text = headers["idempotency-key"];
  if (text === undefined) return undefined;
  if (typeof text !== "string" || !KEY.test(text))
    throw new Refusal("BAD_IDEMPOTENCY_KEY", {
      status: 400,
      field: KEY_FIELD,
      message:
        "one key of 1 to 128 printable ASCII characters: in quotes, or without comma, semicolon, backslash, quote and blank",
    });
  return text.startsWith('"') ? text.slice(1, -1).replaceAll(/\\(.)/g, "$1") : text;
}

/** Refusals of the runtime that are about the command id, as the client reads them. */
const OF_KEYS: Readonly<Record<string, { type: string; status: number; message: string }>> = {
  COMMAND_ID_REUSED: {
    type: "IDEMPOTENCY_KEY_REUSED",
    status: 422,
    message: "this key was used before, for another request: send a new key",
  },
  COMMAND_ID_TOO_LONG: { type: "BAD_IDEMPOTENCY_KEY", status: 400, message: "is too long" },
  BAD_COMMAND_ID: { type: "BAD_IDEMPOTENCY_KEY", status: 400, message: "is not one plain key" },
  ABANDONED: {
    type: "IDEMPOTENCY_KEY_ABANDONED",
    status: 409,
    message: "the request with this key was given up before it was carried out: send a new key",
  },
};

/** The error of a request with a key, in the client's words. A refusal that is a recorded answer says so. */
export function inClientsWords(error: unknown, isReplay: boolean): unknown {
  const refused = refusedOf(error);
  if (!refused) return error;
  const ofKey = OF_KEYS[refused.type];
  if (ofKey) return new Refusal(ofKey.type, { ...ofKey, field: KEY_FIELD });
  if (!isReplay) return error;
  const message = `${refused.message} (the first answer to this Idempotency-Key; to try again, send a new key)`;
  return new Refusal(refused.type, { ...refused, message });
}
