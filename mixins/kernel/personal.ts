// Fields that tell who a person is. `name` is one of a person's fields, and of many things: so a field is known by its name and by
// the fields that it stands beside. In doubt it counts as personal.

export interface PersonalField {
  readonly name: string;
  /** The other properties of the object that has it. */
  readonly beside: readonly string[];
}

export class PersonalFields {
  /** By the field's name: the properties that it was declared beside, all objects together. */
  readonly #beside = new Map<string, Set<string>>();

  /** Another node may announce anything: what is no such field is passed over. */
  add(fields: readonly PersonalField[]): void {
    for (const { name, beside } of Array.isArray(fields) ? fields.filter(isField) : []) {
      const known = this.#beside.get(name) ?? new Set();
      this.#beside.set(name, known);
      for (const other of beside) known.add(other);
    }
  }

  /** Whether the field of this name tells who a person is, in an object with these names: alone, or beside one that it was declared beside. */
  has(name: string, names: readonly string[]): boolean {
    const beside = this.#beside.get(name);
    if (beside === undefined) return false;
    return names.length === 1 || names.some(other => other !== name && beside.has(other));
  }
}

const isField = (value: unknown): value is PersonalField =>
  typeof (value as PersonalField | null)?.name === "string" && Array.isArray((value as PersonalField).beside);
