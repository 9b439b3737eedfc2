// The newer form of a value, as changes of the older one: fields renamed, moved, dropped. A version of the API is made of
// such shapes, so that actions know one form only. Each change works in both directions: an answer goes from the old form
// to the new one, a request the other way. The round trip from the old form and back loses nothing but what was dropped:
//
//   toOld(toNew(value)) = value
//
// See Foster et al., Combinators for bidirectional tree transformations (2007): a shape is such a lens, and `drop` is the
// only change that is no isomorphism.
import { isDeepStrictEqual } from "node:util";
import Type, { type Static, type TObject, type TProperties, type TSchema } from "typebox";
import { Misconfigured } from "../../kernel/index.ts";

type Entity = Record<string, unknown>;

/** One change of an object's fields. Its functions are pure: none changes its argument. */
interface Change {
  readonly properties: (old: TProperties) => TProperties;
  readonly toNew: (value: Entity) => Entity;
  readonly toOld: (value: Entity) => Entity;
  /** The field of the new form for a field of the old one, both with dots between their parts. */
  readonly nameNew: (field: string) => string;
}

type Renamed<T, M> = { [K in keyof T as K extends keyof M ? M[K] & PropertyKey : K]: T[K] };
type Moved<T, K extends keyof T, P extends string> = P extends `${infer Parent}.${infer Leaf}`
  ? Omit<T, K | Parent> &
      (undefined extends T[K]
        ? { [X in Parent]?: Inner<T, Parent> & { [Y in Leaf]?: T[K] } }
        : { [X in Parent]: Inner<T, Parent> & { [Y in Leaf]: T[K] } })
  : never;
type Inner<T, Parent> = Parent extends keyof T ? NonNullable<T[Parent]> : {};
type Item<L> = NonNullable<L> extends readonly (infer I)[] ? I : never;
type WithItem<T, K extends keyof T, I> = { [X in keyof T]: X extends K ? I[] | Extract<T[X], undefined> : T[X] };
type With<T, K extends keyof T, V> = { [X in keyof T]: X extends K ? V | Extract<T[X], undefined> : T[X] };
type Text = string | undefined;

/** A shape of an object with the fields of this schema, unchanged yet: `shape(Book).rename({ pages: "length" })`. */
export const shape = <P extends TProperties>(schema: TObject<P>): Shape<Static<TObject<P>>, Static<TObject<P>>> =>
  new Shape(schema, schema, []);

/**
 * The form of an object in a newer version of the API, made of changes; each method gives a new shape. Throws
 * Misconfigured, naming the field, for a change of a field that the form does not have, or to one that it has already.
 */
export class Shape<Old, New> {
  /** Of the older form. */
  readonly from: TObject;
  /** Of the newer form. */
  readonly schema: TObject;
  readonly #changes: readonly Change[];

  constructor(from: TObject, schema: TObject, changes: readonly Change[]) {
    this.from = from;
    this.schema = schema;
    this.#changes = changes;
  }

  toNew(value: Old): New {
    let changed = value as Entity;
    for (const change of this.#changes) changed = change.toNew(changed);
    return changed as New;
  }

  toOld(value: New): Old {
    let changed = value as Entity;
    for (let at = this.#changes.length - 1; at >= 0; at--) changed = this.#changes[at]!.toOld(changed);
    return changed as Old;
  }

  /** A field's name in the new form: `lines.0.bookId` is `items.0.book`. A field that was dropped keeps its name. */
  nameNew(field: string): string {
    return this.#changes.reduce((name, change) => change.nameNew(name), field);
  }

  /** Other names for fields: `{ old: "new" }`. Their order stays. */
  rename<const M extends { readonly [K in keyof New]?: string }>(names: M): Shape<Old, Renamed<New, M>> {
    const toNew = new Map(Object.entries(names as Record<string, string>));
    const toOld = new Map([...toNew].map(([old, name]) => [name, old]));
    for (const name of toNew.keys()) this.#assertField(name);
    const change: Change = {
      properties: old => renamed(old, toNew) as TProperties,
      toNew: value => renamed(value, toNew),
      toOld: value => renamed(value, toOld),
      nameNew: field => {
        const [first, rest] = split(field);
        return (toNew.get(first) ?? first) + rest;
      },
    };
    const left = this.#names().filter(name => !toNew.has(name));
    for (const name of toNew.values()) if (left.includes(name)) throw taken(name);
    if (toOld.size !== toNew.size) throw new Misconfigured("rename: two fields would have one name");
    return this.#with(change);
  }

  /**
   * Without a field. On the way back the field has the value `as`, if one is given: a request of the older version then
   * always says so.
   */
  drop<K extends keyof New & string>(name: K, as?: New[K]): Shape<Old, Omit<New, K>> {
    this.#assertField(name);
    return this.#with({
      properties: old => without(old, name) as TProperties,
      toNew: value => without(value, name),
      toOld: value => (as === undefined ? value : { ...value, [name]: as }),
      nameNew: field => field,
    });
  }

  /** Always with a field that the older form leaves out when it has this value: no reminders are an empty list. */
  default<K extends keyof New & string>(
    name: K,
    value: NonNullable<New[K]>,
  ): Shape<Old, Omit<New, K> & { [X in K]: NonNullable<New[K]> }> {
    this.#assertField(name);
    return this.#with({
      properties: old => ({ ...old, ...Type.Required(Type.Object({ [name]: old[name]! })).properties }),
      toNew: entity => (entity[name] === undefined ? { ...entity, [name]: value } : entity),
      toOld: entity => (isDeepStrictEqual(entity[name], value) ? without(entity, name) : entity),
      nameNew: field => field,
    });
  }

  /** A field within an object of the new form: `move("note", "remarks.note")`. */
  move<K extends keyof New & string, const P extends `${string}.${string}`>(
    name: K,
    to: P,
  ): Shape<Old, Moved<New, K, P>> {
    this.#assertField(name);
    const [parent, leaf, ...deeper] = to.split(".") as [string, string, ...string[]];
    if (deeper.length > 0) throw new Misconfigured(`move: ${to} is more than one level deep`);
    const before = this.schema.properties[parent] as TObject | undefined;
    if (before && (parent === name || before.properties === undefined || Object.hasOwn(before.properties, leaf)))
      throw taken(to);
    return this.#with({
      properties: ({ [name]: moved, ...old }) => {
        const inner = Type.Object({ ...before?.properties, [leaf]: moved! }, without(optionsOf(this.schema), "title"));
        const isOptional = !isRequired(this.schema, name) && (!before || !isRequired(this.schema, parent));
        return { ...old, [parent]: isOptional ? Type.Optional(inner) : inner };
      },
      toNew: entity => {
        const moved = entity[name];
        const value = without(entity, name);
        return moved === undefined ? value : { ...value, [parent]: { ...(value[parent] as Entity), [leaf]: moved } };
      },
      toOld: value => {
        const { [leaf]: moved, ...rest } = (value[parent] ?? {}) as Entity;
        const isMade = before === undefined && Object.keys(rest).length === 0;
        const others = isMade
          ? without(value, parent)
          : value[parent] === undefined
            ? value
            : { ...value, [parent]: rest };
        return moved === undefined ? others : { ...others, [name]: moved };
      },
      nameNew: field => {
        const [first, rest] = split(field);
        return first === name ? to + rest : field;
      },
    });
  }

  /** The items of a list, each in a form of its own. */
  each<K extends keyof New & string, I>(name: K, item: Shape<Item<New[K]>, I>): Shape<Old, WithItem<New, K, I>> {
    return this.#inside(name, item as Shape<any, any>, true) as never;
  }

  /** The object in a field, in a form of its own. */
  within<K extends keyof New & string, V>(name: K, inner: Shape<NonNullable<New[K]>, V>): Shape<Old, With<New, K, V>> {
    return this.#inside(name, inner as Shape<any, any>, false) as never;
  }

  /** Other names for the values of an enumeration; a value without one stays: `{ title: "name", "-title": "-name" }`. */
  values<K extends keyof New & string>(
    name: K & (New[K] extends Text ? unknown : never),
    names: Readonly<Record<string, string>>,
  ): Shape<Old, With<New, K, string>> {
    this.#assertField(name);
    const toNew = new Map(Object.entries(names));
    const toOld = new Map([...toNew].map(([old, value]) => [value, old]));
    const given = (this.schema.properties[name] as TSchema & { enum?: readonly string[] }).enum;
    const unknown = [...toNew.keys()].find(value => !given?.includes(value));
    if (unknown !== undefined || toOld.size !== toNew.size)
      throw new Misconfigured(`values: ${name} is no list of values, or has no value ${unknown}`);
    const replace = (by: ReadonlyMap<string, string>) => (entity: Entity) => {
      const value = by.get(entity[name] as string);
      return value === undefined ? entity : { ...entity, [name]: value };
    };
    return this.#with({
      properties: old => {
        const named = Type.Enum(given!.map(value => toNew.get(value) ?? value));
        return { ...old, [name]: isRequired(this.schema, name) ? named : Type.Optional(named) };
      },
      toNew: replace(toNew),
      toOld: replace(toOld),
      nameNew: field => field,
    }) as never;
  }

  #inside(name: string, inner: Shape<any, any>, isList: boolean): Shape<Old, any> {
    this.#assertField(name);
    const both = (change: (value: any) => unknown) => (entity: Entity) => {
      const value = entity[name];
      if (value === undefined || value === null) return entity;
      return { ...entity, [name]: isList ? (value as unknown[]).map(change) : change(value) };
    };
    return this.#with({
      properties: old => {
        const { items: _items, type: _type, ...options } = old[name] as TSchema & { items?: unknown; type?: unknown };
        const changed = isList ? Type.Array(inner.schema, options) : inner.schema;
        return { ...old, [name]: isRequired(this.schema, name) ? changed : Type.Optional(changed) };
      },
      toNew: both(value => inner.toNew(value)),
      toOld: both(value => inner.toOld(value)),
      nameNew: field => {
        const [first, rest] = split(field);
        if (first !== name || rest === "") return field;
        const [index, of] = isList ? split(rest.slice(1)) : ["", rest];
        if (of === "") return field;
        return `${name}${isList ? `.${index}` : ""}.${inner.nameNew(of.slice(1))}`;
      },
    });
  }

  #with(change: Change): Shape<Old, any> {
    const properties = change.properties(this.schema.properties);
    const { title, ...options } = optionsOf(this.schema);
    const named = typeof title === "string" ? { ...options, title: reshapedTitle(title) } : options;
    return new Shape(this.from, Type.Object(properties, named), [...this.#changes, change]);
  }
  #names(): string[] {
    return Object.keys(this.schema.properties);
  }
  #assertField(name: string): void {
    if (!Object.hasOwn(this.schema.properties, name)) throw new Misconfigured(`a shape has no field ${name}`);
  }
}

/** The title of a type in another form, until `nameTypes` knows the version. */
const reshapedTitle = (title: string): string => (title.endsWith(RESHAPED) ? title : title + RESHAPED);
const RESHAPED = " in a newer form";

/** Gives every type of another form in this schema the name that it has in this version: `BookV2`. In place. */
export function nameTypes(schema: unknown, version: string): void {
  if (typeof schema !== "object" || schema === null) return;
  const node = schema as Record<string, unknown>;
  const { title } = node;
  if (typeof title === "string" && title.endsWith(RESHAPED))
    node["title"] = title.slice(0, -RESHAPED.length) + version.toUpperCase();
  for (const part of Object.values(node)) nameTypes(part, version);
}

const taken = (name: string): Misconfigured => new Misconfigured(`a shape has a field ${name} already`);

/** The first part of a field's name, and the others with their dot. */
function split(field: string): [first: string, rest: string] {
  const dot = field.indexOf(".");
  return dot === -1 ? [field, ""] : [field.slice(0, dot), field.slice(dot)];
}

function renamed(value: Entity, names: ReadonlyMap<string, string>): Entity {
  const result: Entity = {};
  for (const name in value) result[names.get(name) ?? name] = value[name];
  return result;
}

function without(value: Entity, name: string): Entity {
  const { [name]: _gone, ...rest } = value;
  return rest;
}

const isRequired = (schema: TObject, name: string): boolean =>
  ((schema.required as string[] | undefined) ?? []).includes(name);

/** All keywords of an object's schema but its fields: the schema library lists the required ones itself. */
function optionsOf(schema: TObject): Record<string, unknown> {
  const {
    type: _type,
    required: _required,
    properties: _properties,
    ...options
  } = schema as TObject & {
    required?: unknown;
  };
  return options;
}
