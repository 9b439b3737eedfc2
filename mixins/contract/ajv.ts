// The one Ajv of a process. It is strict: a keyword or a format that it does not know is an error of the schema.
// `formats.ts` and `text.ts` add the formats and keywords that our schemas have besides JSON Schema.
import { Ajv } from "ajv";

export const ajv = new Ajv({ strict: true, allErrors: true });
