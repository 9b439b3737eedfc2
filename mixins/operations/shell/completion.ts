// What can stand at the end of a line: a command's words, its options, the values of a choice, and names that the running services
// have.
import { optionsOf, usualOf, type Command, type OptionSchema } from "./commands.ts";

/** Names by the param that takes them: `{ type: ["loan"], name: ["shelf"] }`. */
export type Names = Readonly<Record<string, readonly string[]>>;

/** Every continuation of the last word of a line whose words are these; the last one may be empty. */
export function completionsOf(commands: readonly Command[], words: readonly string[], names: Names = {}): string[] {
  const last = words.at(-1) ?? "";
  const found = commands.flatMap(command => continuations(command, words, names));
  return [...new Set(found)].filter(word => word.startsWith(last)).sort();
}

function continuations(command: Command, words: readonly string[], names: Names): readonly string[] {
  const { pattern, operation } = command;
  const before = words.slice(0, -1);
  const last = words.at(-1) ?? "";
  const placed = before.filter(word => !word.startsWith("--"));
  const stands = pattern.places.every(
    (place, i) => !("word" in place) || i >= before.length || before[i] === place.word,
  );
  if (!stands) return [];
  const options = optionsOf(command);
  const asked = options.find(({ name }) => before.at(-1) === `--${name}`);
  if (asked && asked.schema.type !== "boolean") return valuesOf(asked.param, asked.schema, names, command);
  if (last.startsWith("--")) {
    if (placed.length < 1) return [];
    const flag = pattern.flag ? [`--${pattern.flag.name}`] : [];
    return [...flag, ...options.map(({ name }) => `--${name}`), ...usualOf(command).map(name => `--${name}`)];
  }
  const place = pattern.places[before.length];
  if (!place) return [];
  if ("word" in place) return [place.word];
  return valuesOf(place.param, operation.params[place.param] as OptionSchema, names, command);
}

/** The names of a param, for one operation (`ops.rebuild.name`) or for all. */
function valuesOf(param: string, schema: OptionSchema, names: Names, { operation }: Command): readonly string[] {
  return schema.enum ?? names[`${operation.action}.${param}`] ?? names[param] ?? [];
}
