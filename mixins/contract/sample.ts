// A value that a schema accepts, made from the schema: an example in the API's description, the data of a golden sample.
import type { TSchema } from "typebox";
import { strictObject } from "./contract.ts";
import { exampleOf } from "./formats.ts";
import { compileSchema } from "./schema.ts";

type Schema = TSchema & {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema | readonly Schema[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly format?: string;
};

/** A value that one field must have. `path` has dots between fields and `[]` for the items of a list. */
export interface Wanted {
  readonly path: string;
  readonly value: unknown;
}

/** `full` has every optional field, `least` none, in nested objects and lists too. */
export type Extent = "full" | "least";

/**
 * A value of the schema. It prefers the `examples` of a field (a keyword of JSON Schema). A made-up text may not match
 * a pattern: the caller checks the value. `wanted` fixes one field.
 */
export function sampleOf(schema: TSchema, extent: Extent, wanted?: Wanted, path = ""): unknown {
  const { anyOf, oneOf, ...here } = schema as Schema;
  if (wanted?.path === path) return wanted.value;
  if (here.examples && here.examples.length > 0) return here.examples[0];
  if (here.default !== undefined) return here.default;
  if (Object.hasOwn(here, "const")) return here.const;
  if (here.enum) return here.enum[0];
  const branch = (anyOf ?? oneOf)?.[0];
  if (branch) return sampleOf(branch, extent, wanted, path);
  switch (here.type) {
    case "object":
      return objectOf(here, extent, wanted, path);
    case "array":
      return arrayOf(here, extent, wanted, path);
    case "string":
      return textOf(here);
    case "integer":
    case "number":
      return numberOf(here);
    case "boolean":
      return extent === "full";
    case "null":
      return null;
    default:
      return {};
  }
}

function objectOf(
  { properties = {}, required = [] }: Schema,
  extent: Extent,
  wanted: Wanted | undefined,
  path: string,
) {
  const fields = Object.entries(properties).filter(([name]) => extent === "full" || required.includes(name));
  return Object.fromEntries(
    fields.map(([name, field]) => [name, sampleOf(field, extent, wanted, path === "" ? name : `${path}.${name}`)]),
  );
}

/** At least one item, if the schema allows it: the sample must show the item's optional fields. */
function arrayOf(schema: Schema, extent: Extent, wanted: Wanted | undefined, path: string): unknown[] {
  const { items, minItems = 0, maxItems = Infinity } = schema;
  const itemOf = (item: Schema) => sampleOf(item, extent, wanted, `${path}[]`);
  if (Array.isArray(items)) return (items as Schema[]).map(itemOf);
  const length = Math.min(Math.max(1, minItems), maxItems);
  return Array.from({ length }, () => (items ? itemOf(items as Schema) : {}));
}

function numberOf({ minimum, exclusiveMinimum, maximum = Infinity }: Schema): number {
  const least = exclusiveMinimum === undefined ? (minimum ?? -Infinity) : exclusiveMinimum + 1;
  return Math.min(Math.max(1, least), maximum);
}

/** Texts for common patterns. */
const GUESSES = [
  "sample",
  "Sample",
  "SAMPLE",
  "sample-1",
  "S-1",
  "1",
  "2026-01-01T12:00:00.000Z",
  "0190a0a0-0000-7000-8000-000000000000",
  "GB",
  "EUR",
  "/sample",
  "https://example.com/sample",
  "0123456789abcdef",
];

/**
 * Texts that were found, by the JSON of their schema: a search compiles the schema, 0.3 ms, and an API has some hundred
 * fields of some fifty schemas. More schemas than the limit are searched for anew each time.
 */
const found = new Map<string, string>();
const FOUND_MAX = 1_000;

function textOf(schema: Schema): string {
  const key = JSON.stringify(schema);
  const known = found.get(key) ?? searched(schema);
  if (found.size < FOUND_MAX) found.set(key, known);
  return known;
}

function searched(schema: Schema): string {
  const { minLength = 0, maxLength = Infinity, format } = schema;
  const check = compileSchema(strictObject({ text: schema }));
  const guesses = [exampleOf(format) ?? [], GUESSES].flat();
  const fitting = guesses.map(text => text.padEnd(minLength, "x").slice(0, maxLength));
  return fitting.find(text => check({ text }) === true) ?? fitting[0]!;
}
