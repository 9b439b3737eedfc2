// A field that a contract marks `writeOnly` (a keyword of JSON Schema) is for machines: a token, a key. The runtime records
// it and passes it on like any other field; code that shows records to people leaves it out. It goes by the field's name,
// since a journal or a dead letter holds the data of several contracts.
import type { PersonalFields } from "../kernel/index.ts";

/** Names of the fields that a contract marks, wherever in it they are. */
export function secretsOf(contract: object): string[] {
  const names = new Set<string>();
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, item] of Object.entries(value)) {
      if ((item as { writeOnly?: unknown } | null)?.writeOnly === true) names.add(key);
      walk(item);
    }
  };
  walk(contract);
  return [...names].sort();
}

/** The value with `…` for every field of these names, and for those that are personal. */
export function withoutSecrets(value: unknown, names: ReadonlySet<string>, personal?: PersonalFields): unknown {
  if (Array.isArray(value)) return value.map(item => withoutSecrets(item, names, personal));
  if (typeof value !== "object" || value === null) return value;
  const keys = Object.keys(value);
  const isHidden = (key: string): boolean => names.has(key) || (personal?.has(key, keys) ?? false);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, isHidden(key) ? "…" : withoutSecrets(item, names, personal)]),
  );
}
