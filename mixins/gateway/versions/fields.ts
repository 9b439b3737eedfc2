// Sparse fieldsets: `?fields=title,price.amount` answers only these fields of a resource, or of each row of a list. The
// names are checked against the schema of the answer, before the action is called.
import type { TProperties, TSchema } from "typebox";
import Type from "typebox";
import { callErrors } from "../../contract/index.ts";
import { limits } from "../limits.ts";

export const FIELDS = "fields";
/** The param of every read. */
export const Fields = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 1_000,
    description:
      "Names of fields, commas between, dots before nested ones: `title,price.amount`. The answer, or each row of a " +
      "list, then has only these, and its `id`.",
  }),
);

/** The fields that a client asks for; `true`: with everything below. */
export type FieldTree = ReadonlyMap<string, FieldTree | true>;
type Growing = Map<string, Growing | true>;

/**
 * Reads `title,price.amount`. Refuses (422, field `fields`) more names or levels than we read, and a name that the answer
 * does not have; a schema without fields leaves them open.
 */
export function fieldsOf(text: string, schema: TSchema | undefined): FieldTree {
  const names = text.split(",", limits.fieldsMax + 1);
  if (names.length > limits.fieldsMax) throw refused(`must be at most ${limits.fieldsMax} names`);
  const tree: Growing = new Map([["id", true]]);
  for (const name of names) add(tree, name, schema);
  return tree;
}

function add(tree: Growing, name: string, schema: TSchema | undefined): void {
  const parts = name.split(".", limits.fieldsDepthMax + 1);
  if (parts.length > limits.fieldsDepthMax)
    throw refused(`${shown(name)} has more than ${limits.fieldsDepthMax} parts`);
  let of = schema;
  let at: Growing | true = tree;
  for (const [level, part] of parts.entries()) {
    const known: TProperties | undefined = of && propertiesOf(of);
    const isField = known ? Object.hasOwn(known, part) : part !== "" && (of === undefined || isOpen(of));
    if (!isField) throw refused(`${shown(name)} is no field of the answer`);
    of = known?.[part];
    // A field that is asked for as a whole stays whole.
    if (at === true) continue;
    const inner: Growing | true | undefined = at.get(part);
    const next: Growing | true = level === parts.length - 1 ? true : (inner ?? new Map());
    at.set(part, next);
    at = next;
  }
}

const refused = (message: string) => callErrors.VALIDATION_ERROR({ field: FIELDS, message });
const shown = (name: string): string => (name.length > 60 ? `${name.slice(0, 60)}…` : name);

interface Node {
  readonly properties?: TProperties;
  readonly items?: TSchema;
  readonly anyOf?: readonly TSchema[];
  readonly type?: unknown;
  readonly patternProperties?: unknown;
}

/** Fields of an object's schema, of a list's items, or of the objects that a union allows; undefined where they are open. */
export function propertiesOf(schema: TSchema): TProperties | undefined {
  const { properties, items, anyOf } = schema as Node;
  if (properties) return Object.keys(properties).length > 0 ? properties : undefined;
  if (items) return propertiesOf(items);
  const branches = (anyOf ?? []).map(propertiesOf).filter(found => found !== undefined);
  return branches.length > 0 ? Object.assign({}, ...branches) : undefined;
}

/** Whether a value of the schema may have fields that the schema does not name. */
function isOpen(schema: TSchema): boolean {
  const { type, items, anyOf, properties } = schema as Node;
  if (items) return isOpen(items);
  if (anyOf) return anyOf.some(isOpen);
  return type === undefined ? !("const" in schema || "enum" in schema) : type === "object" || properties !== undefined;
}

/** The value with these fields alone; of a list, each item. */
export function picked(value: unknown, tree: FieldTree): unknown {
  if (Array.isArray(value)) return value.map(item => picked(item, tree));
  if (typeof value !== "object" || value === null) return value;
  const result: Record<string, unknown> = {};
  // In the order of the answer: the same fields make the same text, however they were asked for.
  for (const name of Object.keys(value)) {
    const inner = tree.get(name);
    if (inner === undefined) continue;
    const field = (value as Record<string, unknown>)[name];
    result[name] = inner === true ? field : picked(field, inner);
  }
  return result;
}
