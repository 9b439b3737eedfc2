// The shape and the data of an event as readers outside get them: without the fields that the contract marks as secret or
// personal, and open to fields that a later release adds.
import type { TSchema } from "typebox";
import type { PersonalFields } from "../../kernel/index.ts";
import { jsonWithoutSecrets } from "../secrets.ts";

type Json = Readonly<Record<string, unknown>>;

/** Our own keywords and formats: no other validator knows them, and some refuse what they do not know. */
const isOwn = (keyword: string): boolean => keyword.startsWith("x-");
const FORMATS: ReadonlySet<unknown> = new Set(
  "date-time date time duration email hostname ipv4 ipv6 uri uri-reference uuid regex json-pointer".split(" "),
);

/** Fields that do not leave: those of these names, at any depth, and personal ones. */
export interface KeptFields {
  readonly secrets: ReadonlySet<string>;
  readonly personal?: PersonalFields | undefined;
}

/** Objects are open: a reader passes over fields that it does not know. */
export function publicShape(schema: TSchema, kept: KeptFields): TSchema {
  return publicPart(schema, kept) as TSchema;
}

function publicPart(value: unknown, kept: KeptFields): unknown {
  if (Array.isArray(value)) return value.map(item => publicPart(item, kept));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as Json).flatMap(([keyword, part]) => {
      if (isOwn(keyword) || (keyword === "additionalProperties" && part === false)) return [];
      if (keyword === "format" && !FORMATS.has(part)) return [];
      if (keyword === "required") return requiredOf(part as string[], value as Json, kept);
      if (NAMED.has(keyword)) return [[keyword, fieldsOf(part as Json, kept)]];
      return [[keyword, DATA.has(keyword) ? publicData(part, kept) : publicPart(part, kept)]];
    }),
  );
}

/** Keywords whose values are schemas by names, and those whose values are data. */
const NAMED: ReadonlySet<string> = new Set(["properties", "patternProperties"]);
const DATA: ReadonlySet<string> = new Set(["const", "enum", "examples", "default"]);

const isKept = ({ secrets, personal }: KeptFields, name: string, beside: readonly string[]): boolean =>
  secrets.has(name) || (personal?.has(name, beside) ?? false);

function requiredOf(names: readonly string[], { properties }: Json, kept: KeptFields): [string, string[]][] {
  const beside = Object.keys((properties as Json | undefined) ?? names);
  const left = names.filter(name => !isKept(kept, name, beside));
  return left.length === 0 ? [] : [["required", left]];
}

function fieldsOf(fields: Json, kept: KeptFields): Json {
  const names = Object.keys(fields);
  const left = names.filter(name => !isKept(kept, name, names));
  return Object.fromEntries(left.map(name => [name, publicPart(fields[name], kept)]));
}

/** The data without the fields that do not leave. */
export const publicData = (data: unknown, { secrets, personal }: KeptFields): unknown =>
  JSON.parse(jsonWithoutSecrets(data, secrets, personal).json);
