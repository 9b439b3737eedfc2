// JSON Schema checked by Ajv in strict mode: a misspelt keyword stops the start, an unknown field is refused by name.
import { Ajv, type ErrorObject, type SchemaObject } from "ajv";
import type { DataValidateFunction, DataValidationCxt } from "ajv/dist/types/index.js";
import { Bug, EMAIL, plainError, type Issue } from "../kernel/index.ts";
import { COUNTRIES } from "./countries.ts";
import { TEXT_KEYWORD, TEXT_KINDS } from "./person-text.ts";

/** An answer to a client, not a log: enough to mend a form. */
const ISSUES_MAX = 20;

const ajv = new Ajv({ strict: true, allErrors: true });
ajv.addFormat("uuid", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i);
ajv.addFormat("email", EMAIL);
/** As the runtime's own list has them, the historic ones too: what was sold for marks stays readable. */
const CURRENCIES = new Set(Intl.supportedValuesOf("currency"));
ajv.addFormat("iso-4217", (code: string) => CURRENCIES.has(code));
ajv.addFormat("iso-3166", (code: string) => COUNTRIES.has(code));
ajv.addFormat("date-time", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/);

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
  const said: Record<string, string> = { required: "is required", additionalProperties: "is not allowed" };
  return { field: path.slice(1).replaceAll("/", "."), message: said[keyword] ?? message };
}

export type Check = (value: unknown) => true | Issue[];

/**
 * Compiles a schema. The check answers true, or what is wrong, at most 20 issues; fields of people's text it brings into
 * their normal form, in the value itself. Throws Bug `CHECK_FAILED` where a value
 * cannot be looked at (a getter that throws), or a format's own function throws.
 */
export function compileSchema(schema: SchemaObject): Check {
  const check = ajv.compile<unknown>(schema);
  return value => {
    try {
      // An `if` that fails says so besides what fails in it.
      return (
        check(value) ||
        check
          .errors!.filter(({ keyword }) => keyword !== "if")
          .slice(0, ISSUES_MAX)
          .map(toIssue)
      );
    } catch (cause) {
      throw new Bug("CHECK_FAILED", `the value could not be checked: ${plainError(cause).message}`, { cause });
    }
  };
}
