// Schemas of a description by their names: a schema with a `title` stands once, among the components, and every place that
// has it refers to it. Generators of clients make one type of it, where equal inline schemas would become `Address1`,
// `Address2`, and so on.
import type { TSchema } from "typebox";

type Json = Readonly<Record<string, unknown>>;

/** Keywords whose value is a schema, a list of schemas, or schemas by name. All others are copied. */
const SCHEMA = new Set(["items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames"]);
const LIST = new Set(["anyOf", "oneOf", "allOf", "prefixItems"]);
const BY_NAME = new Set(["properties", "patternProperties", "$defs", "dependentSchemas"]);

/** Titles that are names of types; any other title is a text for people. */
const TYPE_NAME = /^[A-Z][A-Za-z0-9]*$/;

export class NamedSchemas {
  readonly #texts = new Map<string, string>();
  /** The components, by name. */
  readonly components: Record<string, Json> = {};

  /** The schema with a reference in place of each schema that has a name, itself included. */
  refer(schema: TSchema): Json {
    return this.#walk(schema as Json);
  }

  /** As `refer`, for a schema that gets this name if it has none. */
  referAs(name: string, schema: TSchema): Json {
    const { title } = schema as Json;
    return this.#walk({ ...schema, ...(!isTypeName(title) && { title: name }) });
  }

  #walk(schema: Json): Json {
    const walked = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, this.#part(key, value)]));
    const { title } = walked;
    return isTypeName(title) ? { $ref: `#/components/schemas/${this.#nameFor(title, walked)}` } : walked;
  }

  #part(keyword: string, value: unknown): unknown {
    if (Array.isArray(value))
      return LIST.has(keyword) || keyword === "items" ? value.map(item => this.#any(item)) : value;
    if (SCHEMA.has(keyword)) return this.#any(value);
    if (!BY_NAME.has(keyword)) return value;
    return Object.fromEntries(Object.entries(value as Json).map(([name, item]) => [name, this.#any(item)]));
  }

  /** `additionalProperties` may be a boolean. */
  #any(value: unknown): unknown {
    return typeof value === "object" && value !== null ? this.#walk(value as Json) : value;
  }

  /**
   * The name of a component. Another schema under the same title gets a number: services of two releases may describe a
   * type differently while an update runs.
   */
  #nameFor(title: string, schema: Json): string {
    const text = JSON.stringify(schema);
    for (let n = 1; ; n++) {
      const name = n === 1 ? title : `${title}_${n}`;
      const taken = this.#texts.get(name);
      if (taken === text) return name;
      if (taken !== undefined) continue;
      this.#texts.set(name, text);
      this.components[name] = schema;
      return name;
    }
  }
}

const isTypeName = (title: unknown): title is string => typeof title === "string" && TYPE_NAME.test(title);
