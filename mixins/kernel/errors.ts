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
  readonly outcome?: Outcome;
  /** Another node may have what this one lacks: the hop that called asks each of the others once. */
  readonly elsewhere?: true;
  readonly [detail: string]: unknown;
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
  /** Milliseconds after which the rule may say otherwise: of a limit on how often something may be done. */
  readonly retryAfterMs?: number;
}

/** The domain says no. A repetition with the same command id gets the same refusal. */
export class Refusal extends HouseError {
  constructor(type: string, detail: RefusalDetail = {}) {
    const message = detail.message ?? type.toLowerCase().replaceAll("_", " ");
    const errors = detail.errors ?? (detail.field === undefined ? undefined : [{ field: detail.field, message }]);
    const status = detail.status ?? (type.endsWith("_NOT_FOUND") ? 404 : 409);
    const { retryAfterMs } = detail;
    const data = { ...(errors && { errors }), ...(retryAfterMs !== undefined && { retryAfterMs }) };
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
const coded = (error: unknown): Coded => (typeof error === "object" && error !== null ? error : {});

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

/** What is known about the effect of a call that failed so. Unmarked errors count as unknown. */
export function outcomeOf(error: unknown): Outcome {
  return coded(error).data?.outcome === "none" ? "none" : "unknown";
}

/** An error as plain data, for journals and dead letters: no stack, no cause. */
export function plainError(error: unknown): { type: string; message: string; code: number } {
  const { type, message, code } = (error ?? {}) as { type?: unknown; message?: unknown; code?: unknown };
  return {
    type: typeof type === "string" ? type : "ERROR",
    message: typeof message === "string" ? message : textOf(error),
    code: typeof code === "number" ? code : 500,
  };
}

/** Anything may be thrown, also what has no text. */
function textOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return `a value of type ${typeof error}`;
  }
}
