// JSON Schema checked by Ajv in strict mode: a misspelt keyword stops the start, an unknown field is refused by name.
import { Ajv, type ErrorObject, type SchemaObject } from "ajv";
import { Bug, EMAIL, plainError, type Issue } from "../kernel/index.ts";

/** An answer to a client, not a log: enough to mend a form. */
const ISSUES_MAX = 20;

const ajv = new Ajv({ strict: true, allErrors: true });
ajv.addFormat("uuid", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i);
ajv.addFormat("email", EMAIL);
/** As the runtime's own list has them, the historic ones too: what was sold for marks stays readable. */
const CURRENCIES = new Set(Intl.supportedValuesOf("currency"));
ajv.addFormat("iso-4217", (code: string) => CURRENCIES.has(code));
ajv.addFormat("date-time", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/);

/** Values that a message lists: of more it says how many there are. */
const LISTED_MAX = 30;
const oneOf = (values: readonly unknown[]): string =>
  values.length > LISTED_MAX
    ? `must be one of the ${values.length} allowed values`
    : `must be one of ${values.map(value => (typeof value === "string" ? value : JSON.stringify(value))).join(", ")}`;

function toIssue({ instancePath, keyword, params, message = "is invalid" }: ErrorObject): Issue {
  const key: string | undefined = params["additionalProperty"] ?? params["missingProperty"];
  const path = key === undefined ? instancePath : `${instancePath}/${key}`;
  const field = path.slice(1).replaceAll("/", ".");
  if (keyword === "enum") return { field, message: oneOf(params["allowedValues"]) };
  if (keyword === "const") return { field, message: oneOf([params["allowedValue"]]) };
  const said: Record<string, string> = { required: "is required", additionalProperties: "is not allowed" };
  return { field, message: said[keyword] ?? message };
}

export type Check = (value: unknown) => true | Issue[];

/**
 * Compiles a schema. The check answers true, or what is wrong, at most 20 issues. Throws Bug `CHECK_FAILED` where a value
 * cannot be looked at (a getter that throws), or a format's own function throws.
 */
export function compileSchema(schema: SchemaObject): Check {
  const check = ajv.compile<unknown>(schema);
  return value => {
    try {
      return check(value) || check.errors!.slice(0, ISSUES_MAX).map(toIssue);
    } catch (cause) {
      throw new Bug("CHECK_FAILED", `the value could not be checked: ${plainError(cause).message}`, { cause });
    }
  };
}
