// The place of a mistake in a schema. Ajv stops at the first mistake and for most of them does not say where it is; the author
// of a hundred fields has to be told the service, the action and the field.
import { Misconfigured } from "../kernel/index.ts";
import { ajv } from "./ajv.ts";
import { formatOf } from "./formats.ts";

interface Fault {
  /** Path below the place that the caller names: `.lines[].code`, "" for the schema itself. */
  readonly path: string;
  readonly reason: string;
}

/**
 * Throws Misconfigured, `<where><path>: <reason>`, for an unknown keyword or format, a pattern that is no regular
 * expression, a keyword whose value is wrong, and bounds that no value can meet. `where` names the place of the schema:
 * `loyalty.open: params`. It compiles nothing: a contract is checked so when it is defined.
 */
export function assertSchema(schema: unknown, where: string): void {
  const fault = faultIn(schema, "") ?? metaFaultOf(schema);
  if (fault) throw schemaError(where, fault);
}

const schemaError = (where: string, { path, reason }: Fault): Misconfigured =>
  new Misconfigured(`${where}${path}: ${reason}`);

/**
 * The error for Ajv's own error about a schema that `assertSchema` passed; Ajv's message names the place as a JSON
 * pointer.
 */
export function compileError(where: string, error: unknown): Misconfigured {
  const { message } = error as Error;
  const pointer = /(?: at (?:path )?)?"#([^"]*)"(?: \(strict\w+\))?/;
  const [, path = ""] = pointer.exec(message) ?? [];
  return schemaError(where, { path: pathOf(path), reason: message.replace(pointer, "").replace("strict mode: ", "") });
}

function faultIn(schema: unknown, path: string): Fault | undefined {
  if (!isObject(schema)) return undefined;
  const reason = reasonIn(schema);
  if (reason !== undefined) return { path, reason };
  for (const [step, child] of childrenOf(schema)) {
    const fault = faultIn(child, path + step);
    if (fault) return fault;
  }
  return undefined;
}

const BOUNDS = ["Length", "imum", "Items", "Properties"].map(noun => [`min${noun}`, `max${noun}`] as const);

function reasonIn(schema: Record<string, unknown>): string | undefined {
  for (const keyword of Object.keys(schema))
    if (!Object.hasOwn(ajv.RULES.keywords, keyword)) return `unknown keyword "${keyword}"`;
  const { format, pattern } = schema;
  if (typeof format === "string" && !formatOf(format))
    return `unknown format "${format}"; defineFormat adds one of your own`;
  if (typeof pattern === "string") {
    const complaint = complaintOf(pattern);
    if (complaint !== undefined) return `pattern: ${complaint}`;
  }
  for (const [min, max] of BOUNDS) {
    const [least, most] = [schema[min], schema[max]];
    if (typeof least === "number" && typeof most === "number" && least > most)
      return `${min} ${least} is above ${max} ${most}: no value can meet both`;
  }
  return undefined;
}

function complaintOf(pattern: string): string | undefined {
  try {
    return void RegExp(pattern, "u");
  } catch (error) {
    return (error as Error).message;
  }
}

/** A value of the wrong kind: `minLength: "3"`, `required: true`. */
function metaFaultOf(schema: unknown): Fault | undefined {
  if (typeof schema !== "boolean" && !isObject(schema)) return { path: "", reason: "is no schema" };
  if (ajv.validateSchema(schema) === true) return undefined;
  const { instancePath, message = "is wrong" } = ajv.errors![0]!;
  return { path: pathOf(instancePath), reason: message };
}

const NAMED = ["properties", "patternProperties", "$defs", "definitions"];
const ITEMS = ["items", "contains", "additionalItems"];
const SAME = ["anyOf", "allOf", "oneOf", "not", "if", "then", "else"];
const KEYS = ["additionalProperties", "propertyNames"];

/** The schemas within a schema, with the step that leads there: into a field, into the items, or none. */
function childrenOf(schema: Record<string, unknown>): [step: string, child: unknown][] {
  const at = (keywords: readonly string[], step: string): [string, unknown][] =>
    keywords.flatMap(keyword => [schema[keyword]].flat().map((child): [string, unknown] => [step, child]));
  return [
    ...NAMED.flatMap(keyword =>
      isObject(schema[keyword])
        ? Object.entries(schema[keyword]).map(([name, child]): [string, unknown] => [`.${name}`, child])
        : [],
    ),
    ...at(ITEMS, "[]"),
    ...at(SAME, ""),
    ...at(KEYS, "{}"),
  ];
}

/** `/properties/lines/items/properties/code/minLength` as `.lines[].code.minLength`. */
function pathOf(pointer: string): string {
  const steps = pointer.split("/").slice(1);
  let path = "";
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]!;
    if (NAMED.includes(step) && i + 1 < steps.length)
      path += `.${steps[++i]!.replaceAll("~1", "/").replaceAll("~0", "~")}`;
    else if (ITEMS.includes(step)) path += "[]";
    else if (KEYS.includes(step)) path += "{}";
    else if (!SAME.includes(step) && !/^\d+$/.test(step)) path += `.${step}`;
  }
  return path;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
