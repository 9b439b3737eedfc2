// Random requests over all routes of an OpenAPI document: valid ones by schema, valid ones with a fault, and rubbish.
import { ApiDescription } from "./description.ts";
import { randomOf } from "./random.ts";
import type { Sent } from "./wire.ts";

interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly examples?: readonly unknown[];
}
interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly schema: Schema;
}
interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export interface FuzzOptions {
  readonly seed: number;
  /** Access tokens of any users. */
  readonly tokens: readonly string[];
  /** Texts with a meaning for the server: ids, names. */
  readonly known: readonly string[];
}

const RUBBISH: readonly unknown[] = [
  "",
  " ",
  "null",
  "undefined",
  "NaN",
  "__proto__",
  "constructor",
  "toString",
  "' or 1=1 --",
  '"; drop table events; --',
  "../../etc/passwd",
  "..\\..",
  "a\0b",
  "\ud800",
  "🛒".repeat(40),
  "\u202e\u0000\uffff",
  "\u00a0\u200b",
  " Zoe\u0308 ",
  "Ada \u202e",
  "\u001b[2J",
  `a${"\u0315\u0300".repeat(40)}`,
  "<script>alert(1)</script>",
  "${7*7}{{7*7}}",
  "%00%0d%0aSet-Cookie: a=b",
  "x".repeat(3_000),
  "A@999999999999999",
  "2026-02-30T25:61:61Z",
  -1,
  0,
  1,
  1.5,
  1e308,
  -1e308,
  2 ** 53,
  999_999_999_999,
  true,
  false,
  null,
  [],
  {},
  [[[]]],
  { $gt: "" },
  { type: "Buffer", data: [1, 2, 3] },
  { toJSON: 1, toString: 1 },
];
const BODIES: readonly string[] = [
  "",
  "{",
  "[]",
  "null",
  "1",
  '"x"',
  '{"a":1}{"b":2}',
  '{"__proto__":{"admin":true}}',
  '{"constructor":{"prototype":{"admin":true}}}',
  `${"[".repeat(5_000)}${"]".repeat(5_000)}`,
  `{"a":"${"x".repeat(110_000)}"}`,
  "\u0000\u0001",
  '{"a":1e999}',
  '{"a":"\\ud800"}',
];
const TAGS = ["*", '"x"', 'W/"x", "y"', "x", '"', ",,,", `"${"a".repeat(5_000)}"`];
const DATES = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sat, 01 Jan 2050 00:00:00 GMT", "2026-01-01", "", "x".repeat(500)];
const ACCEPTED = ["*/*", "application/json", "text/csv", "application/xml", "application/json;q=0", "x", ""];
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "LINK"];

/** Endless; the same document, seed and options give the same requests. */
export function* randomRequests(document: object, { seed, tokens, known }: FuzzOptions): Generator<Sent> {
  const random = randomOf(seed);
  const chance = (probability: number): boolean => random() < probability;
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const between = (min: number, max: number): number => min + Math.floor(random() * (max - min + 1));
  const text = (length: number, letters = "abcdefghijklmnopqrstuvwxyz0123456789-_"): string =>
    Array.from({ length }, () => letters[Math.floor(random() * letters.length)]).join("");
  const hex = (length: number): string => text(length, "0123456789abcdef");

  /** A value of the schema, except for patterns that we do not know. */
  const valid = (schema: Schema): unknown => {
    const { type, properties, items, minimum = 0, maximum = 1_000 } = schema;
    if (schema.anyOf) return valid(pick(schema.anyOf));
    if (schema.enum) return pick(schema.enum);
    if (schema.const !== undefined) return schema.const;
    if (type === "integer" || type === "number") return pick([minimum, maximum, between(minimum, maximum), 1]);
    if (type === "boolean") return chance(0.5);
    if (type === "array") return Array.from({ length: between(1, 3) }, () => value(items ?? {}));
    if (type === "object") return fields(properties ?? {}, schema.required ?? []);
    if (type === "null") return null;
    return type === "string" ? validText(schema) : pick(RUBBISH);
  };
  /** A value that is just outside of the schema: one too many, one too few, in another case, of the next type. */
  const nearly = (schema: Schema): unknown => {
    const { type, minimum, maximum, minLength = 0, maxLength, properties, required = [] } = schema;
    if (schema.enum) return String(pick(schema.enum)).toUpperCase();
    if (type === "integer" || type === "number")
      return pick([(minimum ?? 0) - 1, (maximum ?? 2 ** 53) + 1, (minimum ?? 0) + 0.5, `${minimum ?? 1}`, null]);
    if (type === "string") {
      const text = String(valid(schema));
      const short = minLength > 0 ? text.slice(0, minLength - 1) : "";
      return pick([
        short,
        text.padEnd((maxLength ?? 300) + 1, "x"),
        ` ${text}`,
        `${text}\n`,
        text.toUpperCase(),
        [text],
      ]);
    }
    if (type === "object") {
      const { [pick(required.length > 0 ? required : [""])]: _left, ...rest } = valid(schema) as Record<
        string,
        unknown
      >;
      return { ...rest, ...(chance(0.5) && { [`${Object.keys(properties ?? {})[0] ?? "field"}x`]: 1 }) };
    }
    return type === "array" ? pick([[], Array.from({ length: 101 }, () => valid(schema.items ?? {})), {}]) : null;
  };
  const validText = ({ format, pattern, examples, minLength = 1, maxLength = 20 }: Schema): string => {
    if (examples && chance(0.5)) return String(pick(examples));
    if (chance(0.5) && format !== "email") return pick(known);
    if (format === "uuid") return `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`;
    if (format === "email") return `${text(8, "abcdef")}@example.org`;
    if (pattern === "^[A-Z]{2}$") return "GB";
    if (pattern === "^[A-Z]{3}$") return "EUR";
    if (pattern?.startsWith("^(https")) return `/${text(5)}.png`;
    return `a${text(Math.min(Math.max(minLength, between(0, 12)), maxLength) - 1)}`;
  };
  const value = (schema: Schema): unknown => {
    if (chance(0.08)) return pick(RUBBISH);
    return chance(0.04) ? nearly(schema) : valid(schema);
  };
  const fields = (properties: Readonly<Record<string, Schema>>, required: readonly string[]): object => {
    const given = Object.entries(properties).filter(([name]) =>
      required.includes(name) ? !chance(0.03) : chance(0.4),
    );
    const extra = chance(0.05) ? [[pick(["admin", "role", "price", "id", "__proto__"]), pick(RUBBISH)] as const] : [];
    return Object.fromEntries([...given.map(([name, schema]) => [name, value(schema)] as const), ...extra]);
  };
  const encoded = (part: unknown): string => {
    const plain = typeof part === "string" ? part : (JSON.stringify(part) ?? "undefined");
    return chance(0.9) ? encodeURIComponent(plain.toWellFormed()) : plain.replaceAll(/[^!-~]|[?#]/g, "");
  };

  const { paths } = new ApiDescription(document).resolved(document) as Document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const bodyOf = ({ requestBody }: Operation): string | undefined => {
    if (chance(0.06)) return pick(BODIES);
    const schema = requestBody?.content["application/json"]?.schema;
    return schema && JSON.stringify(value(schema));
  };

  for (;;) {
    const { path, method, operation } = pick(operations);
    const parameters = operation.parameters ?? [];
    const at = (place: string): Parameter[] => parameters.filter(parameter => parameter.in === place);
    const target = at("path").reduce((url, { name, schema }) => url.replace(`{${name}}`, encoded(value(schema))), path);
    const query = at("query")
      .filter(({ required }) => required || chance(0.4))
      .map(({ name, schema }) => `${name}=${encoded(value(schema))}`);
    if (chance(0.05))
      query.push(`${pick(["page", "__proto__[x]", "a[b][c]", "%", "&&", "admin"])}=${encoded(pick(RUBBISH))}`);
    const body = bodyOf(operation);
    const authorization = chance(0.85) ? pick(tokens) : pick(["", "x.y.z", text(40), undefined]);
    const idempotencyKey = chance(0.3)
      ? pick([text(12), `"${text(8)} ${text(8)}"`, `${text(22)}+/==`, "a,b", "'", "x".repeat(300)])
      : undefined;
    yield {
      method: chance(0.05) ? pick(METHODS) : method,
      path: target + (query.length > 0 ? `?${query.join("&")}` : ""),
      headers: {
        ...(authorization !== undefined && { Authorization: `Bearer ${authorization}` }),
        ...(idempotencyKey !== undefined && { "Idempotency-Key": idempotencyKey }),
        ...(body !== undefined && {
          "Content-Type": chance(0.97)
            ? "application/json"
            : pick(["text/plain", "a", "", "application/json;;", "application/json; charset=latin1"]),
        }),
        ...(chance(0.05) && { Accept: pick(ACCEPTED) }),
        ...(chance(0.03) && { "Content-Encoding": pick(["gzip", "br", "x"]) }),
        ...(chance(0.1) && { "Last-Event-ID": pick(["0", "1", "-1", "x", "9".repeat(30)]) }),
        ...(chance(0.05) && { "X-HTTP-Method-Override": "DELETE", "X-Forwarded-Host": "evil.example" }),
        ...(chance(0.05) && { "If-None-Match": pick(TAGS) }),
        ...(chance(0.05) && { "If-Match": pick(TAGS) }),
        ...(chance(0.03) && { "If-Unmodified-Since": pick(DATES) }),
      },
      ...(body !== undefined && { body }),
    };
  }
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/**
 * A read as other clients and proxies would write it: the meaning is the same. `origin` is `http://host:port`. Only a
 * public path gets unknown query parameters, which other paths refuse.
 */
export function respelled(
  { method, path, headers }: Sent,
  seed: number,
  { origin, isPublic }: { readonly origin: string; readonly isPublic: (path: string) => boolean },
): Sent {
  const random = randomOf(seed);
  const chance = (probability: number): boolean => random() < probability;
  const { Authorization: authorization, ...others } = headers ?? {};
  const [target, query] = path.split("?", 2) as [string, string?];
  const upper = target.replaceAll(UUID, uuid => (chance(0.7) ? uuid.toUpperCase() : uuid));
  const asked = [
    ...(query === undefined ? [] : [query]),
    ...(isPublic(target) && chance(0.5) ? ["utm_source=x&_=1"] : []),
  ];
  const whole = upper + (asked.length > 0 ? `?${asked.join("&")}` : "");
  return {
    method,
    path: chance(0.3) ? origin + whole : whole,
    headers: {
      ...others,
      ...(typeof authorization === "string" && {
        Authorization: authorization.replace(" ", chance(0.5) ? "   " : " "),
      }),
      ...(chance(0.5) && { "Transfer-Encoding": "chunked" }),
    },
  };
}
