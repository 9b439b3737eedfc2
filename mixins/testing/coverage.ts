// Finds the parts of a shape that its samples do not show. A field that is in no sample could be renamed, one that is
// in every sample could be made required, and a value in no sample could be removed: no test would notice, and the
// events of the previous release could not be read.
import type { TSchema } from "typebox";

type Schema = TSchema & {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema | readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly (Schema & { readonly const?: unknown })[];
};

const limits = {
  /**
   * Values of an enumeration that samples show one by one. A longer list, such as countries, is a vocabulary and not a
   * shape.
   */
  values: 20,
} as const;

export interface Value {
  /** Path of a field, `lines[].note`. */
  readonly path: string;
  readonly value: unknown;
}
export interface Missing {
  /** Paths of optional fields that no sample has. */
  readonly present: readonly string[];
  /** Paths of optional fields that every sample has. */
  readonly absent: readonly string[];
  /** Values of enumerations that no sample has. */
  readonly values: readonly Value[];
}

/** The parts of a schema that the samples do not show, including its objects and lists. */
export function missingIn(schema: TSchema, samples: readonly unknown[]): Missing {
  const seen: Seen = { present: new Set(), absent: new Set(), values: new Set() };
  for (const sample of samples) look(schema, sample, "", seen);
  const { optional, values } = expectedOf(schema, "");
  return {
    present: optional.filter(path => !seen.present.has(path)),
    absent: optional.filter(path => !seen.absent.has(path)),
    values: values.filter(value => !seen.values.has(keyOf(value))),
  };
}

/** Number of missing items; 0 for samples that show everything. */
export const sizeOf = ({ present, absent, values }: Missing): number => present.length + absent.length + values.length;

/** As text: `note, an event without phone, status "held"`. */
export const told = ({ present, absent, values }: Missing): string =>
  [
    ...present,
    ...absent.map(path => `an event without ${path}`),
    ...values.map(({ path, value }) => `${path} ${JSON.stringify(value)}`),
  ].join(", ");

interface Seen {
  readonly present: Set<string>;
  readonly absent: Set<string>;
  /** Keys of values. */
  readonly values: Set<string>;
}
const keyOf = ({ path, value }: Value): string => `${path}=${JSON.stringify(value)}`;

const itemsOf = ({ items }: Schema): Schema | undefined => (Array.isArray(items) ? undefined : items);
const below = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

/** The values of an enumeration or of a union of literals; an empty list for any other schema. */
export function valuesOf({ enum: values, anyOf = [] }: Schema): readonly unknown[] {
  const all =
    values ?? (anyOf.every(branch => Object.hasOwn(branch, "const")) ? anyOf.map(branch => branch.const) : []);
  return all.length > limits.values ? [] : all;
}

// Branches of a union are left out: the fields of a sample do not show its branch.
function expectedOf(schema: Schema, path: string): { optional: string[]; values: Value[] } {
  const { properties = {}, required = [] } = schema;
  const items = itemsOf(schema);
  const optional = Object.keys(properties).filter(name => !required.includes(name));
  const inside = [
    ...Object.entries(properties).map(([name, field]) => expectedOf(field, below(path, name))),
    ...(items ? [expectedOf(items, `${path}[]`)] : []),
  ];
  return {
    optional: [...optional.map(name => below(path, name)), ...inside.flatMap(part => part.optional)],
    values: [...valuesOf(schema).map(value => ({ path, value })), ...inside.flatMap(part => part.values)],
  };
}

function look(schema: Schema, value: unknown, path: string, seen: Seen): void {
  seen.values.add(keyOf({ path, value }));
  const items = itemsOf(schema);
  if (Array.isArray(value)) {
    if (items) for (const item of value) look(items, item, `${path}[]`, seen);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const isThere = Object.hasOwn(value, name);
    seen[isThere ? "present" : "absent"].add(below(path, name));
    if (isThere) look(field, (value as Record<string, unknown>)[name], below(path, name), seen);
  }
}
