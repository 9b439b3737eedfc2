// Three families of errors, and what a caller may do about each:
//
//   Refusal      the domain says no. 4xx, never retried, names the rule and, where there is one, the field.
//   Unavailable  not now. 429/503/504, retryable; `outcome` tells whether the request may have taken effect:
//                none = never decided, or withdrawn before it was sent; unknown = time-out, connection lost.
//   Bug          an invariant broke. 500; logged with state where it is caught, its message never leaves the house.
//
// A subclass does not survive Moleculer's wire, so match on `type` and `family`, or let the broker's regenerator
// restore the class. The fields are the ones that Moleculer itself carries: code, type, data, retryable.

export type Outcome = "none" | "unknown";
export type Issue = { readonly field: string; readonly message: string };
export interface ErrorData {
  readonly family: "refusal" | "unavailable" | "bug";
  readonly errors?: readonly Issue[];
  /** Milliseconds after which a repetition makes sense. */
  readonly retryAfterMs?: number;
  readonly members?: Readonly<Record<string, unknown>>;
  readonly outcome?: Outcome;
  /** Another node may succeed where this one cannot: the hop that called asks each of the others once. */
  readonly elsewhere?: true;
  readonly [detail: string]: unknown;
}

/**
 * A start, or a command that an operator typed, cannot go on until the operator corrects something, which the message
 * names in one line. It has no stack, which would not help an operator. It belongs to none of the three families: no
 * caller ever gets it.
 */
export class Misconfigured extends Error {
  constructor(message: string) {
    super(message);
    // Not enumerable, as else a log would add it.
    Object.defineProperty(this, "name", { value: new.target.name });
    this.stack = message;
  }
}

abstract class HouseError extends Error {
  /** HTTP status. */
  readonly code: number;
  /** The rule or cause, `UPPER_SNAKE`: what callers match on. */
  readonly type: string;
  readonly retryable: boolean;
  readonly data: ErrorData;
  constructor(message: string, code: number, type: string, retryable: boolean, data: ErrorData, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    this.type = type;
    this.retryable = retryable;
    this.data = data;
  }
}

export interface RefusalDetail {
  readonly message?: string;
  /** Path of the offending field, dots between: `lines.0.quantity`. */
  readonly field?: string;
  /** HTTP status. Default: 404 for a rule that ends in `_NOT_FOUND`, else 409. */
  readonly status?: number;
  readonly errors?: readonly Issue[];
  /** Milliseconds after which the rule may say otherwise, for a limit on how often something may be done. */
  readonly retryAfterMs?: number;
  /** Values that the client needs to go on, by name: further members of the problem over HTTP (RFC 9457, 3.2). */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** The domain says no. A repetition with the same command id gets the same refusal. */
export class Refusal extends HouseError {
  constructor(type: string, detail: RefusalDetail = {}) {
    const message = detail.message ?? type.toLowerCase().replaceAll("_", " ");
    const errors = detail.errors ?? (detail.field === undefined ? undefined : [{ field: detail.field, message }]);
    const status = detail.status ?? (type.endsWith("_NOT_FOUND") ? 404 : 409);
    const { retryAfterMs, members } = detail;
    const data = {
      ...(errors && { errors }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      ...(members && { members }),
    };
    super(message, status, type, false, { family: "refusal", ...data });
  }
}

/** Not now: try again after `retryAfterMs`; with `outcome: "unknown"` only under the same command id. */
export class Unavailable extends HouseError {
  constructor(
    type: string,
    detail: { message?: string; outcome?: Outcome; retryAfterMs?: number; elsewhere?: boolean; cause?: unknown } = {},
  ) {
    const { outcome = "none", retryAfterMs = 100, cause } = detail;
    const message = detail.message ?? type.toLowerCase().replaceAll("_", " ");
    const elsewhere = detail.elsewhere === true && ({ elsewhere: true } as const);
    const data = { family: "unavailable", outcome, retryAfterMs, ...elsewhere } as const;
    super(message, outcome === "none" ? 503 : 504, type, true, data, cause);
  }
}

/** An invariant broke. */
export class Bug extends HouseError {
  constructor(type: string, message: string, detail: { cause?: unknown; [key: string]: unknown } = {}) {
    const { cause, ...data } = detail;
    super(message, 500, type, false, { ...data, family: "bug" }, cause);
  }
}

type Coded = { code?: unknown; retryable?: unknown; data?: { family?: unknown; outcome?: unknown } };
/** The fields that decide. An author's code may throw anything, also an object whose getters throw. */
function coded(error: unknown): Coded {
  if (typeof error !== "object" || error === null) return {};
  try {
    const { code, retryable, data } = error as Coded;
    return { code, retryable, ...(data && { data: { family: data.family, outcome: data.outcome } }) };
  } catch {
    return {};
  }
}

/** Whether the domain said no, for our own errors and for Moleculer's (a ValidationError is a refusal too). */
export function isRefusal(error: unknown): error is Error & { type: string; code: number } {
  const { code, retryable, data } = coded(error);
  if (data?.family !== undefined) return data.family === "refusal";
  return typeof code === "number" && code >= 400 && code < 500 && code !== 429 && retryable !== true;
}

/** Whether trying again can help. Anything that is neither refusal nor bug is. */
export function isRetryable(error: unknown): boolean {
  return coded(error).retryable === true;
}

/** Whether a call that failed with this error may have taken effect. Unmarked errors count as unknown. */
export function outcomeOf(error: unknown): Outcome {
  return coded(error).data?.outcome === "none" ? "none" : "unknown";
}

/** Characters of a message in a journal or a dead letter: a longer one does not help, and has to pass the bus. */
const MESSAGE_MAX = 2_000;

/** An error as plain data, for journals and dead letters: no stack, no cause. Never throws, whatever was thrown. */
export function plainError(error: unknown): { type: string; message: string; code: number } {
  const { type, message, code } = fieldsOf(error);
  return {
    type: typeof type === "string" ? type.slice(0, MESSAGE_MAX) : "ERROR",
    message: (typeof message === "string" ? message : textOf(error)).slice(0, MESSAGE_MAX),
    code: typeof code === "number" ? code : 500,
  };
}

function fieldsOf(error: unknown): { type?: unknown; message?: unknown; code?: unknown } {
  try {
    const { type, message, code } = (error ?? {}) as { type?: unknown; message?: unknown; code?: unknown };
    return { type, message, code };
  } catch {
    return {};
  }
}

function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return `a value of type ${typeof thrown}`;
  }
}

/**
 * A value that an author's code threw, as an Error that can be logged and sent: an Error that can be read is passed on as it
 * is, anything else becomes a plain Error with the readable parts.
 */
export function asError(thrown: unknown): Error {
  if (isReadableError(thrown)) return thrown;
  const { type, message, code } = plainError(thrown);
  return Object.assign(new Error(message), { type, code });
}

/**
 * Whether an author's code gave a promise where a value is due, as an `async` function does. Its rejection gets a
 * handler, since an unhandled one ends the process.
 */
export function isPromise(given: unknown): boolean {
  if (typeof (given as { then?: unknown } | null | undefined)?.then !== "function") return false;
  Promise.resolve(given).catch(() => {});
  return true;
}

/** The fields of an error that a logger and the wire read. */
const READ = ["name", "message", "stack", "code", "type", "retryable", "data"];
function isReadableError(thrown: unknown): thrown is Error {
  try {
    if (!(thrown instanceof Error)) return false;
    for (const field of READ) Reflect.get(thrown, field);
    return true;
  } catch {
    return false;
  }
}
