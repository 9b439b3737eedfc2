// The texts of `help` and `--help`.
import { optionsOf, USUAL, usualOf, type Command, type Option } from "./commands.ts";

const rows = (pairs: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...pairs.map(([left]) => left.length)) + 3;
  return pairs.map(([left, right]) => `  ${left.padEnd(width)}${right}`.trimEnd()).join("\n");
};

/** All commands, a line each. */
export const listOf = (commands: readonly Command[]): string =>
  rows(commands.map(({ form, summary }): [string, string] => [form, summary]).sort(([a], [b]) => (a < b ? -1 : 1)));

/** A command: what it does, its options, examples, and what it asks of the operator. `prefix` precedes the examples. */
export function helpOf(command: Command, prefix = ""): string {
  const { form, summary, examples, operation } = command;
  const options = optionsOf(command).map((option): [string, string] => [nameOf(option), saysOf(option)]);
  const usual = usualOf(command).map((name): [string, string] => [`--${name}`, USUAL[name]]);
  return [
    `${prefix}${form} — ${summary}`,
    rows([...options, ...usual]),
    `Asks for the permission ${operation.permission}. Over HTTP: ${operation.http.replace(" ", " /api/v1")}`,
    `Examples:\n${examples.map(line => `  ${prefix}${line}`).join("\n")}`,
  ].join("\n\n");
}

const nameOf = ({ name, schema: { type, enum: choices } }: Option): string => {
  if (type === "boolean") return `--${name}`;
  return `--${name} <${choices ? choices.join("|") : type === "array" ? "a,b" : type === "string" ? "text" : "number"}>`;
};
const saysOf = ({
  schema: { description = "", minimum, maximum },
}: Option & { schema: { minimum?: number; maximum?: number } }): string => {
  const bounds = maximum === undefined ? "" : `${minimum ?? 0} to ${maximum}`;
  return [description, bounds].filter(Boolean).join("; ");
};
