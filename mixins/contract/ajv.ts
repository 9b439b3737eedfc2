// The one Ajv of a process. It is strict: a keyword or a format that it does not know is an error of the schema.
// `formats.ts` and `text.ts` add the formats and keywords that our schemas have besides JSON Schema.
import { Ajv } from "ajv";

// Its pass that shortens generated code is off: it took nearly half of the time of compiling, which is a good part of a
// start, and the checks are no faster by it, since V8 does the same.
export const ajv = new Ajv({ strict: true, allErrors: true, code: { optimize: false } });
