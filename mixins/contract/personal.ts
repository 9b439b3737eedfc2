// A field that a contract marks as personal tells who a person is: a name, an address, a telephone number. Services use it like any
// other; logs, and the audit, which nobody can erase from, hide it.
import type { PersonalField } from "../kernel/index.ts";
import { ajv } from "./ajv.ts";

const KEYWORD = "x-personal";
/** The mark, for the options of a schema: `Type.String({ maxLength: 200, ...PERSONAL })`. */
export const PERSONAL = { [KEYWORD]: true } as const;

ajv.addKeyword({ keyword: KEYWORD, schemaType: "boolean" });

/** The fields that a contract marks, wherever in it they are, each with those that it stands beside. */
export function personalFieldsOf(contract: object): PersonalField[] {
  const found = new Map<string, PersonalField>();
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [name, item] of Object.entries(value)) {
      if ((item as Record<string, unknown> | null)?.[KEYWORD] === true) {
        const field = { name, beside: Object.keys(value).filter(other => other !== name) };
        found.set(JSON.stringify(field), field);
      }
      walk(item);
    }
  };
  walk(contract);
  return [...found.values()];
}
