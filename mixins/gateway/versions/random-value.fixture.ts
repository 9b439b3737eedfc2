// Random values of a schema, for tests of what holds for every value: optional fields are there or not, lists have any length.
import type { TSchema } from "typebox";

type Schema = TSchema & {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
};

/** Bounds, formats and patterns are not kept to: shapes do not look at them. */
export function randomValue(schema: TSchema, random: () => number): unknown {
  const { type, const: only, enum: values, anyOf, properties = {}, required = [], items } = schema as Schema;
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  if (only !== undefined) return only;
  if (values) return pick(values);
  if (anyOf) return randomValue(pick(anyOf), random);
  switch (type) {
    case "object":
      return Object.fromEntries(
        Object.entries(properties)
          .filter(([name]) => required.includes(name) || random() < 0.5)
          .map(([name, field]) => [name, randomValue(field, random)]),
      );
    case "array":
      return items ? Array.from({ length: Math.floor(random() * 4) }, () => randomValue(items, random)) : [];
    case "string":
      return pick(["", "a", "Zoë", "2026-11-30T00:00:00.000Z", "x".repeat(Math.floor(random() * 40))]);
    case "integer":
      return Math.floor(random() * 1_000);
    case "number":
      return random();
    case "boolean":
      return random() < 0.5;
    default:
      return null;
  }
}
