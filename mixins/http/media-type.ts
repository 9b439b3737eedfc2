// Reads Content-Type as RFC 9110 writes it, and says which types a body may have.
const TOKEN = "[\\w!#$%&'*+.^`|~-]+";
const PARAMETER = `(?<name>${TOKEN})=(?<value>${TOKEN}|"(?:[^"\\\\]|\\\\.)*")`;
/** RFC 9110, 5.6.6 and 8.3.1: a parameter may be missing after its semicolon. */
const MEDIA_TYPE = new RegExp(
  `^(?<type>${TOKEN}/${TOKEN})(?<parameters>(?:[ \\t]*;[ \\t]*(?:${PARAMETER})?)*)[ \\t]*$`,
);
const PARAMETERS = new RegExp(PARAMETER, "g");

const JSON_TYPE = "application/json";
export const MERGE_PATCH = "application/merge-patch+json";
/** Characters: longer ones are no media type, and would be costly to match. */
const CHARS_MAX = 200;

/** UTF-8, and the part of it that has an older name. */
const CHARSET = /^(?:utf-?8|us-ascii)$/i;
const unquoted = (value: string): string =>
  value.startsWith('"') ? value.slice(1, -1).replaceAll(/\\(.)/g, "$1") : value;

/** Type and subtype of a Content-Type in lower case, if it is well-formed and names no other charset than UTF-8. */
export function mediaTypeOf(header: string | undefined): string | undefined {
  // Nearly all are written so: the patterns take ten times as long as all other checks of the header.
  if (header === JSON_TYPE) return JSON_TYPE;
  if (header === undefined || header.length > CHARS_MAX) return undefined;
  const { type, parameters } = MEDIA_TYPE.exec(header)?.groups ?? {};
  if (type === undefined) return undefined;
  for (const { groups } of parameters!.matchAll(PARAMETERS)) {
    const { name, value } = groups as { name: string; value: string };
    if (name.toLowerCase() === "charset" && !CHARSET.test(unquoted(value))) return undefined;
  }
  return type.toLowerCase();
}

/** Whether it is JSON, with any parameters: RFC 8259 defines none. PATCH also takes a merge patch (RFC 7396), which ours is. */
export function isAcceptedType(header: string | undefined, method: string): boolean {
  const type = mediaTypeOf(header);
  return type === JSON_TYPE || (method === "PATCH" && type === MERGE_PATCH);
}
