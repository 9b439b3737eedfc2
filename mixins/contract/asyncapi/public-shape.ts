// The shape and the data of an event as readers outside get them: without the fields that the contract marks as secret, and
// open to fields that a later release adds.
import type { TSchema } from "typebox";
import { jsonWithoutSecrets } from "../secrets.ts";

type Json = Readonly<Record<string, unknown>>;

/** Our own keywords and formats: no other validator knows them, and some refuse what they do not know. */
const isOwn = (keyword: string): boolean => keyword.startsWith("x-");
const FORMATS: ReadonlySet<unknown> = new Set(
  "date-time date time duration email hostname ipv4 ipv6 uri uri-reference uuid regex json-pointer".split(" "),
);

/** `secrets`: names of fields, which go at any depth. Objects are open: a reader passes over fields that it does not know. */
export function publicShape(schema: TSchema, secrets: ReadonlySet<string>): TSchema {
  return publicPart(schema, secrets) as TSchema;
}

function publicPart(value: unknown, secrets: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map(item => publicPart(item, secrets));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as Json).flatMap(([keyword, part]) => {
      if (isOwn(keyword) || (keyword === "additionalProperties" && part === false)) return [];
      if (keyword === "format" && !FORMATS.has(part)) return [];
      if (keyword === "required") return requiredOf(part as string[], secrets);
      if (NAMED.has(keyword)) return [[keyword, fieldsOf(part as Json, secrets)]];
      return [[keyword, DATA.has(keyword) ? publicData(part, secrets) : publicPart(part, secrets)]];
    }),
  );
}

/** Keywords whose values are schemas by names, and those whose values are data. */
const NAMED: ReadonlySet<string> = new Set(["properties", "patternProperties"]);
const DATA: ReadonlySet<string> = new Set(["const", "enum", "examples", "default"]);

function requiredOf(names: readonly string[], secrets: ReadonlySet<string>): [string, string[]][] {
  const left = names.filter(name => !secrets.has(name));
  return left.length === 0 ? [] : [["required", left]];
}

const fieldsOf = (fields: Json, secrets: ReadonlySet<string>): Json =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) => (secrets.has(name) ? [] : [[name, publicPart(field, secrets)]])),
  );

/** The data without its secrets. */
export const publicData = (data: unknown, secrets: ReadonlySet<string>): unknown =>
  JSON.parse(jsonWithoutSecrets(data, secrets).json);
