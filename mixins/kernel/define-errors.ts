// The errors of a floor or a service in one table: code, status, message, and advice for the reader. Code throws a named
// one, so that a misspelt code does not compile and a code has one status. `docs/errors.md` is generated from them.
//
//   export const httpErrors = defineErrors({
//     BODY_TOO_LARGE: { status: 413, says: "the body has more than {bytes} bytes", todo: "send less" },
//   });
//   throw httpErrors.BODY_TOO_LARGE({ bytes: 100_000 });
import { Bug, Refusal, Unavailable, type Issue, type Outcome } from "./errors.ts";

/** HTTP statuses of refusals. */
export type RefusalStatus =
  400 | 401 | 403 | 404 | 405 | 406 | 408 | 409 | 412 | 413 | 414 | 415 | 417 | 422 | 429 | 431 | 501;

interface Text {
  /**
   * The message, unless the thrower gives a better one: a clause without a capital and a full stop. `{name}` stands for a
   * value that the thrower gives.
   */
  readonly says: string;
  /** Advice to the reader, as an imperative clause. */
  readonly todo: string;
}
/** The domain says no. */
export interface RefusalDefinition extends Text {
  readonly status: RefusalStatus;
  /** Status where the client named a missing thing in a body: a 404 would say that the URL is wrong. */
  readonly inBody?: 422;
}
/** Not now. 503: nothing was done. 504: it is not known whether the request took effect. */
export interface UnavailableDefinition extends Text {
  readonly status: 503 | 504;
  /** For a 503: whether it is also thrown with `outcome: "unknown"`, and is a 504 then. */
  readonly unknown?: 504;
  /** Milliseconds after which a repetition makes sense, unless the thrower says otherwise. Default 100. */
  readonly retryAfterMs?: number;
}
/** An invariant broke. `says` and `todo` are for operators: a client reads only that it is a 500. */
export interface BugDefinition extends Text {
  readonly status: 500;
}
export type ErrorDefinition = RefusalDefinition | UnavailableDefinition | BugDefinition;

interface RefusalOptions {
  /** Path of the offending field, dots between: `lines.0.quantity`. */
  readonly field?: string;
  readonly errors?: readonly Issue[];
  /** Milliseconds after which the rule may say otherwise. */
  readonly retryAfterMs?: number;
  /** Values that the client needs to go on, by name: further members of the problem over HTTP (RFC 9457, 3.2). */
  readonly members?: Readonly<Record<string, unknown>>;
}
interface UnavailableOptions {
  /** Milliseconds. */
  readonly retryAfterMs?: number;
  /** Another node may succeed where this one cannot: the hop that called asks each of the others once. */
  readonly elsewhere?: boolean;
  readonly cause?: unknown;
}
/** Besides the cause, state that the log needs. */
interface BugOptions {
  readonly cause?: unknown;
  readonly [detail: string]: unknown;
}
type Options<D> = D extends { status: 500 }
  ? BugOptions
  : D extends { status: 503 | 504 }
    ? UnavailableOptions & (D extends { unknown: 504 } ? { readonly outcome?: Outcome } : {})
    : RefusalOptions & (D extends { inBody: 422 } ? { readonly inBody?: boolean } : {});

type Placeholder<S extends string> = S extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholder<Rest>
  : never;
type Detail<D extends Text> = [Placeholder<D["says"]>] extends [never]
  ? [detail?: Options<D> & { readonly message?: string }]
  : [
      detail: Options<D> &
        ({ readonly message: string } | { readonly [Name in Placeholder<D["says"]>]: string | number }),
    ];
type ErrorOf<D> = D extends { status: 500 } ? Bug : D extends { status: 503 | 504 } ? Unavailable : Refusal;

/** Makes an error of one code, and tells what the code means. */
export interface ErrorFactory<D extends ErrorDefinition = ErrorDefinition> {
  (this: void, ...detail: Detail<D>): ErrorOf<D>;
  readonly code: string;
  readonly status: D["status"];
  readonly definition: ErrorDefinition;
}
export type Errors<D extends Readonly<Record<string, ErrorDefinition>>> = {
  readonly [C in keyof D & string]: ErrorFactory<D[C]>;
};
/** Some errors by code, of one catalogue or several. */
export type AnyErrors = Readonly<
  Record<string, Pick<ErrorFactory, "code" | "status" | "definition"> & ((this: void, detail?: any) => Error)>
>;

/** A catalogue of errors. Throws where a code is not `UPPER_SNAKE`. */
export function defineErrors<const D extends Readonly<Record<string, ErrorDefinition>>>(definitions: D): Errors<D> {
  const factories = Object.entries<ErrorDefinition>(definitions).map(([code, definition]) => {
    if (!/^[A-Z][A-Z\d]*(?:_[A-Z\d]+)*$/.test(code))
      throw new TypeError(`"${code}" is no code: write it like NOT_FOUND`);
    return [code, factoryOf(code, definition)] as const;
  });
  return Object.freeze(Object.fromEntries(factories)) as never;
}

/** Errors of codes that say nothing but their name: 404 for one that ends in `_NOT_FOUND`, else 409. */
export const plainErrors = <const C extends string>(codes: readonly C[]): Errors<Record<C, RefusalDefinition>> =>
  defineErrors(
    Object.fromEntries(
      codes.map(code => {
        const status = code.endsWith("_NOT_FOUND") ? 404 : 409;
        return [code, { status, says: code.toLowerCase().replaceAll("_", " "), todo: "" }];
      }),
    ) as Record<C, RefusalDefinition>,
  );

type Given = Readonly<Record<string, unknown>> & { readonly message?: string };

function factoryOf(code: string, definition: ErrorDefinition): ErrorFactory {
  const { says } = definition;
  const names = [...says.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const messageOf = (given: Given): string =>
    given.message ?? (names.length === 0 ? says : says.replaceAll(/\{(\w+)\}/g, (_, name) => String(given[name])));
  const make = makerOf(code, definition, names, messageOf);
  return Object.assign(make, { code, status: definition.status, definition }) as ErrorFactory;
}

function makerOf(
  code: string,
  definition: ErrorDefinition,
  names: readonly string[],
  messageOf: (given: Given) => string,
): (this: void, given?: Given) => any {
  if (definition.status === 500)
    return (given = {}) => {
      const kept = Object.entries(given).filter(([name]) => name !== "message" && !names.includes(name));
      return new Bug(code, messageOf(given), Object.fromEntries(kept));
    };
  if (definition.status === 503 || definition.status === 504) {
    const usual: Outcome = definition.status === 503 ? "none" : "unknown";
    const { retryAfterMs } = definition;
    return (given = {}) => {
      const { outcome = usual } = given as { outcome?: Outcome };
      return new Unavailable(code, {
        ...(retryAfterMs !== undefined && { retryAfterMs }),
        ...given,
        message: messageOf(given),
        outcome,
      });
    };
  }
  const { status, inBody = status } = definition as RefusalDefinition;
  return (given = {}) =>
    new Refusal(code, { ...given, message: messageOf(given), status: given["inBody"] === true ? inBody : status });
}
