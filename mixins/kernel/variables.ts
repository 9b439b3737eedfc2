// The kinds of environment variables. A kind knows which texts it takes, and the value of each. A variable without a default
// is undefined where it is not set.
import { accessSync, constants } from "node:fs";
import type { Environment } from "./environment.ts";

/** One declared variable; its reader gets a `T`. The functions below make them. */
export interface Variable<T = unknown> {
  /** Its purpose, in Markdown, for the page of the configuration. */
  readonly says: string;
  /** The look of a value, in Markdown, for that page. */
  readonly form: string;
  /** Its default, for that page; "" when it has none. */
  readonly defaultSays: string;
  /**
   * `shown`: its value may be listed. `unlisted`: a URL with a password in it, of which messages show the server only.
   * `hidden`: a secret, of which no message shows anything.
   */
  readonly secrecy: "shown" | "unlisted" | "hidden";
  /** Whether blanks at the ends of the text belong to the value. */
  readonly isVerbatim: boolean;
  /** Whether each service has one of its own: `<SERVICE>_DATABASE_URL`. */
  readonly isPerService: boolean;
  /** The form that the text should have had, as in "expected a colour"; undefined when the text is right. */
  problem(text: string): string | undefined;
  /** The value of a text without a problem. */
  value(text: string): T;
  /** The value where the variable is not set. */
  fallback(environment: Environment): T;
}

/** A default that other variables decide needs words: a page cannot show a function. */
type Default<T> =
  | { readonly default?: T; readonly defaultSays?: string }
  | { readonly default: (environment: Environment) => T; readonly defaultSays: string };
type Options<T> = { readonly says: string } & Default<T>;
/** A variable without a default may be undefined. */
type Read<T, O> = O extends { readonly default: {} } ? T : T | undefined;

type Kind = Pick<Variable, "form" | "problem"> &
  Partial<Pick<Variable, "secrecy" | "isVerbatim">> & {
    value(text: string): unknown;
    /** A value as the environment has it. */
    readonly text?: (value: any) => string;
  };

function variable<T, O extends Options<T>>(options: O, { text = String, ...kind }: Kind): Variable<Read<T, O>> {
  const { says, default: fallback, defaultSays }: Options<T> = options;
  const said = fallback === undefined || typeof fallback === "function" ? "" : text(fallback);
  return {
    secrecy: "shown",
    isVerbatim: false,
    ...kind,
    says,
    defaultSays: defaultSays ?? (said && `\`${said}\``),
    isPerService: false,
    fallback: (environment: Environment) =>
      typeof fallback === "function" ? (fallback as (from: Environment) => T)(environment) : fallback,
  } as Variable<Read<T, O>>;
}

/** The `problem` of a kind whose texts `isFit` tells. */
const unless =
  (isFit: (text: string) => boolean, expected: string): Kind["problem"] =>
  text =>
    isFit(text) ? undefined : expected;

/** A whole number in decimal digits, from `min` to `max`. */
export function integer<const O extends Options<number> & { min: number; max: number }>(
  options: O,
): Variable<Read<number, O>> {
  const { min, max } = options;
  const isFit = (text: string): boolean => /^\d+$/.test(text) && Number(text) >= min && Number(text) <= max;
  const problem = unless(isFit, `a whole number from ${min} to ${max}`);
  return variable<number, O>(options, { form: `${min} to ${max}`, problem, value: Number });
}

/** One of some words. */
export function oneOf<const C extends string, const O extends Options<C>>(
  choices: readonly C[],
  options: O,
): Variable<Read<C, O>> {
  const problem = unless(text => (choices as readonly string[]).includes(text), `one of ${choices.join(", ")}`);
  const form = choices.map(choice => `\`${choice}\``).join(", ");
  return variable<C, O>(options, { form, problem, value: text => text });
}

/** `on` or `off`. */
export function flag<const O extends Options<boolean>>(options: O): Variable<Read<boolean, O>> {
  return variable<boolean, O>(options, {
    form: "`on`, `off`",
    problem: unless(text => text === "on" || text === "off", "one of on, off"),
    value: text => text === "on",
    text: (value: boolean) => (value ? "on" : "off"),
  });
}

/** Any text, without blanks at its ends. */
export function text<const O extends Options<string>>(options: O): Variable<Read<string, O>> {
  return variable<string, O>(options, { form: "text", problem: () => undefined, value: value => value });
}

/** A text that matches `pattern`, which `expected` describes. */
export function matching<const O extends Options<string> & { pattern: RegExp; expected: string }>(
  options: O,
): Variable<Read<string, O>> {
  const { pattern, expected } = options;
  const problem = unless(value => pattern.test(value), expected);
  return variable<string, O>(options, { form: expected, problem, value: value => value });
}

/** Texts with commas between, each of which matches `pattern`. */
export function list<const O extends Options<readonly string[]> & { pattern: RegExp; expected: string }>(
  options: O,
): Variable<Read<readonly string[], O>> {
  const { pattern, expected } = options;
  return variable<readonly string[], O>(options, {
    form: expected,
    problem: unless(value => value.split(",").every(item => pattern.test(item)), expected),
    value: value => value.split(","),
    text: (items: readonly string[]) => items.join(","),
  });
}

/** A base URL, to whose end paths are put. Without credentials: fetch refuses them, at each request. */
export function url<const O extends Options<string> & { protocols: readonly string[] }>(
  options: O,
): Variable<Read<string, O>> {
  const schemes = options.protocols.map(protocol => `${protocol}//`);
  const isUrl = (value: string): boolean =>
    URL.canParse(value) && options.protocols.includes(new URL(value).protocol) && new URL(value).hostname !== "";
  return variable<string, O>(options, {
    form: `${schemes.join(" or ")} URL`,
    problem(value) {
      if (!isUrl(value)) return `a URL that starts with ${options.protocols.join(" or ")}`;
      return /[@?#]/.test(value) ? "a URL without user, query or fragment" : undefined;
    },
    value: value => value.replace(/\/$/, ""),
  });
}

/** URLs of servers, which may hold a password. `problem` checks them, `form` is how they look, in Markdown. */
export function serverUrl<const O extends Options<string> & Pick<Kind, "form" | "problem">>(
  options: O,
): Variable<Read<string, O>> {
  const { form, problem } = options;
  return variable<string, O>(options, { form, problem, value: value => value, secrecy: "unlisted" });
}

/** A text that `problem` checks; `form` is how it looks, in Markdown. */
export function checked<const O extends Options<string> & Pick<Kind, "form" | "problem">>(
  options: O,
): Variable<Read<string, O>> {
  const { form, problem } = options;
  return variable<string, O>(options, { form, problem, value: value => value });
}

/** A text that `problem` checks, and that no message and no list shows. */
export function hidden<const O extends Options<string> & Pick<Kind, "form" | "problem">>(
  options: O,
): Variable<Read<string, O>> {
  const { form, problem } = options;
  return variable<string, O>(options, { form, problem, value: value => value, secrecy: "hidden" });
}

/** A password or a token: no message and no list shows it. `isVerbatim`: blanks at its ends are part of it. */
export function secret<const O extends Options<string> & { pattern: RegExp; expected: string; isVerbatim?: boolean }>(
  options: O,
): Variable<Read<string, O>> {
  const { pattern, expected, isVerbatim = false } = options;
  const problem = unless(value => pattern.test(value), expected);
  return variable<string, O>(options, {
    form: expected,
    problem,
    value: value => value,
    secrecy: "hidden",
    isVerbatim,
  });
}

/** Stands for a service in a name: `<SERVICE>_DATABASE_URL`. */
export const SERVICE = "<SERVICE>";

/** A variable that each service has of its own, under a name with `<SERVICE>` in it; its reader asks by the service. */
export const perService = <T>(one: Variable<T>): Variable<(service: string) => T> =>
  ({ ...one, isPerService: true }) as unknown as Variable<(service: string) => T>;

/** `GUEST_BOOK_DATABASE_URL` for the service `guest-book`. */
export const variableOf = (name: string, service: string): string =>
  name.replace(SERVICE, service.toUpperCase().replaceAll("-", "_"));

/** A file that this process can read. */
export const file = (says: string): Variable<string | undefined> =>
  checked({
    form: "a file",
    problem: path => {
      try {
        accessSync(path, constants.R_OK);
        return undefined;
      } catch (error) {
        return `a file that can be read (${(error as NodeJS.ErrnoException).code})`;
      }
    },
    says,
  });
