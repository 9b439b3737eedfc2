// The commands of a table of operations. Words are read as the command that has most of them in their places; the other params of
// its action are options, named like the params: `olderThanDays` is `--older-than-days`.
import type { TSchema } from "typebox";
import { compileParams, strictObject } from "../../contract/index.ts";
import { type Issue, nearestName } from "../../kernel/index.ts";
import { namesIn, type Operation } from "../table/operation.ts";
import { readPattern, type Pattern } from "../table/pattern.ts";

/** A mistake in what was typed: the message says how to correct it. */
export class TypingError extends Error {}

export interface Command {
  readonly form: string;
  readonly summary: string;
  readonly examples: readonly string[];
  readonly pattern: Pattern;
  readonly operation: Operation;
  /** Params that the command sets itself. */
  readonly fixed: Readonly<Record<string, unknown>>;
}

export const commandsOf = (table: readonly Operation[]): readonly Command[] =>
  table.flatMap(operation => {
    const { command, summary, examples, pattern, shortcuts = [] } = operation;
    return [
      { form: command, summary, examples, pattern, operation, fixed: {} },
      ...shortcuts.map(one => ({
        form: one.command,
        summary: one.summary,
        examples: one.examples,
        pattern: readPattern(one.command),
        operation,
        fixed: one.params,
      })),
    ];
  });

/** Options of every command, beside those of its action. */
export const USUAL = {
  json: "the whole answer as JSON",
  yes: "does not ask before what cannot be taken back",
  "no-wait": "does not wait for what goes on in the background",
  help: "the command with its options, and examples",
} as const;

/** Those that a command has a use for. */
export const usualOf = ({ operation: { asks, follow } }: Command): (keyof typeof USUAL)[] =>
  (Object.keys(USUAL) as (keyof typeof USUAL)[]).filter(
    name => (name !== "yes" || asks !== undefined) && (name !== "no-wait" || follow !== undefined),
  );

export interface Asked {
  readonly command: Command;
  readonly params: Readonly<Record<string, unknown>>;
  readonly flags: Readonly<Partial<Record<keyof typeof USUAL, boolean>>>;
}

export interface Option {
  /** Without its dashes. */
  readonly name: string;
  readonly param: string;
  readonly schema: OptionSchema;
}
export type OptionSchema = TSchema & {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly description?: string;
};

const dashed = (param: string): string => param.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);

/** The options of a command: the params that are not given by their place. */
export function optionsOf({ operation, pattern, fixed }: Command): Option[] {
  const placed = namesIn(pattern);
  return Object.entries(operation.params)
    .filter(([param]) => !placed.includes(param) && !Object.hasOwn(fixed, param))
    .map(([param, schema]) => ({
      name: operation.optionNames?.[param] ?? dashed(param),
      param,
      schema: schema as OptionSchema,
    }));
}

/** The command as it was meant: `rebuild shelf`. */
export const saidOf = ({ command: { pattern }, params }: Asked): string =>
  pattern.places
    .flatMap(place => {
      const word = "word" in place ? place.word : (params[place.param] as string | number | undefined);
      return word === undefined ? [] : [`${word}`];
    })
    .join(" ");

/** First words of all commands. */
export const firstWords = (commands: readonly Command[]): string[] => [
  ...new Set(commands.map(({ pattern }) => (pattern.places[0] as { word: string }).word)),
];

/**
 * What these words ask for. Throws TypingError that names the nearest command or option, the param that is missing, or the value
 * that is none.
 */
export function readCommand(commands: readonly Command[], words: readonly string[]): Asked {
  const [first = ""] = words;
  const family = commands.filter(({ pattern }) => (pattern.places[0] as { word: string }).word === first);
  if (family.length === 0) throw new TypingError(strangeWord(first, firstWords(commands)));
  const tries = family.flatMap(command => {
    const literals = literalsIn(command.pattern, words);
    return literals === undefined ? [] : [{ command, literals }];
  });
  const option = words.findIndex(word => word.startsWith("--"));
  const before = option < 0 ? words.length : option;
  const lacksRoom = ({ pattern }: Command): number => Number(pattern.places.length < before);
  tries.sort((a, b) => b.literals - a.literals || lacksRoom(a.command) - lacksRoom(b.command));
  let mistake: TypingError | undefined;
  for (const { command } of tries)
    try {
      return fill(command, words);
    } catch (error) {
      if (!(error instanceof TypingError)) throw error;
      // The one with most words in their places was meant.
      mistake ??= error;
    }
  const meant = meantWord(family, words);
  if (meant !== undefined) throw new TypingError(meant);
  throw mistake ?? new TypingError(`${first} reads: ${family.map(({ form }) => form).join(" | ")}`);
}

/** Says which word of its commands was meant by one that is in no command's place. */
function meantWord(family: readonly Command[], words: readonly string[]): string | undefined {
  const option = words.findIndex(word => word.startsWith("--"));
  for (const [i, word] of words.slice(0, option < 0 ? undefined : option).entries()) {
    const places = family.flatMap(({ pattern }) => pattern.places[i] ?? []);
    const known = places.flatMap(place => ("word" in place ? place.word : []));
    if (known.length < places.length || known.includes(word)) continue;
    const near = nearestName(word, known);
    if (near !== undefined) return `${words.slice(0, i).join(" ")} has no "${word}"; did you mean ${near}?`;
  }
  return undefined;
}

const strangeWord = (word: string, known: readonly string[]): string => {
  const near = nearestName(word, known);
  return `there is no command "${word}"${near === undefined ? "; help lists them" : `; did you mean ${near}?`}`;
};

/** The words of a pattern that stand in their places; undefined where another word stands in one. */
function literalsIn({ places, flag }: Pattern, words: readonly string[]): number | undefined {
  if (flag && !words.some(word => word === `--${flag.name}`)) return undefined;
  let count = flag ? 1 : 0;
  for (const [i, place] of places.entries()) {
    if (!("word" in place)) continue;
    const word = words[i];
    if (word !== undefined && !word.startsWith("--") && word !== place.word) return undefined;
    if (word === place.word) count++;
  }
  return count;
}

function fill(command: Command, words: readonly string[]): Asked {
  const { pattern, form } = command;
  const options = optionsOf(command);
  const params: Record<string, unknown> = { ...command.fixed };
  const flags: Partial<Record<keyof typeof USUAL, boolean>> = {};
  const placed: string[] = [];
  const rest = [...words];
  const next = (name: string): string => {
    const value = rest.shift();
    if (value === undefined) throw new TypingError(`--${name} needs a value`);
    return value;
  };
  while (rest.length > 0) {
    const word = rest.shift()!;
    if (isHelp(word)) flags.help = true;
    else if (!word.startsWith("--")) placed.push(word);
    else {
      const [, name = "", inline] = /^--([^=]*)(?:=([^]*))?$/.exec(word) ?? [];
      const option = options.find(one => one.name === name);
      if (name === pattern.flag?.name)
        for (const { param, isOptional } of pattern.flag.params) {
          const isThere = rest.length > 0 && !rest[0]!.startsWith("--");
          if (isThere || !(isOptional || words.some(isHelp))) params[param] = valueOf(command, param, next(name));
        }
      else if (option && option.schema.type === "boolean") params[option.param] = inline !== "false";
      else if (option) set(params, option, inline ?? next(name));
      else if (Object.hasOwn(USUAL, name)) flags[name as keyof typeof USUAL] = true;
      else throw new TypingError(strangeOption(name, command, options));
    }
  }
  for (const [i, place] of pattern.places.entries()) {
    const word = placed[i];
    if ("word" in place) {
      if (word !== place.word && !flags.help) throw new TypingError(`"${place.word}" is missing: ${form}`);
    } else if (word !== undefined) params[place.param] = valueOf(command, place.param, word);
    else if (!place.isOptional && !flags.help) throw new TypingError(`<${place.param}> is missing: ${form}`);
  }
  const more = placed[pattern.places.length];
  if (more !== undefined) throw new TypingError(`"${more}" is one word too many: ${form}`);
  if (!flags.help) checkParams(command, params);
  return { command, params, flags };
}

/** A service need not be asked for what it would refuse. */
function checkParams(command: Command, params: Readonly<Record<string, unknown>>): void {
  const { operation, form, examples } = command;
  const issues = compileParams(strictObject(operation.params), operation.action)(structuredClone(params));
  if (issues === true) return;
  const [{ field, message }] = issues as [Issue];
  const [param = ""] = field.split(".");
  const option = optionsOf(command).find(one => one.param === param);
  const place = option ? `--${option.name}` : `<${param}>`;
  if (message === "is required") throw new TypingError(`${place} is missing: ${form}; such as: ${examples[0]}`);
  // A regular expression tells a person less than an example does.
  const says = message.startsWith("must match pattern") ? `cannot be "${textOf(params[param])}"` : message;
  throw new TypingError(`${place} ${says}; such as: ${examples[0]}`);
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

const isHelp = (word: string): boolean => word === "--help" || word === "-h";

function strangeOption(name: string, command: Command, options: readonly Option[]): string {
  const { form } = command;
  const known = [...options.map(one => one.name), ...usualOf(command)];
  const near = nearestName(name, known);
  const meant = near === undefined ? `it has ${known.map(one => `--${one}`).join(", ")}` : `did you mean --${near}?`;
  return `${form} has no option --${name}; ${meant}`;
}

/** A list is given by commas, or by the option again. */
function set(params: Record<string, unknown>, { name, param, schema }: Option, text: string): void {
  if (schema.type !== "array") params[param] = typed(`--${name}`, schema, text);
  else params[param] = [...((params[param] as string[] | undefined) ?? []), ...text.split(",")];
}

const valueOf = ({ operation }: Command, param: string, text: string): unknown =>
  typed(`<${param}>`, operation.params[param] as OptionSchema, text);

function typed(place: string, { type, enum: choices }: OptionSchema, text: string): unknown {
  if (choices && !choices.includes(text)) {
    const near = nearestName(text, choices);
    throw new TypingError(
      `${place} is one of ${choices.join(", ")}${near === undefined ? "" : `; did you mean ${near}?`}`,
    );
  }
  if (type === "string" || choices) return text;
  // Any value: text that is no JSON is text.
  if (type === undefined) return isJson(text) ? JSON.parse(text) : text;
  if (type === "object") return jsonIn(place, text);
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new TypingError(`${place} is a number, not "${text}"`);
  return value;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function jsonIn(place: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TypingError(`${place} is JSON: ${(error as Error).message}`);
  }
}
