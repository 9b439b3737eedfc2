// Too many keys or items in a value, reported before Ajv complains of each of them: 12,000 unknown keys cost 16 ms, as
// many items more, and an answer names 20 issues.
import type { SchemaObject } from "ajv";
import type { Issue } from "../kernel/index.ts";

/** Issues in one answer. It goes to a client, not to a log: enough to mend a form. */
export const ISSUES_MAX = 20;

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

const none = (_value: object): Issue[] | undefined => undefined;

/** Finds surplus keys and items of an object whose schema allows no unknown keys; for any other schema it finds nothing. */
export function excessOf(schema: SchemaObject): (value: object) => Issue[] | undefined {
  if (schema["additionalProperties"] !== false) return none;
  const properties = schema["properties"] as Record<string, SchemaObject>;
  const keysMax = Object.keys(properties).length + ISSUES_MAX;
  const itemsMax = Object.entries(properties).flatMap(([field, { maxItems }]): [string, number][] =>
    typeof maxItems === "number" ? [[field, maxItems]] : [],
  );
  const inside = Object.entries(properties).flatMap(([field, property]): [string, typeof none][] =>
    property["additionalProperties"] === false ? [[field, excessOf(property)]] : [],
  );
  return value => {
    const keys = Object.keys(value);
    if (keys.length > keysMax) {
      // Among so many keys there are at least as many unknown ones as an answer names.
      const some = keys.slice(0, keysMax).filter(key => !Object.hasOwn(properties, key));
      return some.slice(0, ISSUES_MAX).map(field => ({ field, message: "is not allowed" }));
    }
    for (const [field, max] of itemsMax) {
      const items = (value as Record<string, unknown>)[field];
      if (Array.isArray(items) && items.length > max)
        return [{ field, message: `must NOT have more than ${max} items` }];
    }
    for (const [field, excess] of inside) {
      const inner = (value as Record<string, unknown>)[field];
      const found = isObject(inner) ? excess(inner) : undefined;
      if (found) return found.map(issue => ({ ...issue, field: `${field}.${issue.field}` }));
    }
    return undefined;
  };
}
