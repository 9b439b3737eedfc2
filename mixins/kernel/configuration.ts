// What a process is configured with, for people: each declared variable with its value or its default, secrets masked.
import { declaredVariables, type Environment } from "./environment.ts";
import { shownValue } from "./secrets.ts";

export interface Setting {
  readonly name: string;
  /** As it was set, `…` for a secret, a URL without its password; of one that is not set the default in words. */
  readonly value: string;
  readonly isSet: boolean;
}

/** In the order of their names. Empty where no start has collected what is declared. */
export function configurationOf(environment: Environment): Setting[] {
  const { declared } = environment;
  if (declared === undefined) return [];
  return [...declaredVariables(declared)]
    .map(([name, { secrecy, defaultSays }]): Setting => {
      const text = environment.text(name);
      if (text === undefined) return { name, value: defaultSays.replaceAll("`", ""), isSet: false };
      return { name, value: secrecy === "hidden" ? "…" : shownValue(name, text), isSet: true };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
