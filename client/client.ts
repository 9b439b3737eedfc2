// The client: a function for each line of the table, in groups.
import { call, type Answered, type CallOptions, type ClientOptions, type Sending } from "./call.ts";
import { follow, type FollowOptions } from "./follow.ts";
import { rowsOf } from "./pages.ts";
import { ProblemError, type ClientCode } from "./problem.ts";
import { table, type Table } from "./table.ts";
import type { GeneralCode, Line, Routes } from "./types.ts";

type Plain<T> = { [K in keyof T]: {} extends Pick<T, K> ? T[K] | undefined : T[K] };
type RequiredKeys<T> = { [K in keyof T]-?: {} extends Pick<T, K> ? never : K }[keyof T];
/** The fields of path, query and body, by their names. A field without a value may be undefined. */
type Input<T> = T extends { path: infer P; query: infer Q; body: infer B } ? Plain<P & Q & B> : never;
/** The id alone, where nothing else is required. */
type Short<T> = T extends { path: infer P }
  ? RequiredKeys<Input<T>> extends infer K extends keyof P
    ? IsOne<K> extends true
      ? P[K] & string
      : never
    : never
  : never;
type IsOne<K, All = K> = K extends unknown ? ([All] extends [K] ? true : false) : never;
type Args<T, O> = [RequiredKeys<Input<T>>] extends [never]
  ? [input?: Input<T>, options?: O]
  : [input: Input<T> | Short<T>, options?: O];
type Answer<T> = T extends { answer: infer A } ? A : never;
type Refusals<T> = T extends { refusals: infer C extends string } ? C : never;
type Row<T> = T extends { answer: infer A; rows: infer F }
  ? F extends keyof A
    ? A[F] extends readonly (infer R)[]
      ? R
      : never
    : never
  : never;

/** Whether an error is a problem of this operation, of any code or of one of those that are named. */
interface Failing<T> {
  /** For the compiler alone. */
  readonly types?: T;
  isProblem<C extends Refusals<T> | GeneralCode | ClientCode>(error: unknown, ...codes: C[]): error is ProblemError<C>;
}
interface Asked<T> extends Failing<T> {
  /** Throws ProblemError, or the reason of the signal. */
  (...args: Args<T, CallOptions>): Promise<Answer<T>>;
  /** The answer with its status and header fields: `ETag`, `Location`. */
  answer(...args: Args<T, CallOptions>): Promise<Answered<Answer<T>>>;
}
interface Listed<T> extends Asked<T> {
  /** The rows of all pages, from the one that is asked for on; a page is read when its first row is wanted. */
  all(...args: Args<T, CallOptions>): AsyncIterableIterator<Row<T>>;
}
interface Followed<T> extends Failing<T> {
  /** The events as they come, until the last one; a cut connection is taken up again where it was. */
  (...args: Args<T, FollowOptions>): AsyncIterableIterator<T extends { event: infer E } ? E : never>;
}
type Operation<T> = T extends { event: unknown } ? Followed<T> : [Row<T>] extends [never] ? Asked<T> : Listed<T>;

/** All operations, by group and name. `all` of a group is that of its `list`. */
export type Client = {
  readonly [G in keyof Table]: {
    readonly [N in keyof Table[G]]: Operation<Routes[Table[G][N] & Line]>;
  } & (Table[G] extends { list: infer L extends Line } ? { readonly all: Listed<Routes[L]>["all"] } : {});
};

/** What an operation takes: `InputOf<typeof shop.orders.place>`. */
export type InputOf<F> = F extends Failing<infer T> ? Input<T> : never;
/** What an operation answers: `AnswerOf<typeof shop.products.get>`. */
export type AnswerOf<F> = F extends Failing<infer T> ? Answer<T> : never;
/** A row of a list: `RowOf<typeof shop.orders.list>`. */
export type RowOf<F> = F extends Failing<infer T> ? Row<T> : never;
/** Codes with which an operation may refuse. */
export type CodeOf<F> = F extends Failing<infer T> ? Refusals<T> | GeneralCode | ClientCode : never;

/**
 * A client of the API at `url`, as whoever the credentials are of. It keeps no connection and no state but theirs. Throws a TypeError
 * for a `url` that is none.
 */
export function createClient(options: ClientOptions = {}): Client {
  const { url } = options;
  const client = url === undefined ? options : { ...options, url: new URL(url).href.replace(/\/$/, "") };
  const groups = Object.entries(table).map(([group, lines]) => {
    const operations: Record<string, unknown> = Object.fromEntries(
      Object.entries<string>(lines).map(([name, line]) => [name, operationOf(client, line)]),
    );
    const list = operations["list"] as { all?: unknown } | undefined;
    return [group, list ? { ...operations, all: list.all } : operations];
  });
  return Object.fromEntries(groups) as Client;
}

type AnyInput = string | Readonly<Record<string, unknown>> | undefined;

function operationOf(client: ClientOptions, line: string): unknown {
  const sending = (input: AnyInput, options: CallOptions | undefined): Sending => ({
    ...options,
    client,
    line,
    input: typeof input === "string" ? { [/:(\w+)/.exec(line)![1]!]: input } : (input ?? {}),
  });
  const isProblem = (error: unknown, ...codes: string[]): boolean =>
    error instanceof ProblemError && (codes.length === 0 || codes.includes(error.code));
  if (isStream(line))
    return Object.assign((input: AnyInput, options?: FollowOptions) => follow(sending(input, options), options), {
      isProblem,
    });
  const answer = (input: AnyInput, options?: CallOptions) => call(sending(input, options));
  return Object.assign(async (input: AnyInput, options?: CallOptions) => (await answer(input, options)).body, {
    answer,
    isProblem,
    all: (input: AnyInput, options?: CallOptions) => rowsOf(sending(input, options)),
  });
}
export const isStream = (line: string): boolean => line.endsWith("/stream");
