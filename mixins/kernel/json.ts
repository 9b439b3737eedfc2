import { hash } from "node:crypto";

/** JSON with sorted keys: equal values give equal text, whatever order a client wrote its keys in. */
export function canonicalJson(value: unknown): string {
  if (typeof value === "string") return quoted(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  let text = "";
  if (Array.isArray(value)) {
    for (const item of value) text += `${text && ","}${canonicalJson(item)}`;
    return `[${text}]`;
  }
  for (const key of Object.keys(value).sort()) {
    const item = (value as Record<string, unknown>)[key];
    if (item !== undefined) text += `${text && ","}${quoted(key)}:${canonicalJson(item)}`;
  }
  return `{${text}}`;
}

/** Without quote, backslash, control character and half surrogate pair. */
const PLAIN = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/;
/** Most text needs no escape, and to find that out costs a fifth of what `JSON.stringify` does. */
const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));

/** Fingerprint of a command, equal when its id is repeated rightly (SHA-256, base64url, 43 characters). */
export const fingerprintOf = (kind: string, params: unknown): string =>
  hash("sha256", `${kind}\n${canonicalJson(params)}`, "base64url");

/**
 * A value as the JSON text that is stored of it. Throws TypeError where reading it back would give another value: a BigInt, a
 * cycle, nothing at all (`undefined`, a function), a number without end or an item of a list that JSON turns into null.
 */
export function storableJson(value: unknown, what: string): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError(`${what}: JSON cannot hold ${typeof value}`);
  // Only such text can hide one; to look at each value costs more than to write it.
  if (text.includes("null")) mustNotBecomeNull(value, what);
  return text;
}

function mustNotBecomeNull(value: unknown, at: string): void {
  if (typeof value === "number" && !Number.isFinite(value)) throw new TypeError(`${at}: JSON cannot hold ${value}`);
  if (typeof value !== "object" || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    const isLost = Array.isArray(value) && (item === undefined || typeof item === "function");
    if (isLost) throw new TypeError(`${at}.${key}: JSON cannot hold ${typeof item} in a list`);
    mustNotBecomeNull(item, `${at}.${key}`);
  }
}
