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
/** The number of a payment card, blanks and the like between its digits: 12 to 19 of them, with the right sum (Luhn). */
ajv.addFormat("no-card-number", (text: string) => !isCardNumber(text));
ajv.addFormat("date-time", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/);

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

function toIssue({ instancePath, keyword, params, message = "is invalid" }: ErrorObject): Issue {
  const key: string | undefined = params["additionalProperty"] ?? params["missingProperty"];
  const path = key === undefined ? instancePath : `${instancePath}/${key}`;
  const said: Record<string, string> = { required: "is required", additionalProperties: "is not allowed" };
  const told =
    params["format"] === "no-card-number" ? "is a card's number: send the token that stands for it" : message;
  return { field: path.slice(1).replaceAll("/", "."), message: said[keyword] ?? told };
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
