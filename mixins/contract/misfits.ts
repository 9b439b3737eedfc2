// Where data of one shape need not fit another: what a reader of the one meets in data of the other. It compares schemas,
// and looks at no data. What it cannot tell (a changed pattern, `allOf`, `not`) counts as a misfit: a new version is cheap.
import { isDeepStrictEqual } from "node:util";
import { compileSchema } from "./schema.ts";

export type Shape = boolean | Readonly<Record<string, unknown>>;

export interface Misfit {
  /** Dots between fields, `[]` for the items of a list, `{}` for the values of a record; "" for the whole. */
  readonly path: string;
  /** A keyword of JSON Schema, or `presence`, `values`, `further fields`. */
  readonly rule: string;
  /** The rule's value in the shape of the reader and in that of the data, for people. */
  readonly reads: string;
  readonly writes: string;
}

interface Options {
  /** Whether readers pass over fields that they do not know. Otherwise such a field is a misfit. */
  readonly ignoresUnknown: boolean;
}

/** Two shapes at one place. */
interface Pair extends Options {
  readonly writes: Shape;
  readonly reads: Shape;
  readonly path: string;
}

/** The places at which data of the shape `writes` need not fit the shape `reads`. Titles, examples and the like do not count. */
export const misfitsOf = (writes: Shape, reads: Shape, options: Options): Misfit[] =>
  compare({ ...options, writes, reads, path: "" });

function compare(pair: Pair): Misfit[] {
  const { writes, reads } = pair;
  if (writes === false || isDeepStrictEqual(writes, reads)) return [];
  const written = alternativesOf(writes).flatMap(valuesApart);
  const read = alternativesOf(reads);
  return written.flatMap(branch => bestOf(read.map(other => compareOne({ ...pair, writes: branch, reads: other }))));
}

/** The misfits with the alternative that fits best: with several shapes, the one that a change was probably made of. */
const bestOf = (found: readonly Misfit[][]): Misfit[] =>
  found.reduce((best, next) => (weightOf(next) < weightOf(best) ? next : best));
const weightOf = (found: readonly Misfit[]): number =>
  found.reduce((sum, { rule }) => sum + (rule === "type" || rule === "values" ? OTHER_SHAPE : 1), 0);
/** One field of another type tells a shape apart more than many bounds do. */
const OTHER_SHAPE = 100;

/** A schema with `anyOf`, `oneOf` or several types, as one schema for each. */
function alternativesOf(schema: Shape): Shape[] {
  if (typeof schema === "boolean") return [schema];
  const { anyOf, oneOf, ...rest } = schema;
  const branches = (anyOf ?? oneOf) as readonly Shape[] | undefined;
  if (branches && branches.length > 0)
    return branches.flatMap(branch => alternativesOf(typeof branch === "boolean" ? branch : { ...rest, ...branch }));
  const { type } = rest;
  return Array.isArray(type) ? type.map(one => ({ ...rest, type: one as string })) : [schema];
}

/** Each value of an enumeration may fit another alternative of the reader. */
function valuesApart(schema: Shape): Shape[] {
  if (typeof schema === "boolean" || !Array.isArray(schema["enum"])) return [schema];
  const { enum: values, ...rest } = schema;
  return values.map(value => ({ ...rest, const: value as unknown }));
}

function compareOne(pair: Pair): Misfit[] {
  const { writes, reads, path } = pair;
  if (reads === true) return [];
  if (reads === false) return [{ path, rule: "presence", reads: "refused", writes: "allowed" }];
  const data = typeof writes === "boolean" ? {} : writes;
  const values = valuesOf(data);
  if (values) return compareValues(values, reads, path);
  const expected = valuesOf(reads);
  if (expected) return [{ path, rule: "values", reads: listed(expected), writes: `any ${typeOf(data)}` }];
  if (!isWithinType(data["type"], reads["type"]))
    return [{ path, rule: "type", reads: typeOf(reads), writes: typeOf(data) }];
  const parts = { ...pair, writes: data, reads };
  return [...compareBounds(parts), ...compareKeywords(parts), ...compareItems(parts), ...compareFields(parts)];
}

type Parts = Pair & {
  readonly writes: Readonly<Record<string, unknown>>;
  readonly reads: Readonly<Record<string, unknown>>;
};

// ---- values and types

const valuesOf = (schema: Readonly<Record<string, unknown>>): readonly unknown[] | undefined =>
  Object.hasOwn(schema, "const") ? [schema["const"]] : (schema["enum"] as readonly unknown[] | undefined);

function compareValues(values: readonly unknown[], reads: Readonly<Record<string, unknown>>, path: string): Misfit[] {
  const check = compileSchema({ type: "object", properties: { value: reads } });
  if (values.every(value => check({ value: structuredClone(value) }) === true)) return [];
  const expected = valuesOf(reads);
  return [{ path, rule: "values", reads: expected ? listed(expected) : typeOf(reads), writes: listed(values) }];
}

const listed = (values: readonly unknown[]): string =>
  values.map(value => (typeof value === "string" ? value : JSON.stringify(value))).join(", ");
const typeOf = ({ type }: Readonly<Record<string, unknown>>): string => (typeof type === "string" ? type : "value");

const isWithinType = (written: unknown, read: unknown): boolean =>
  read === undefined || written === read || (read === "number" && written === "integer");

// ---- bounds and other keywords

const LEAST = ["minLength", "minItems", "minProperties"];
const MOST = ["maxLength", "maxItems", "maxProperties"];
const NUMBERS = ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"];

function compareBounds({ writes, reads, path }: Parts): Misfit[] {
  const misfit = (rule: string, isWithin: boolean): Misfit[] =>
    isWithin ? [] : [{ path, rule, reads: shown(reads[rule]), writes: shown(writes[rule]) }];
  const [low, high] = [bound(reads, 1), bound(reads, -1)];
  return [
    ...LEAST.flatMap(rule => misfit(rule, ((writes[rule] ?? 0) as number) >= ((reads[rule] ?? 0) as number))),
    ...MOST.flatMap(rule => misfit(rule, numberOr(writes[rule], Infinity) <= numberOr(reads[rule], Infinity))),
    ...misfit(low.rule, bound(writes, 1).at >= low.at),
    ...misfit(high.rule, bound(writes, -1).at >= high.at),
  ];
}

/**
 * The lower bound of a number (`sign` 1), or the upper one as the lower bound of the negated number (-1). An exclusive bound
 * of an integer is the next integer, of any other number the next one that there is.
 */
function bound(
  schema: Readonly<Record<string, unknown>>,
  sign: 1 | -1,
): { readonly rule: string; readonly at: number } {
  const [rule, exclusive] =
    sign === 1 ? (["minimum", "exclusiveMinimum"] as const) : (["maximum", "exclusiveMaximum"] as const);
  const inclusive = sign * numberOr(schema[rule], -sign * Infinity);
  const beyond = sign * numberOr(schema[exclusive], -sign * Infinity);
  const step = schema["type"] === "integer" ? 1 : Math.abs(beyond) * Number.EPSILON || Number.MIN_VALUE;
  const next = beyond === -Infinity ? beyond : beyond + step;
  return next > inclusive ? { rule: exclusive, at: next } : { rule, at: inclusive };
}
const numberOr = (value: unknown, otherwise: number): number => (typeof value === "number" ? value : otherwise);

/** Keywords that say nothing of the data, and those that are compared each in its own way. */
const WORDS = "title description examples default deprecated readOnly writeOnly $id $comment";
const COMPARED = "type const enum anyOf oneOf multipleOf items additionalItems properties required";
const PASSED: ReadonlySet<string> = new Set([
  ...WORDS.split(" "),
  ...COMPARED.split(" "),
  ...LEAST,
  ...MOST,
  ...NUMBERS,
  "additionalProperties",
  "patternProperties",
]);

/** Keywords of our own, such as that of personal data, say nothing of the data either. */
const MARK = "x-";

/** Any other keyword of the reader must be in the data's shape too, word for word. */
function compareKeywords({ writes, reads, path }: Parts): Misfit[] {
  const others = Object.keys(reads).filter(
    rule =>
      !PASSED.has(rule) &&
      !rule.startsWith(MARK) &&
      reads[rule] !== false &&
      !isDeepStrictEqual(writes[rule], reads[rule]),
  );
  if (!isMultiple(writes["multipleOf"], reads["multipleOf"])) others.push("multipleOf");
  return others.map(rule => ({ path, rule, reads: shown(reads[rule]), writes: shown(writes[rule]) }));
}

const isMultiple = (written: unknown, read: unknown): boolean =>
  typeof read !== "number" || (typeof written === "number" && Number.isInteger(written / read));

const shown = (value: unknown): string =>
  value === undefined ? "none" : typeof value === "string" ? value : JSON.stringify(value);

// ---- lists

function compareItems(parts: Parts): Misfit[] {
  const { writes, reads, path } = parts;
  const places = Math.max(...[writes, reads].map(({ items }) => (Array.isArray(items) ? items.length : 0)));
  const at = (i: number, step: string): Misfit[] =>
    compare({ ...parts, writes: itemOf(writes, i), reads: itemOf(reads, i), path: path + step });
  if (places === 0) return at(0, "[]");
  return Array.from({ length: places }, (_, i) => at(i, `[${i}]`)).flat();
}

function itemOf({ items = true, additionalItems = true }: Readonly<Record<string, unknown>>, i: number): Shape {
  return (Array.isArray(items) ? (items[i] ?? additionalItems) : items) as Shape;
}

// ---- objects

function compareFields(parts: Parts): Misfit[] {
  const { writes, reads, path, ignoresUnknown } = parts;
  const [written, read] = [fieldsOf(writes), fieldsOf(reads)];
  const at = (name: string): string => (path === "" ? name : `${path}.${name}`);
  const missing = read.required
    .filter(name => !written.required.includes(name))
    .map(name => presence(at(name), "required", presenceOf(name, written)));
  const unknown = Object.entries(written.named).flatMap(([name, field]) => {
    if (Object.hasOwn(read.named, name)) return [];
    if (typeof read.further !== "boolean")
      return compare({ ...parts, writes: field, reads: read.further, path: at(name) });
    return ignoresUnknown ? [] : [presence(at(name), "absent", presenceOf(name, written))];
  });
  const known = Object.entries(read.named).flatMap(([name, field]) => {
    // A shape that is open to any field is none that writes this one.
    const found = written.named[name] ?? (typeof written.further === "boolean" ? undefined : written.further);
    return found === undefined ? [] : compare({ ...parts, writes: found, reads: field, path: at(name) });
  });
  return [...missing, ...unknown, ...known, ...compareFurther(parts, written.further, read.further)];
}

interface Fields {
  readonly named: Readonly<Record<string, Shape>>;
  readonly required: readonly string[];
  /** The shape of every other field; false: there is none. */
  readonly further: Shape;
}

function fieldsOf(schema: Readonly<Record<string, unknown>>): Fields {
  const {
    properties = {},
    required = [],
    additionalProperties = true,
    patternProperties,
  } = schema as {
    properties?: Record<string, Shape>;
    required?: string[];
    additionalProperties?: Shape;
    patternProperties?: Record<string, Shape>;
  };
  // A record as the schema library writes it.
  const further = patternProperties?.["^.*$"] ?? additionalProperties;
  return { named: properties, required, further };
}

const presence = (path: string, reads: string, writes: string): Misfit => ({ path, rule: "presence", reads, writes });
const presenceOf = (name: string, { named, required }: Fields): string =>
  required.includes(name) ? "required" : Object.hasOwn(named, name) ? "optional" : "absent";

function compareFurther({ writes, reads, path, ...options }: Parts, written: Shape, read: Shape): Misfit[] {
  const patterns = [writes, reads].map(({ patternProperties = {} }) => patternProperties as Record<string, Shape>);
  const [other, known] = patterns.map(({ "^.*$": _any, ...others }) => others);
  if (!isDeepStrictEqual(other, known))
    return [{ path, rule: "patternProperties", reads: shown(known), writes: shown(other) }];
  if (read === false && written !== false)
    return [{ path, rule: "further fields", reads: "refused", writes: "allowed" }];
  return compare({ ...options, writes: written, reads: read, path: `${path}{}` });
}
