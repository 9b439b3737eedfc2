// JSON Schema checked by Ajv in strict mode: a misspelt keyword stops the start, an unknown field is refused by name.
import { Ajv, type ErrorObject, type SchemaObject } from "ajv";
import type { DataValidateFunction, DataValidationCxt } from "ajv/dist/types/index.js";
import { type Bug, EMAIL, plainError, type Issue } from "../kernel/index.ts";
import { COUNTRIES } from "./countries.ts";
import { callErrors } from "./errors.ts";
import { TEXT_KEYWORD, TEXT_KINDS } from "./person-text.ts";

/** An answer to a client, not a log: enough to mend a form. */
const ISSUES_MAX = 20;

const ajv = new Ajv({ strict: true, allErrors: true });
ajv.addFormat("uuid", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i);
/** An id that may be a UUID, as an order's is, or begins with one: `compileParams` lower-cases it like any other. */
ajv.addFormat("entity-id", true);
ajv.addFormat("email", EMAIL);
/** As the runtime's own list has them, the historic ones too: what was sold for marks stays readable. */
const CURRENCIES = new Set(Intl.supportedValuesOf("currency"));
ajv.addFormat("iso-4217", (code: string) => CURRENCIES.has(code));
/** The number of a payment card, blanks and the like between its digits: 12 to 19 of them, with the right sum (Luhn). */
ajv.addFormat("no-card-number", (text: string) => !isCardNumber(text));
ajv.addFormat("iso-3166", (code: string) => COUNTRIES.has(code));
ajv.addFormat("date-time", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/);

/** Values that a message lists: of more it says how many there are. */
const LISTED_MAX = 30;
const oneOf = (values: readonly unknown[]): string =>
  values.length > LISTED_MAX
    ? `must be one of the ${values.length} allowed values`
    : `must be one of ${values.map(value => (typeof value === "string" ? value : JSON.stringify(value))).join(", ")}`;
function isCardNumber(text: string): boolean {
  if (!/^[\d\s._/-]*$/u.test(text)) return false;
  const digits = text.replaceAll(/\D/g, "");
  if (digits.length < 12 || digits.length > 19) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const doubled = Number(digits.at(-1 - i)) * (i % 2 === 0 ? 1 : 2);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

const NOWHERE = { parentData: {}, parentDataProperty: "" } as unknown as DataValidationCxt;
/** Characters of a text, for each that it may have, that are still worth composing: more is too long in any form. */
const DECOMPOSED_MAX = 4;

// It writes the normal form into the value, so that whoever comes after the check meets no other one. A text that is in
// it already is left alone: a caller's frozen objects pass.
ajv.addKeyword({
  keyword: TEXT_KEYWORD,
  type: "string",
  schemaType: "string",
  metaSchema: { enum: Object.keys(TEXT_KINDS) },
  before: "maxLength",
  modifying: true,
  errors: true,
  compile(kind: string, { maxLength }) {
    const normalise = TEXT_KINDS[kind]!;
    const unfit = (message: string): false => {
      check.errors = [{ keyword: TEXT_KEYWORD, params: {}, message }];
      return false;
    };
    const check: DataValidateFunction = (text: string, { parentData, parentDataProperty } = NOWHERE) => {
      if (text.length > maxLength * DECOMPOSED_MAX) return true;
      const normal = normalise(text);
      if (normal === undefined) return unfit("must be text without control characters or marks of direction");
      if (normal === text) return true;
      if (Object.isFrozen(parentData)) return unfit("must be in normal form: trimmed, and composed (NFC)");
      parentData[parentDataProperty] = normal;
      return true;
    };
    return check;
  },
});

function toIssue({ instancePath, keyword, params, message = "is invalid" }: ErrorObject): Issue {
  const key: string | undefined = params["additionalProperty"] ?? params["missingProperty"];
  const path = key === undefined ? instancePath : `${instancePath}/${key}`;
  const field = path.slice(1).replaceAll("/", ".");
  if (keyword === "enum") return { field, message: oneOf(params["allowedValues"]) };
  if (keyword === "const") return { field, message: oneOf([params["allowedValue"]]) };
  const said: Record<string, string> = { required: "is required", additionalProperties: "is not allowed" };
  const told =
    params["format"] === "no-card-number" ? "is a card's number: send the token that stands for it" : message;
  return { field, message: said[keyword] ?? told };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

const none = (_value: object): Issue[] | undefined => undefined;
/** What is too much of an object that a schema knows whole, before Ajv complains of each key and item of it. */
function excessOf(schema: SchemaObject): (value: object) => Issue[] | undefined {
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
      // Among so many there are as many unknown ones as are told of.
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

export type Check = (value: unknown) => true | Issue[];

/**
 * Compiles a schema. The check answers true, or what is wrong, at most 20 issues; fields of people's text it brings into
 * their normal form, in the value itself. Throws Bug `CHECK_FAILED` where a value
 * cannot be looked at (a getter that throws), or a format's own function throws.
 */
export const compileSchema = (schema: SchemaObject): Check => compile(schema, undefined);

/** `normalize` sees no value that has too much in it. */
function compile(schema: SchemaObject, normalize: Normalize | undefined): Check {
  const check = ajv.compile<unknown>(schema);
  const excess = excessOf(schema);
  return value => {
    try {
      // 12,000 unknown keys cost 16 ms, as many items more: nobody is told of more than 20.
      const tooMuch = isObject(value) ? excess(value) : undefined;
      if (tooMuch) return tooMuch;
      normalize?.(value);
      // An `if` that fails says so besides what fails in it.
      return (
        check(value) ||
        check
          .errors!.filter(({ keyword }) => keyword !== "if")
          .slice(0, ISSUES_MAX)
          .map(toIssue)
      );
    } catch (cause) {
      throw checkFailed(cause);
    }
  };
}

const checkFailed = (cause: unknown): Bug => callErrors.CHECK_FAILED({ reason: plainError(cause).message, cause });

const CAPITALS = /[A-F]/;
/** First, or after the actor's name in a token. */
const UUID_FIRST = /(?<=^(?:[a-z][\w-]{0,63}:)?)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i;
const withLowerCaseUuid = (text: string): string =>
  CAPITALS.test(text) ? text.replace(UUID_FIRST, uuid => uuid.toLowerCase()) : text;

/** The one form in which text of a format is kept and compared, whatever form a client writes it in. */
const NORMAL_FORMS: Readonly<Record<string, (text: string) => string>> = {
  // RFC 9562 reads them in any case; some systems (Swift's) write capitals.
  uuid: withLowerCaseUuid,
  "entity-id": withLowerCaseUuid,
};

/** Compiles a schema of what comes from outside. The check first brings what has a normal form into it, in place. */
export const compileParams = (schema: SchemaObject): Check => compile(schema, normalizerOf(schema));

/** Changes a value in place. */
type Normalize = (value: unknown) => void;

/** What normalizes the texts below the value that it is given; undefined where the schema has none. */
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

/** What replaces the texts under some keys of an object or list by their normal form. */
function replacing({ format }: SchemaObject, keysOf: (holder: unknown) => string[]): Normalize | undefined {
  const form = typeof format === "string" && Object.hasOwn(NORMAL_FORMS, format) ? NORMAL_FORMS[format] : undefined;
  if (!form) return undefined;
  return holder => {
    for (const key of keysOf(holder)) {
      const texts = holder as Record<string, unknown>;
      const text = texts[key];
      if (typeof text !== "string") continue;
      const normal = form(text);
      // What is in order is not touched: it may be frozen.
      if (normal !== text) texts[key] = normal;
    }
  };
}
