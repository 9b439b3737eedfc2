// Accept (RFC 9110, 12.5.1): which of the media types that we have a client wants most.

/** Characters and ranges that are read: browsers send ten, and the cost of reading grows with both. */
const CHARS_MAX = 1_000;
const RANGES_MAX = 50;
const RANGE = /^\s*(?<type>[\w!#$&^.+-]+|\*)\/(?<subtype>[\w!#$&^.+-]+|\*)\s*(?<parameters>(?:;.*)?)$/s;
/** RFC 9110, 12.4.2: three digits at most. */
const QUALITY = /;\s*q\s*=\s*(?<q>0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)/i;

interface Range {
  readonly type: string;
  readonly subtype: string;
  readonly q: number;
}

/**
 * The type of `offered` that the client prefers, the first of several that it wants as much; undefined when it accepts
 * none. A header that is absent, malformed or longer than any client's accepts all. Parameters of a range other than its
 * `q` are not compared: our types have no variants.
 */
export function preferred<T extends string>(accept: string | undefined, offered: readonly T[]): T | undefined {
  // As good as every request: no header, or any of these two.
  if (accept === undefined || accept === "*/*" || accept === offered[0]) return offered[0];
  const ranges = rangesOf(accept);
  if (ranges.length === 0) return offered[0];
  let best: T | undefined;
  let most = 0;
  for (const type of offered) {
    const q = qualityOf(type, ranges);
    if (q > most) [best, most] = [type, q];
  }
  return best;
}

function rangesOf(accept: string): Range[] {
  if (accept.length > CHARS_MAX) return [];
  return accept
    .split(",", RANGES_MAX)
    .map(text => RANGE.exec(text)?.groups)
    .filter(range => range !== undefined)
    .map(({ type = "", subtype = "", parameters = "" }) => {
      const q = QUALITY.exec(parameters)?.groups?.["q"];
      return { type: type.toLowerCase(), subtype: subtype.toLowerCase(), q: q === undefined ? 1 : Number(q) };
    });
}

/** The most specific range that a type is in decides: `text/csv;q=0, text/*` takes no CSV. */
function qualityOf(offered: string, ranges: readonly Range[]): number {
  const [type, subtype] = offered.split("/") as [string, string];
  const of = (wanted: (range: Range) => boolean): number | undefined => ranges.find(wanted)?.q;
  return (
    of(range => range.type === type && range.subtype === subtype) ??
    of(range => range.type === type && range.subtype === "*") ??
    of(range => range.type === "*" && range.subtype === "*") ??
    0
  );
}
