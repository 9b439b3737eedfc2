// Errors of a call: a problem that the API answered (RFC 9457), or an answer that never came.

/** A field of the input that is wrong, dots between the parts of its path: `lines.0.quantity`. */
export interface Issue {
  readonly field: string;
  readonly message: string;
}

/**
 * Whether the request took effect. `none`: it did not, and may be sent again. `unknown`: no answer came, or the server does not know; to
 * send it again with the same key is safe.
 */
export type Outcome = "none" | "unknown";

/**
 * Codes of the client itself. `NO_ANSWER`: the connection was cut or never made. `TIMED_OUT`: `timeoutMs` was over. `NO_PROBLEM`: an answer that is
 * not of this API, such as a proxy's page.
 */
export type ClientCode = "NO_ANSWER" | "TIMED_OUT" | "NO_PROBLEM";

/** Members of a problem as it was answered. */
export interface Problem {
  readonly type?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly Issue[];
  readonly requestId?: string;
  readonly [member: string]: unknown;
}

/** Why a call failed. An aborted call throws the reason of its signal instead. */
export class ProblemError<C extends string = string> extends Error {
  override readonly name = "ProblemError";
  readonly code: C;
  /** HTTP status; 0 without an answer; 422 where the client itself has refused an id. */
  readonly status: number;
  /** Fields that are wrong; empty where it is not about fields. */
  readonly errors: readonly Issue[];
  /** Id of the request in the server's logs; undefined without an answer. */
  readonly requestId: string | undefined;
  /** Milliseconds after which a repetition makes sense, as the server says. */
  readonly retryAfterMs: number | undefined;
  readonly outcome: Outcome;
  /** The whole problem, with members of its own rule: `total` of `PRICE_CHANGED`. */
  readonly problem: Problem;

  constructor(code: C, { status = 0, problem = {}, retryAfterMs, cause }: ProblemOptions = {}) {
    super(problem.detail ?? problem.title ?? SAYS[code] ?? code, { cause });
    this.code = code;
    this.status = status;
    this.errors = problem.errors ?? [];
    this.requestId = problem.requestId;
    this.retryAfterMs = retryAfterMs;
    this.outcome = isUnknown(code, status) ? "unknown" : "none";
    this.problem = problem;
  }
}
/** A proxy's 503 may come after the request has reached the server; a key in use belongs to an attempt that is under way. */
const isUnknown = (code: string, status: number): boolean =>
  status < 400 ||
  code === "IDEMPOTENCY_KEY_IN_PROGRESS" ||
  (status >= 500 && status !== 501 && (status !== 503 || code === "NO_PROBLEM"));
export interface ProblemOptions {
  readonly status?: number;
  readonly problem?: Problem;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}
const SAYS: Readonly<Record<string, string>> = {
  NO_ANSWER: "no answer came: the connection was cut or never made",
  TIMED_OUT: "no answer came in time",
  NO_PROBLEM: "the answer is not one of this API",
};

/** The problem in an answer that is no success. */
export async function problemIn(response: Response): Promise<ProblemError> {
  const { status, headers } = response;
  const isProblem = headers.get("content-type")?.startsWith("application/problem+json");
  // The status says enough where the text is cut, or is that of another.
  const problem = isProblem
    ? ((await response.json().catch(() => undefined)) as Problem | null | undefined)
    : undefined;
  const type = String(problem?.type);
  const code = type.startsWith(PROBLEMS)
    ? type.slice(PROBLEMS.length).replaceAll("-", "_").toUpperCase()
    : "NO_PROBLEM";
  return new ProblemError(code, { status, ...(problem && { problem }), retryAfterMs: retryAfterOf(headers) });
}
const PROBLEMS = "/problems/";

/** `Retry-After` in seconds, or as a date. */
function retryAfterOf(headers: Headers): number | undefined {
  const text = headers.get("retry-after");
  if (text === null) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
