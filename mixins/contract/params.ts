// Params come from outside. Text of some formats (a UUID) has several spellings of one value: params are brought into the
// one that is kept and compared, wherever the schema names such a format, before they are checked.
import type { SchemaObject } from "ajv";
import { isObject } from "./excess.ts";
import { formatOf } from "./formats.ts";
import { compile, type Check, type Normalize } from "./schema.ts";

/** As `compileSchema`, for values from outside: the check first brings texts into their normal form, in place. */
export const compileParams = (schema: SchemaObject, where = "params"): Check => {
  const normalize = normalizerOf(schema);
  return compile(schema, where, normalize);
};

/** Normalizes the texts below the value that it is given; undefined where the schema has none. */
function normalizerOf(schema: SchemaObject): Normalize | undefined {
  const branches = [schema["anyOf"], schema["allOf"], schema["oneOf"]].flat() as (SchemaObject | undefined)[];
  const inside = branches.map(branch => branch && normalizerOf(branch));
  for (const [key, property] of Object.entries((schema["properties"] ?? {}) as Record<string, SchemaObject>)) {
    const within = normalizerOf(property);
    inside.push(within && (value => isObject(value) && Object.hasOwn(value, key) && within(value[key])));
    inside.push(replacing(property, value => (isObject(value) && Object.hasOwn(value, key) ? [key] : [])));
  }
  const items = schema["items"] as SchemaObject | undefined;
  if (items) {
    const within = normalizerOf(items);
    inside.push(within && (list => Array.isArray(list) && list.forEach(item => within(item))));
    inside.push(replacing(items, list => (Array.isArray(list) ? Object.keys(list) : [])));
  }
  const all = inside.filter(normalize => normalize !== undefined);
  return all.length === 0 ? undefined : value => all.forEach(normalize => normalize(value));
}

/** Replaces the texts under some keys of an object or list by their normal form. */
function replacing({ format }: SchemaObject, keysOf: (holder: unknown) => string[]): Normalize | undefined {
  const form = formatOf(format)?.normalize;
  if (!form) return undefined;
  return holder => {
    for (const key of keysOf(holder)) {
      const texts = holder as Record<string, unknown>;
      const text = texts[key];
      if (typeof text !== "string") continue;
      const normal = form(text);
      // Text in normal form is not written: its holder may be frozen.
      if (normal !== text) texts[key] = normal;
    }
  };
}
