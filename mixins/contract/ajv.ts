// The one Ajv of a process. It is strict: a keyword or a format that it does not know is an error of the schema, not
// something to overlook. `formats.ts` and `text.ts` add what our schemas may say besides JSON Schema.
import { Ajv } from "ajv";

export const ajv = new Ajv({ strict: true, allErrors: true });
