// One call of the API, with as many attempts as it takes. The outcome of an attempt decides whether another one is safe:
//
//   refused (4xx)                      the call's error, at once
//   429, 503 of the API, key in use    nothing was done: again after `Retry-After`
//   504, 5xx of a proxy, no answer     it may have taken effect: again where that changes nothing, which holds for reads, for
//                                      PUT and DELETE, and for every change with a key
//   401, token expired                 the token is renewed, once for all calls that wait for it, and the request is sent again
//
// All attempts of a call have the same Idempotency-Key, so that the server carries it out once and answers each the same.
import { ProblemError, problemIn } from "./problem.ts";
import type { Credentials, Send } from "./credentials.ts";

export const limits = {
  /** Milliseconds of a call with all its attempts, unless it says otherwise. The gateway gives a call 30 s. */
  timeoutMs: 30_000,
  /** Attempts of a call, the first one included. */
  attemptsMax: 4,
  /** Milliseconds before the second attempt; the pause doubles with each further one. */
  pauseMs: 200,
  /** A server that wants a longer pause (a closed log-in, a used-up quota) is the caller's business. */
  retryAfterMsMax: 10_000,
  /** Milliseconds that another attempt needs at least: one that is sure to end without an answer would hide the last one. */
  attemptMsMin: 10,
  /**
   * Milliseconds of a renewal with all its attempts. The server takes a refresh token that was used for stolen after 10 s, and ends the
   * session: an attempt whose answer is lost must be repeated well before.
   */
  renewalMs: 8_000,
} as const;

export interface ClientOptions {
  /** Origin of the API, as `https://shop.example`. Default: that of the page. */
  readonly url?: string;
  /** Default: none, for what everybody may ask. */
  readonly credentials?: Credentials;
  /** Milliseconds of a call with all its attempts. Default 30 000. */
  readonly timeoutMs?: number;
  /** Default: the platform's. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** Header fields of every request. */
  readonly headers?: Readonly<Record<string, string>>;
}
export interface CallOptions {
  /** Ends the call at once; it throws the signal's reason. What was sent by then may still take effect. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds of the call with all its attempts; then it throws `TIMED_OUT`. */
  readonly timeoutMs?: number;
  /** The Idempotency-Key of a change. Default: a new one for each call. Keep it where a call may be repeated after a reload. */
  readonly key?: string;
  /** Header fields of this call: `If-Match`. With `Accept: text/csv` the body is text. */
  readonly headers?: Readonly<Record<string, string>>;
}
/** An answer with what HTTP says about it. */
export interface Answered<T> {
  readonly body: T;
  readonly status: number;
  readonly headers: Headers;
}

/** A call that is under way. */
export interface Sending extends CallOptions {
  readonly client: ClientOptions;
  /** Method and path with params, `GET /orders/:id`. */
  readonly line: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** Sends it until there is an answer. Throws ProblemError, or the reason of the signal. */
export async function call<T>(sending: Sending): Promise<Answered<T>> {
  const { client, line, signal } = sending;
  signal?.throwIfAborted();
  const ends = Date.now() + (sending.timeoutMs ?? client.timeoutMs ?? limits.timeoutMs);
  const key = takesKey(line) ? (sending.key ?? newKey()) : undefined;
  const isRepeatable = key !== undefined || !/^P(OST|ATCH) /.test(line) || line === REFRESH;
  let isRenewed = false;
  let wasUncertain = false;
  for (let attempt = 1; ; attempt++) {
    const credentials = client.credentials?.headers() ?? {};
    const leftMs = Math.min(Math.max(1, ends - Date.now()), TIMER_MS_MAX);
    // A connection that has died in silence must not take all the time where another attempt is safe.
    const withinMs = Math.ceil(isRepeatable && attempt < limits.attemptsMax ? leftMs / 2 : leftMs);
    const answered = await attemptOf<T>(sending, { credentials, key, withinMs });
    if (!(answered instanceof ProblemError)) return answered;
    if (!isRenewed && (isRenewed = await renewed(sending, answered, credentials))) {
      attempt--;
      continue;
    }
    if (wasUncertain && SAYS_NOTHING.includes(answered.status)) Object.assign(answered, { outcome: "unknown" });
    const pauseMs = pauseAfter(answered, attempt);
    const isWorthIt =
      attempt < limits.attemptsMax &&
      (answered.retryAfterMs ?? 0) <= limits.retryAfterMsMax &&
      Date.now() + pauseMs + limits.attemptMsMin < ends;
    if (!isWorthIt || !(isUndone(answered) || (isRepeatable && isUncertain(answered)))) throw answered;
    wasUncertain ||= isUncertain(answered);
    await pause(pauseMs, signal);
  }
}
/** Refusals that come before the key is looked at: they say nothing about what an earlier attempt has done. */
const SAYS_NOTHING: readonly number[] = [401, 403, 408, 425, 429, 503];

/** Whether a request that was refused is to be sent again, with credentials that are new. */
export const renewed = async (
  { client, signal }: Sending,
  problem: ProblemError,
  refused: Readonly<Record<string, string>>,
): Promise<boolean> =>
  problem.status === 401 &&
  (await unlessAborted(signal, client.credentials?.renew?.(problem, refused, sendBy(client)))) === true;

/** A request of the client's own, without credentials. No caller ends it: others wait for it too. */
const sendBy =
  ({ credentials: _own, ...client }: ClientOptions): Send =>
  async (line, input) =>
    (await call({ client, line, input: input as Sending["input"], timeoutMs: limits.renewalMs })).body;

interface Attempt {
  readonly credentials: Readonly<Record<string, string>>;
  readonly key: string | undefined;
  readonly withinMs: number;
}

const JSON_TYPE = "application/json";

async function attemptOf<T>(
  sending: Sending,
  { credentials, key, withinMs }: Attempt,
): Promise<Answered<T> | ProblemError> {
  const { client, signal } = sending;
  const { method, url, body } = requestOf(sending);
  const late = AbortSignal.timeout(withinMs);
  // Out of reach of `catch`: a field that HTTP cannot carry is the caller's mistake, and no lost answer.
  const headers = new Headers({
    Accept: JSON_TYPE,
    ...(body !== undefined && { "Content-Type": JSON_TYPE }),
    ...(key !== undefined && { "Idempotency-Key": key, "Request-Timeout": `${withinMs / 1_000}` }),
    ...credentials,
    ...client.headers,
    ...sending.headers,
  });
  try {
    const response = await (client.fetch ?? fetch)((client.url ?? "") + url, {
      method,
      headers,
      ...(body !== undefined && { body }),
      // A redirect would take the credentials elsewhere, and make a GET of a POST.
      redirect: "manual",
      signal: signal ? AbortSignal.any([signal, late]) : late,
    });
    // A caller may ask for a list as text/csv.
    const type = headers.get("Accept")!;
    if (!isOf(response, type)) return await problemIn(response);
    const { status } = response;
    const answer: unknown = status === 204 ? undefined : await response[type === JSON_TYPE ? "json" : "text"]();
    return { body: answer as T, status, headers: response.headers };
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    return new ProblemError(late.aborted ? "TIMED_OUT" : "NO_ANSWER", { cause });
  }
}

/** Whether it is a success of this API, with a body of this type or none. A proxy's page comes with 200, too. */
export const isOf = ({ ok, status, headers }: Response, type: string): boolean =>
  ok && (status === 204 || headers.get("content-type")?.startsWith(type) === true);

/** Path params by their names, the others by query or, for a change, as the body. */
export function requestOf({ line, input }: Pick<Sending, "line" | "input">): {
  method: string;
  url: string;
  body?: string;
} {
  const [method, path] = line.split(" ") as [string, string];
  const rest: Record<string, unknown> = { ...input };
  const filled = path.replaceAll(/:(\w+)/g, (_, name: string) => {
    delete rest[name];
    return segmentOf(name, input[name]);
  });
  const url = filled.startsWith("/.") ? filled : `/api${/^\/v\d/.test(filled) ? "" : "/v1"}${filled}`;
  if (method !== "GET" && method !== "DELETE") return { method, url, body: JSON.stringify(rest) };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(rest))
    if (value !== undefined) query.set(name, `${value as string | number | boolean}`);
  return { method, url: `${url}?${query.toString()}`.replace(/\?$/, "") };
}

/**
 * A part of a path. What the platform would leave out of the path is refused as the server refuses a wrong field: `DELETE /me/sessions/.`
 * is `DELETE /me/sessions`, which ends them all.
 */
function segmentOf(field: string, value: unknown): string {
  const isId = typeof value === "number" || (typeof value === "string" && !/^\.{0,2}$/.test(value));
  if (isId) {
    try {
      return encodeURIComponent(value);
    } catch {
      // Half of a pair of surrogates.
    }
  }
  const message = "is no part of a path";
  const problem = { detail: `${field} ${message}`, errors: [{ field, message }] };
  throw new ProblemError("VALIDATION_ERROR", { status: 422, problem });
}

/** A key belongs to a user: what strangers may change takes none. */
export const takesKey = (line: string): boolean => !/^GET |^\w+ \/(auth\/|session$)/.test(line);
const REFRESH = "POST /auth/refresh";
/** A day. A timer of more than 24 days fires at once, and the gateway takes no such time. */
const TIMER_MS_MAX = 86_400_000;

/** In hexadecimal, since `randomUUID` is missing on pages that come by plain HTTP. */
const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");

export const isUndone = ({ status, code }: ProblemError): boolean =>
  (code !== "NO_PROBLEM" && (status === 429 || status === 503)) || code === "IDEMPOTENCY_KEY_IN_PROGRESS";
export const isUncertain = ({ status, code }: ProblemError): boolean =>
  status === 0 || status === 504 || (code === "NO_PROBLEM" && status >= 500);
/** Never less than the server wants, and not at the same moment as everybody else. */
const pauseAfter = ({ retryAfterMs }: ProblemError, attempt: number): number =>
  retryAfterMs === undefined
    ? limits.pauseMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2)
    : retryAfterMs * (1 + Math.random() / 4);

/** The answer, unless the signal ends the wait for it: the answer itself goes on for others. */
function unlessAborted<T>(signal: AbortSignal | undefined, answer: Promise<T> | undefined): Promise<T | undefined> {
  if (answer === undefined || signal === undefined) return Promise.resolve(answer);
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Milliseconds that a signal may end: it then rejects with the signal's reason. */
export const pause = async (ms: number, signal: AbortSignal | undefined): Promise<void> => {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>(resolve => (timer = setTimeout(resolve, ms)));
  await unlessAborted(signal, over).finally(() => clearTimeout(timer));
};
