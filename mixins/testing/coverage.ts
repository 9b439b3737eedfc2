// Which optional fields the samples of a shape show. A field that no sample has could be renamed, and one that every sample
// has could be made required: no law would notice, and the events of the release before could not be read.
import type { TSchema } from "typebox";

type Schema = TSchema & {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema | readonly Schema[];
};

/** Paths of optional fields, `lines[].note`: in no sample (`present`), and lacking in none (`absent`). */
export interface Missing {
  readonly present: string[];
  readonly absent: string[];
}

/** Which optional fields of a schema, objects and lists within it included, its samples do not show both ways. */
export function missingIn(schema: TSchema, samples: readonly unknown[]): Missing {
  const optional = optionalIn(schema, "");
  const seen = { present: new Set<string>(), absent: new Set<string>() };
  for (const sample of samples) look(schema, sample, "", seen);
  return {
    present: optional.filter(path => !seen.present.has(path)),
    absent: optional.filter(path => !seen.absent.has(path)),
  };
}

const itemsOf = ({ items }: Schema): Schema | undefined => (Array.isArray(items) ? undefined : items);

// Branches of a union are left out: which of them a sample is of is not told by its fields.
function optionalIn(schema: Schema, path: string): string[] {
  const { properties = {}, required = [] } = schema;
  const items = itemsOf(schema);
  const inFields = Object.entries(properties).flatMap(([name, field]) => {
    const at = path === "" ? name : `${path}.${name}`;
    return [...(required.includes(name) ? [] : [at]), ...optionalIn(field, at)];
  });
  return items ? [...inFields, ...optionalIn(items, `${path}[]`)] : inFields;
}

function look(schema: Schema, value: unknown, path: string, seen: Record<"present" | "absent", Set<string>>): void {
  const items = itemsOf(schema);
  if (Array.isArray(value)) {
    if (items) for (const item of value) look(items, item, `${path}[]`, seen);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const at = path === "" ? name : `${path}.${name}`;
    const isThere = Object.hasOwn(value, name);
    seen[isThere ? "present" : "absent"].add(at);
    if (isThere) look(field, (value as Record<string, unknown>)[name], at, seen);
  }
}
