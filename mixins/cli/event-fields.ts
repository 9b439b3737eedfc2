// The fields of an event's shape, for people: one line a field, nested ones below.
type Json = Readonly<Record<string, unknown>>;

export interface Field {
  /** `lines[].code`. */
  readonly path: string;
  /** `string`, `integer or null`, `card`. */
  readonly type: string;
  readonly isOptional: boolean;
}

/** The fields of a schema, in its order. */
export function fieldsOf(schema: object, path = ""): Field[] {
  const {
    properties = {},
    required = [],
    items,
  } = schema as { properties?: Json; required?: string[]; items?: unknown };
  const named = Object.entries(properties).flatMap(([name, value]) => {
    const field = value as Json;
    const at = path === "" ? name : `${path}.${name}`;
    return [{ path: at, type: typeOf(field), isOptional: !required.includes(name) }, ...fieldsOf(field, at)];
  });
  const branches = ((schema as Json)["anyOf"] ?? []) as object[];
  const nested = isObject(items) ? fieldsOf(items, `${path}[]`) : [];
  return [...named, ...nested, ...branches.flatMap(branch => fieldsOf(branch, path))];
}

function typeOf(schema: Json): string {
  const { type, format, enum: values, anyOf, items } = schema;
  if (Object.hasOwn(schema, "const")) return shown(schema["const"]);
  if (Array.isArray(values)) return listOf(values.map(shown));
  if (Array.isArray(anyOf)) return listOf((anyOf as Json[]).map(typeOf));
  if (type === "array") return isObject(items) ? `list of ${typeOf(items)}` : "list";
  if (typeof type !== "string") return "any value";
  return typeof format === "string" ? `${type}, ${format}` : type;
}

/** Values of a vocabulary, such as countries, that are named. */
const NAMED_MAX = 10;
const listOf = (words: readonly string[]): string =>
  words.length > NAMED_MAX ? `one of ${words.length} values` : words.join(" or ");
const shown = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
