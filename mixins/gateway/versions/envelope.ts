// The envelope of a newer version: `data` has the resource or the rows, `links` where to go from here, `meta` what is known
// about the data.
import Type, { type Static, type TObject, type TProperties, type TSchema } from "typebox";
import { Misconfigured } from "../../kernel/index.ts";
import type { Pages } from "./links.ts";
import type { Shape } from "./shape.ts";

/** How the answer of an action looks in a newer version. */
export interface Representation<B = unknown> {
  /** For the compiler alone: the whole body. */
  readonly types?: B;
  /** Of the whole body. */
  readonly returns: TSchema;
  /** The body of an answer. `self` is the URL at which its resource is read. */
  body(result: any, self: string, pages: Pages): Envelope;
  /** A field of the resource in the new form. */
  nameNew(field: string): string;
}
export interface Envelope {
  readonly data: unknown;
  readonly links: Readonly<Record<string, string>>;
  readonly meta: Readonly<Record<string, unknown>>;
}

/** A resource: `{ data, links: { self }, meta }`. `meta` names fields of the answer that are about the resource. */
export function one<Old, New, const M extends keyof Old & string = never>(
  data: Shape<Old, New>,
  { meta = [] }: { meta?: readonly M[] } = {},
): Representation<{ data: New; links: { self: string }; meta: Pick<Old, M> }> {
  const known = fieldsNamed(data.from, meta);
  return {
    returns: enveloped(data.schema, known, { self: Type.String() }),
    body: (result: Old, self) => ({
      data: data.toNew(result),
      links: { self },
      meta: valuesOf(result as object, known),
    }),
    nameNew: field => data.nameNew(field),
  };
}

/**
 * A page of a list: `{ data: [], links: { self, first, next }, meta }`. `list` is the schema of the action's answer, whose
 * field `rows` has the rows.
 */
export function page<P extends TProperties, Old, New, const M extends string = "total" | "pageSize">(
  list: TObject<P>,
  rows: string,
  row: Shape<Old, New>,
  { meta = OF_PAGES as readonly M[] }: { meta?: readonly M[] } = {},
): Representation<{ data: New[]; links: PageLinks; meta: Pick<Static<TObject<P>>, M & keyof Static<TObject<P>>> }> {
  if (!Object.hasOwn(list.properties, rows)) throw new Misconfigured(`a list has no field ${rows}`);
  const known = fieldsNamed(list, meta);
  const link = Type.Optional(Type.String());
  return {
    returns: Type.Object({
      data: Type.Array(row.schema),
      links: Type.Object({ self: Type.String(), first: link, next: link }, { title: "PageLinks" }),
      // Pages that say the same of themselves have one type of it.
      meta: Type.Object(known, (meta as readonly string[]) === OF_PAGES ? { title: "PageMeta" } : {}),
    }),
    body: (result: Record<string, readonly Old[]>, self, pages) => ({
      data: result[rows]!.map(item => row.toNew(item)),
      links: { self, ...pages },
      meta: valuesOf(result, known),
    }),
    nameNew: field => field,
  };
}

interface PageLinks {
  self: string;
  first?: string;
  next?: string;
}
const OF_PAGES: readonly string[] = ["total", "pageSize"];

const enveloped = (data: TSchema, meta: TProperties, links: TProperties): TObject =>
  Type.Object({ data, links: Type.Object(links), meta: Type.Object(meta) });

function fieldsNamed({ properties }: TObject, names: readonly string[]): TProperties {
  const missing = names.find(name => !Object.hasOwn(properties, name));
  if (missing !== undefined) throw new Misconfigured(`an answer has no field ${missing} for its meta`);
  return Object.fromEntries(names.map(name => [name, properties[name]!]));
}

const valuesOf = (from: object, names: TProperties): Record<string, unknown> =>
  Object.fromEntries(
    Object.keys(names).flatMap(name => {
      const value = (from as Record<string, unknown>)[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
