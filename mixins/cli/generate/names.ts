// Names of a new service in every spelling that code needs: `room-keys` has the actor `room-key`, the type `RoomKey`, the
// variable `roomKeys` and the error `ROOM_KEY_NOT_FOUND`.
import { UsageError } from "../command.ts";

export interface Names {
  /** `room-keys`: folder, service, prefix of its actions. */
  readonly plural: string;
  /** `room-key`: actor, prefix of its events. */
  readonly singular: string;
}

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
/** Characters of a name: schemas, tables and consumers are named by it, and Postgres keeps 63 characters of those. */
const NAME_MAX = 30;

/** Throws UsageError for a name that no service can have, or of which the singular is not known. */
export function namesOf(plural: string, singular = singularOf(plural)): Names {
  for (const name of [plural, singular ?? plural])
    if (!NAME.test(name) || name.length > NAME_MAX)
      throw new UsageError(
        `"${name}": a name has small letters, digits and single hyphens, begins with a letter, and has at most ${NAME_MAX} characters`,
      );
  if (singular === undefined || singular === plural)
    throw new UsageError(
      `a service is named in the plural and its actor in the singular: say both, as in new service ${plural} --singular NAME`,
    );
  return { plural, singular };
}

function singularOf(plural: string): string | undefined {
  if (/[^aeiou]ies$/.test(plural)) return plural.replace(/ies$/, "y");
  if (/(?:ss|[xz]|[cs]h)es$/.test(plural)) return plural.replace(/es$/, "");
  return /[^s]s$/.test(plural) ? plural.slice(0, -1) : undefined;
}

const pascal = (name: string): string => name.replaceAll(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
const camel = (name: string): string => pascal(name).replace(/^./, letter => letter.toLowerCase());
const upper = (name: string): string => name.replaceAll("-", "_").toUpperCase();

/** A template's text with other names. In strings, comments and pages a name keeps its hyphens, in code it has none. */
export function renamed(text: string, from: Names, to: Names, isCode: boolean): string {
  if (!isCode) return spelled(text, from, to, name => name);
  // A key of an interface, which a name with a hyphen needs in quotes.
  const keyed = text.replaceAll(new RegExp(`^( *)${from.plural}(: typeof contract;)$`, "gm"), (_, indent, rest) =>
    to.plural.includes("-") ? `${indent}"${from.plural}"${rest}` : `${indent}${from.plural}${rest}`,
  );
  return keyed.replaceAll(PARTS, part => spelled(part, from, to, /^["'`/]/.test(part) ? name => name : camel));
}
/** Comments, strings, and what is between them. */
const PARTS = /\/\/[^\n]*|\/\*[^]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|[^"'`/]+|\//g;

function spelled(text: string, from: Names, to: Names, small: (name: string) => string): string {
  let result = text;
  for (const form of ["plural", "singular"] as const)
    result = result
      .replaceAll(new RegExp(`\\b([Aa]) (?=${from[form]}\\b)`, "g"), (_, article: string) =>
        /^[aeiou]/.test(to[form]) ? `${article}n ` : `${article} `,
      )
      .replaceAll(new RegExp(`(?<![A-Za-z])${from[form]}(?![a-z])`, "g"), small(to[form]))
      .replaceAll(new RegExp(`${pascal(from[form])}(?![a-z])`, "g"), pascal(to[form]))
      .replaceAll(new RegExp(`(?<![A-Z])${upper(from[form])}(?![A-Z])`, "g"), upper(to[form]));
  return result;
}
