// What a process is configured with, for people: each variable that it has read, with its value or its default, secrets masked.
import type { Environment } from "./environment.ts";
import { shownValue } from "./secrets.ts";
import { SERVICE, type Variable } from "./variables.ts";

export interface Setting {
  readonly name: string;
  /** As it was set, `…` for a secret, a URL without its password; of one that is not set the default in words. */
  readonly value: string;
  readonly isSet: boolean;
}

/** In the order of their names. Of variables that each service has one of, those that are set. */
export function configurationOf(environment: Environment): Setting[] {
  const variables = environment.asked.flatMap(({ variables }) => Object.entries(variables));
  const all = new Map<string, Variable>();
  for (const [name, variable] of variables)
    for (const one of variable.isPerService ? namesOf(name, environment) : [name]) all.set(one, variable);
  return [...all]
    .map(([name, { secrecy, defaultSays }]): Setting => {
      const text = environment.text(name);
      if (text === undefined) return { name, value: defaultSays.replaceAll("`", ""), isSet: false };
      return { name, value: secrecy === "hidden" ? "…" : shownValue(name, text), isSet: true };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function namesOf(family: string, environment: Environment): string[] {
  const [before = "", behind = ""] = family.split(SERVICE);
  return environment
    .names()
    .filter(name => name.startsWith(before) && name.endsWith(behind) && name.length > before.length + behind.length);
}
