// The API as the pages call it. The shape is that of the typed client; this file is the one to change for another.
//
// A page has the cookie of its session, which no script sees. `X-Session` says which one: shop and console can be signed in as two
// people.

export interface Issue {
  readonly field: string;
  readonly message: string;
}

/** Why a call failed: a problem that the API answered (RFC 9457), or an answer that never came (`NO_ANSWER`). */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly code: string;
  /** HTTP status; 0 without an answer. */
  readonly status: number;
  readonly errors: readonly Issue[];
  readonly requestId: string | undefined;
  /** Milliseconds after which another try makes sense. */
  readonly retryAfterMs: number | undefined;
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(code: string, status: number, problem: Readonly<Record<string, any>> = {}, retryAfterMs?: number) {
    super(problem["detail"] ?? problem["title"] ?? (SAYS[code] || code));
    this.code = code;
    this.status = status;
    this.errors = problem["errors"] ?? [];
    this.requestId = problem["requestId"];
    this.retryAfterMs = retryAfterMs;
    this.problem = problem;
  }
}
const SAYS: Readonly<Record<string, string>> = {
  NO_ANSWER: "No answer came. Check the connection and try again.",
  NO_PROBLEM: "The answer could not be understood.",
};

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** The Idempotency-Key of a change. */
  readonly key?: string;
}

export interface User {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly roles: readonly string[];
}
export interface Product {
  readonly id: string;
  readonly sku: string;
  readonly name: string;
  readonly description: string;
  readonly price: { readonly amount: number; readonly currency: string };
  readonly category: string;
  readonly image?: string;
}
export interface Paged<R> {
  readonly rows: readonly R[];
  readonly total: number;
  readonly page?: number;
  readonly pageSize: number;
  readonly nextCursor?: string;
}

type Input = Readonly<Record<string, unknown>>;
type Call<I, A> = (input: I, options?: CallOptions) => Promise<A>;

/** The calls of one session of this browser, `shop` or `console`. */
export function createApi(session: string) {
  const at =
    <A, I extends Input | string | void = Input>(line: string): Call<I, A> =>
    (input, options) =>
      send<A>(session, line, typeof input === "string" ? { id: input } : (input ?? {}), options);
  return {
    auth: { register: at<User>("POST /auth/register") },
    session: {
      open: at<{ user: User }, { email: string; password: string }>("POST /session"),
      get: at<{ user: User }, void>("GET /session"),
      close: at<void, void>("DELETE /session"),
    },
    products: {
      list: at<Paged<Product>>("GET /products"),
      get: at<Product, string>("GET /products/:id"),
    },
    stock: { get: at<{ sku: string; available: number }, { sku: string }>("GET /inventory/:sku") },
    ops: {
      overview: at<any, void>("GET /ops/overview"),
      sagas: at<Paged<any>>("GET /ops/sagas"),
      nodes: at<any, void>("GET /ops/nodes"),
    },
  };
}
export type Api = ReturnType<typeof createApi>;

async function send<A>(session: string, line: string, input: Input, { signal, key }: CallOptions = {}): Promise<A> {
  const [method, path] = line.split(" ") as [string, string];
  const rest: Record<string, unknown> = { ...input };
  const filled = path.replaceAll(/:(\w+)/g, (_, name: string) => {
    delete rest[name];
    return encodeURIComponent(String(input[name]));
  });
  const entries = Object.entries(rest).filter(([, value]) => value !== undefined);
  const isRead = method === "GET" || method === "DELETE";
  const query = isRead && entries.length > 0 ? `?${new URLSearchParams(entries as [string, string][])}` : "";
  const response = await fetch(`/api/v1${filled}${query}`, {
    method,
    headers: {
      Accept: "application/json",
      "X-Session": session,
      ...(!isRead && { "Content-Type": "application/json" }),
      ...(key !== undefined && { "Idempotency-Key": key }),
    },
    ...(!isRead && { body: JSON.stringify(rest) }),
    signal: signal ?? null,
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new ProblemError("NO_ANSWER", 0);
  });
  if (response.status === 204) return undefined as A;
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return body as A;
  const problem = (body ?? {}) as { type?: string };
  const code = problem.type?.startsWith("/problems/")
    ? problem.type.slice("/problems/".length).replaceAll("-", "_").toUpperCase()
    : "NO_PROBLEM";
  const retryAfter = Number(response.headers.get("retry-after"));
  throw new ProblemError(code, response.status, problem, retryAfter > 0 ? retryAfter * 1_000 : undefined);
}
