// The form of an API key: `vk_<id>_<secret>_<check>`. The prefix lets scanners of repositories find a key that was committed
// by mistake; the id finds its row; the check, a CRC-32 of all before it, tells a typo without asking anybody. The secret
// has 256 random bits, so that a fast hash is enough to keep it by (argon2 is for what people can remember).
import { crc32 } from "node:zlib";

const FORM = /^vk_([0-9a-f]{32})_([\w-]{43})_([0-9a-f]{8})$/;
const PREFIX = "vk_";

/** Whether a text claims to be an API key. */
export const isLikeApiKey = (text: string): boolean => text.startsWith(PREFIX);

/** The key with this id (a UUID) and secret (32 bytes in base64url). */
export function apiKey(id: string, secret: string): string {
  const body = `${PREFIX}${id.replaceAll("-", "")}_${secret}`;
  return `${body}_${checkOf(body)}`;
}

/** The id in an API key, a UUID; undefined for a text that is none, or one that was copied wrong. */
export function apiKeyId(text: string): string | undefined {
  const [, id, , check] = FORM.exec(text) ?? [];
  if (id === undefined || checkOf(text.slice(0, text.lastIndexOf("_"))) !== check) return undefined;
  return id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const checkOf = (text: string): string => crc32(text).toString(16).padStart(8, "0");
