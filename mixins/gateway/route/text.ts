// Finds text in a request that would not be stored as it was sent.
import { isUtf8 } from "node:buffer";
import type { Issue } from "../../kernel/index.ts";

/**
 * Fields whose text is not kept as it was sent: Postgres refuses a NUL (an input would become a 500), and half of a surrogate
 * pair comes back as another character, so that an id or a fingerprint no longer matches.
 */
export function brokenTextIn(value: unknown): Issue[] {
  const found: Issue[] = [];
  look(value, "", found);
  return found;
}

/** Builds the name of a field only for an issue: a body has thousands of fields. */
function look(value: unknown, field: string, found: Issue[]): void {
  if (isBroken(value)) found.push({ field, message: "holds what is not text" });
  if (typeof value !== "object" || value === null) return;
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    if (isBroken(item) || typeof item === "object") look(item, field === "" ? key : `${field}.${key}`, found);
  }
}

const isBroken = (value: unknown): boolean =>
  typeof value === "string" && (value.includes("\0") || !value.isWellFormed());

/**
 * Whether a part of a query means the same to every reader: percent-encoded UTF-8. A decoder makes U+FFFD of any other
 * escape, and Node reads a byte that is not escaped as Latin-1.
 */
export function isPlainUtf8(encoded: string): boolean {
  if (/[^\x21-\x7e]/.test(encoded)) return false;
  if (!encoded.includes("%")) return true;
  const bytes = encoded.replaceAll(/%([0-9a-f]{2})/gi, (_escape, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  return isUtf8(Buffer.from(bytes, "latin1"));
}
