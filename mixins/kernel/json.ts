import { hash } from "node:crypto";

/** JSON with sorted keys: equal values give equal text, whatever order a client wrote its keys in. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(item => canonicalJson(item ?? null)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** Fingerprint of a command: what must be equal when its id is repeated (SHA-256, base64url, 43 characters). */
export const fingerprintOf = (kind: string, params: unknown): string =>
  hash("sha256", `${kind}\n${canonicalJson(params)}`, "base64url");
