// A field that a contract marks `writeOnly` (a keyword of JSON Schema) is for machines: a token, a key. The runtime records
// it and passes it on like any other field; code that shows records to people leaves it out. It goes by the field's name,
// since a journal or a dead letter holds the data of several contracts.
import type { PersonalFields } from "../kernel/index.ts";

/**
 * Names of the fields that these schemas mark, wherever in them they are. A mark on the items of a list, on the values of a
 * record or on one of several shapes is one on the field that has them.
 */
export function secretsOf(schemas: object): string[] {
  const names = new Set<string>();
  const walk = (value: unknown, field: string): void => {
    if (typeof value !== "object" || value === null) return;
    if ((value as { writeOnly?: unknown }).writeOnly === true) names.add(field);
    for (const [key, item] of Object.entries(value))
      if (key === "patternProperties" && isSchema(value, "object"))
        for (const part of Object.values(item as object)) walk(part, field);
      else walk(item, isPartOfField(value, key) ? field : key);
  };
  walk(schemas, "");
  return [...names].sort();
}

/**
 * Whether a key leads to a part of the same field's schema, and is no field's name. A contract may have a field `items`: its
 * schema lies beside those of other fields, and not in a schema of the type `array`.
 */
function isPartOfField(parent: object, key: string): boolean {
  if (Array.isArray(parent)) return true;
  if (key === "items") return isSchema(parent, "array");
  if (key === "additionalProperties") return isSchema(parent, "object");
  return SEVERAL.has(key) && Array.isArray((parent as Record<string, unknown>)[key]);
}
const SEVERAL: ReadonlySet<string> = new Set(["anyOf", "oneOf", "allOf"]);
const isSchema = (value: object, type: string): boolean => (value as { type?: unknown }).type === type;

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

/**
 * A value as JSON text without the fields of these names, at any depth, and without those that are personal; and the names of those
 * that it had.
 */
export function jsonWithoutSecrets(
  value: unknown,
  names: ReadonlySet<string>,
  personal?: PersonalFields,
): { readonly json: string; readonly withheld: readonly string[] } {
  if (names.size === 0 && personal === undefined) return { json: JSON.stringify(value), withheld: [] };
  const withheld = new Set<string>();
  const json = JSON.stringify(value, function (this: object, key, item: unknown) {
    if (names.has(key) || personal?.has(key, Object.keys(this))) return void withheld.add(key);
    return item;
  });
  return { json, withheld: [...withheld].sort() };
}
