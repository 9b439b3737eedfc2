// The types of the packed client: `types.ts` says the same by the route table, which a program outside of the repository does not
// have. Written from the schemas that the routes and the contracts are made of; `npm run types` compares the two.
import type { TProperties, TSchema } from "typebox";
import { contractOf, returnsOf } from "@valence/runtime/contract";
import type { Route } from "@valence/runtime/gateway";
import { usualCodes } from "../mixins/gateway/openapi/usual-errors.ts";
import { routes } from "../services/api/routes/index.ts";
import { table } from "./table.ts";

/** `types.ts` without an import, as TypeScript. Throws TypeError for a schema that has no type here. */
export function flatTypes(): string {
  const byLine = new Map((routes as readonly Route[]).map(route => [lineOf(route), route]));
  const lines = Object.values(table).flatMap(group => Object.values<string>(group));
  const typed = lines.map(line => `  ${JSON.stringify(line)}: ${typesOf(byLine.get(line)!)};`);
  return [
    "/** Types of the routes, by line. */",
    `export interface Routes {\n${typed.join("\n")}\n}`,
    "export type Line = keyof Routes;",
    "/** Codes that any call may meet, besides the refusals of its own operation. */",
    `export type GeneralCode = ${oneOf([...new Set(usualCodes)].sort())};\n`,
  ].join("\n");
}

const lineOf = ({ method, url }: Route): string => `${method} ${url.replace(/^\/api(\/v1)?/, "")}`;

function typesOf({ path, query: { fields: _fields, ...query }, body, target }: Route): string {
  const { action } = "stream" in target ? target.stream : target;
  const [service = "", name = ""] = action.split(".");
  const { mayRefuse, refusals, ...contract } = contractOf(service)!;
  const codes = (mayRefuse as Readonly<Record<string, readonly string[]>>)[name] ?? Object.keys(refusals);
  const places = `path: ${fieldsOf(path)}; query: ${fieldsOf(query)}; body: ${fieldsOf(body)}; refusals: ${oneOf(codes)}`;
  if ("stream" in target) return `{ ${places}; event: ${typeOf(target.stream.event ?? {})} }`;
  const { returns } = returnsOf({ ...contract, mayRefuse, refusals } as never, name);
  const { representation, status, list, lines, hints } = target;
  if (hints !== undefined) return `{ ${places}; event: ${typeOf(hints)} }`;
  const answer = status === 204 ? "undefined" : typeOf(representation?.returns ?? returns ?? {});
  const rows = representation && list !== undefined ? "data" : (list ?? lines);
  return `{ ${places}; answer: ${answer}; rows: ${rows === undefined ? "never" : JSON.stringify(rows)} }`;
}

const oneOf = (values: readonly unknown[]): string =>
  values.length === 0 ? "never" : values.map(value => JSON.stringify(value)).join(" | ");
const fieldsOf = (properties: TProperties): string =>
  typeOf({
    type: "object",
    properties,
    required: Object.keys(properties).filter(name => !("~optional" in properties[name]!)),
  });

/** The words of JSON Schema that contracts use. */
interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, Schema>>;
}

/** The TypeScript type of the values that a schema lets pass. */
export function typeOf(schema: TSchema | Schema): string {
  const { type, enum: values, anyOf, allOf, items, properties, required = [], patternProperties } = schema as Schema;
  if ("const" in schema) return JSON.stringify(schema.const);
  if (values) return oneOf(values);
  if (anyOf) return `(${anyOf.map(typeOf).join(" | ")})`;
  if (allOf) return `(${allOf.map(typeOf).join(" & ")})`;
  if (type === "array") return `Array<${typeOf(items ?? {})}>`;
  if (patternProperties) return `Record<string, ${Object.values(patternProperties).map(typeOf).join(" | ")}>`;
  if (properties) {
    const fields = Object.entries(properties).map(
      ([name, field]) => `${JSON.stringify(name)}${required.includes(name) ? "" : "?"}: ${typeOf(field)}`,
    );
    return `{ ${fields.join("; ")} }`;
  }
  const plain = PLAIN[type ?? "unknown"];
  if (plain === undefined) throw new TypeError(`no type for the schema ${JSON.stringify(schema)}`);
  return plain;
}
const PLAIN: Readonly<Record<string, string>> = {
  string: "string",
  integer: "number",
  number: "number",
  boolean: "boolean",
  null: "null",
  object: "object",
  unknown: "unknown",
};
