// Formats of text: those of JSON Schema, and those that a domain adds (an IBAN, a licence plate). A format may also say
// which message a client reads, and the one form in which such text is kept and compared.
import type { Format } from "ajv";
import { fullFormats } from "ajv-formats/dist/formats.js";
import { EMAIL, Misconfigured } from "../kernel/index.ts";
import { ajv } from "./ajv.ts";

export interface FormatDefinition {
  /** Whether a text has the format. */
  readonly check: RegExp | ((text: string) => boolean);
  /** The message that a client reads after the field's name: `must be an IBAN`. Default: `must match format "<name>"`. */
  readonly says?: string;
  /**
   * The form in which such text is kept and compared, whatever form a client writes it in. Params are brought into it
   * before they are checked; recorded values are checked as they are. Default: as it is written.
   */
  readonly normalize?: (text: string) => string;
  /** A text that has the format, for golden samples (`npx valence freeze`). */
  readonly example?: string;
}

const definitions = new Map<string, FormatDefinition>();

/**
 * Adds a format, and answers its name: `Type.String({ format: defineFormat("iban", isIban) })`. It belongs into the module
 * whose schemas use it, so that it is there before they are compiled. Throws Misconfigured for a name that is taken.
 */
export function defineFormat<const N extends string>(name: N, format: FormatDefinition["check"] | FormatDefinition): N {
  if (definitions.has(name)) throw new Misconfigured(`format "${name}" is defined twice: choose another name for one`);
  const definition = typeof format === "function" || format instanceof RegExp ? { check: format } : format;
  definitions.set(name, definition);
  ajv.addFormat(name, definition.check);
  return name;
}

/** The definition of a format; undefined for a name that is not defined. */
export const formatOf = (name: unknown): FormatDefinition | undefined =>
  typeof name === "string" ? definitions.get(name) : undefined;

const CAPITALS = /[A-F]/;
/** At the start, or after the actor's name in a read token. */
const UUID_FIRST = /(?<=^(?:[a-z][\w-]{0,63}:)?)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i;
const withLowerCaseUuid = (text: string): string =>
  CAPITALS.test(text) ? text.replace(UUID_FIRST, uuid => uuid.toLowerCase()) : text;

const UUID = "0190a0a0-0000-7000-8000-000000000000";
defineFormat("uuid", {
  check: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  // RFC 9562 reads UUIDs in any case; some systems (Swift's) write capitals.
  normalize: withLowerCaseUuid,
  example: UUID,
});
/** An id that may be a UUID, or begins with one: an actor's. The pattern of the field says which characters it may have. */
defineFormat("entity-id", { check: () => true, normalize: withLowerCaseUuid, example: UUID });
defineFormat("email", { check: EMAIL, example: "ada@example.com" });

/** RFC 3339. The pattern also fixes the letters and the digits of a second, so that moments of one zone compare as text. */
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
defineFormat("date-time", {
  // A leap second is none of the milliseconds since 1970.
  check: text => MOMENT.test(text) && checkOf(fullFormats["date-time"])(text) && !Number.isNaN(Date.parse(text)),
  says: "must be a moment as RFC 3339 writes it, 2026-01-31T12:00:00Z",
  example: "2026-01-01T12:00:00.000Z",
});

/** The other formats of JSON Schema, by an example of each. */
const USUAL = {
  date: "2026-01-01",
  time: "12:00:00Z",
  duration: "PT15M",
  uri: "https://example.com/a",
  "uri-reference": "/a",
  "uri-template": "/a/{b}",
  hostname: "example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  "json-pointer": "/a",
  "relative-json-pointer": "0/a",
  regex: "^a$",
} as const;
for (const [name, example] of Object.entries(USUAL))
  defineFormat(name, { check: checkOf(fullFormats[name as keyof typeof USUAL]), example });

function checkOf(format: Format | undefined): (text: string) => boolean {
  const check = format instanceof RegExp || typeof format !== "object" ? format : format.validate;
  if (check instanceof RegExp) return text => check.test(text);
  return check as (text: string) => boolean;
}

/** A text that has the format; undefined for a format that names none. */
export const exampleOf = (format: unknown): string | undefined => formatOf(format)?.example;
