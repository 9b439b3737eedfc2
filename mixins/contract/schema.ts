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

function toIssue({ instancePath, keyword, params, message = "is invalid" }: ErrorObject): Issue {
  const key: string | undefined = params["additionalProperty"] ?? params["missingProperty"];
  const path = key === undefined ? instancePath : `${instancePath}/${key}`;
  const said: Record<string, string> = { required: "is required", additionalProperties: "is not allowed" };
  return { field: path.slice(1).replaceAll("/", "."), message: said[keyword] ?? message };
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** The first of the keys that a schema does not know. */
function strangersIn(value: object, properties: object): Issue[] {
  const strangers: Issue[] = [];
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(properties, key)) strangers.push({ field: key, message: "is not allowed" });
    if (strangers.length === ISSUES_MAX) break;
  }
  return strangers;
}

export type Check = (value: unknown) => true | Issue[];

/**
 * Compiles a schema. The check answers true, or what is wrong, at most 20 issues. Throws Bug `CHECK_FAILED` where a value
 * cannot be looked at (a getter that throws), or a format's own function throws.
 */
export function compileSchema(schema: SchemaObject): Check {
  const check = ajv.compile<unknown>(schema);
  const properties = schema["additionalProperties"] === false ? (schema["properties"] as object) : undefined;
  const keysMax = properties ? Object.keys(properties).length + ISSUES_MAX : Infinity;
  return value => {
    try {
      // Ajv complains of each: 12,000 keys cost 16 ms, and nobody is told of more than 20.
      if (properties && isObject(value) && Object.keys(value).length > keysMax) return strangersIn(value, properties);
      return check(value) || check.errors!.slice(0, ISSUES_MAX).map(toIssue);
    } catch (cause) {
      throw new Bug("CHECK_FAILED", `the value could not be checked: ${plainError(cause).message}`, { cause });
    }
  };
}
