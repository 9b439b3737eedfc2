// A schema becomes a check. The check answers with every issue and names its field; an unknown field is refused by name.
import type { ErrorObject, SchemaObject, ValidateFunction } from "ajv";
import { plainError, type Issue } from "../kernel/index.ts";
import { ajv } from "./ajv.ts";
import { callErrors } from "./errors.ts";
import { excessOf, isObject, ISSUES_MAX } from "./excess.ts";
import { formatOf } from "./formats.ts";
import { assertSchema, compileError } from "./schema-faults.ts";
// Its keyword has to be known before the first schema is compiled.
import "./text.ts";

export type Check = (value: unknown) => true | Issue[];
/** Changes a value in place. */
export type Normalize = (value: unknown) => void;

/**
 * Compiles a schema. The check answers true, or at most 20 issues. It brings typed text (`TextLine` and the like) into its
 * normal form, in the value itself. `where` names the schema to its author: `loyalty.open: params`.
 *
 * Throws Misconfigured, with `where` and the field, when the schema does not compile. The check throws Bug `CHECK_FAILED`
 * when a value cannot be looked at (a getter that throws), or a format's own function throws.
 */
export const compileSchema = (schema: SchemaObject, where = "schema"): Check => compile(schema, where, undefined);

/** `normalize` changes a value before the check; it is not called for a value that has too much in it. */
export function compile(schema: SchemaObject, where: string, normalize: Normalize | undefined): Check {
  const check = compiled(schema, where);
  const excess = excessOf(schema);
  return value => {
    try {
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
      throw callErrors.CHECK_FAILED({ reason: plainError(cause).message, cause });
    }
  };
}

/**
 * What Ajv has compiled, by the schema as text. Most schemas of a service occur again and again (no field at all, an id, a
 * page): of 590 of one application 130 differ, and the others were a tenth of its start. One function may serve them all,
 * since its errors are taken from it before anything else can call it.
 */
const byText = new Map<string, ValidateFunction>();

function compiled(schema: SchemaObject, where: string): ValidateFunction {
  try {
    const text = JSON.stringify(schema);
    const known = byText.get(text) ?? ajv.compile(schema);
    byText.set(text, known);
    return known;
  } catch (error) {
    // It finds the place of most mistakes, which Ajv does not tell.
    assertSchema(schema, where);
    throw compileError(where, error);
  }
}

function toIssue({ instancePath, keyword, params, message = "is invalid" }: ErrorObject): Issue {
  const key: string | undefined = params["additionalProperty"] ?? params["missingProperty"];
  const path = key === undefined ? instancePath : `${instancePath}/${key}`;
  const field = path.slice(1).replaceAll("/", ".");
  switch (keyword) {
    case "enum":
      return { field, message: oneOf(params["allowedValues"]) };
    case "const":
      return { field, message: oneOf([params["allowedValue"]]) };
    case "required":
      return { field, message: "is required" };
    case "additionalProperties":
      return { field, message: "is not allowed" };
    case "format":
      return { field, message: formatOf(params["format"])?.says ?? message };
    default:
      return { field, message };
  }
}

/** Values that a message lists: of more it says how many there are. */
const LISTED_MAX = 30;
const oneOf = (values: readonly unknown[]): string =>
  values.length > LISTED_MAX
    ? `must be one of the ${values.length} allowed values`
    : `must be one of ${values.map(value => (typeof value === "string" ? value : JSON.stringify(value))).join(", ")}`;
