import type { Issue } from "../../mixins/kernel/index.ts";

/**
 * Fields whose text is not kept as it was sent: Postgres refuses a NUL (a 500 out of an input), half of a surrogate pair
 * comes back as another character, and with it an id or a fingerprint that no longer matches.
 */
export function brokenTextIn(value: unknown, field = ""): Issue[] {
  if (typeof value === "string")
    return value.includes("\0") || !value.isWellFormed() ? [{ field, message: "holds what is not text" }] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => brokenTextIn(item, field === "" ? key : `${field}.${key}`));
}
