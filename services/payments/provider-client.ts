// The bundled provider's interface over HTTP, for any provider that speaks it. Every request has the payment's id as
// idempotency key, so it may be repeated. The body gives the state of the key. A status code decides only where no
// proxy can have sent it: a 5xx, and codes that ask to come again, decide nothing; other 4xx are our own mistakes.
import Type, { type Static } from "typebox";
import { compileSchema } from "@valence/runtime/contract";
import type { Authorization, Notice, Outcome, PaymentProvider, Refund, RefundOutcome } from "./provider-port.ts";
import { isSigned } from "./signature.ts";

export const limits = {
  /** Bytes of an answer that are read. The provider's own have some 200. */
  answerBytes: 16_384,
} as const;

export interface ProviderClientOptions {
  /** The provider's URL, asked for before each request: the bundled one may come back on another port. */
  readonly url: () => Promise<string>;
  /** Milliseconds of a request, its answer included. */
  readonly deadlineMs: number;
}

// A provider may add fields to its answers: unknown ones are accepted.
const Body = Type.Object({
  status: Type.Enum(["authorized", "captured", "voided", "declined", "pending", "refunded"]),
  authorizationId: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
  key: Type.Optional(Type.String()),
  amount: Type.Optional(Type.Integer()),
  currency: Type.Optional(Type.String()),
});
type Body = Static<typeof Body>;
const checkBody = compileSchema(Body);

/** Key and amount that an answer must have: an answer about others is not ours. */
interface Asked {
  readonly key: string;
  readonly amount?: Authorization["amount"];
}
type Said = { readonly body: Body } | { readonly code: number; readonly reason: string } | { readonly reason: string };

export class ProviderClient implements PaymentProvider {
  readonly #options: ProviderClientOptions;

  constructor(options: ProviderClientOptions) {
    this.#options = options;
  }

  async authorize(key: string, { amount, token }: Authorization): Promise<Outcome> {
    const said = await this.#ask("POST", "/authorizations", { key, amount }, { ...amount, token });
    // No such address: this answer alone does not name a key.
    return outcomeOf("code" in said && said.code === 404 ? { ...said, code: 400 } : said);
  }

  async capture(key: string): Promise<Outcome> {
    return outcomeOf(await this.#ask("POST", `${pathOf(key)}/capture`, { key }, {}));
  }

  async void(key: string): Promise<Outcome> {
    return outcomeOf(await this.#ask("POST", `${pathOf(key)}/void`, { key }, {}));
  }

  async find(key: string): Promise<Outcome> {
    const said = await this.#ask("GET", pathOf(key), { key });
    // A provider that speaks the rest may lack this route.
    return outcomeOf("code" in said && said.code === 405 ? { ...said, code: 404 } : said);
  }

  async refund(key: string, refund: Refund): Promise<RefundOutcome> {
    const { amount } = refund;
    const said = await this.#ask("POST", `${pathOf(key)}/refunds`, { key: refund.key, amount }, amount);
    if (!("body" in said)) return unclear(said);
    const { status } = said.body;
    if (status === "refunded" || status === "declined" || status === "pending") return { status };
    return { status: "unknown", reason: `a refund cannot be ${status}` };
  }

  readNotice(body: string, signature: string, secret: string, now: number): Notice | undefined {
    if (!isSigned(body, signature, secret, now)) return undefined;
    const read = parse(body);
    if (read?.key === undefined) return undefined;
    return { key: read.key, outcome: outcomeOf({ body: read }) };
  }

  async #ask(method: "GET" | "POST", path: string, asked: Asked, body?: object): Promise<Said> {
    const { url, deadlineMs } = this.#options;
    let code: number;
    let text: string;
    try {
      const response = await fetch(`${await url()}${path}`, {
        method,
        headers: { "content-type": "application/json", "idempotency-key": asked.key },
        ...(body && { body: JSON.stringify(body) }),
        redirect: "error",
        signal: AbortSignal.timeout(deadlineMs),
      });
      code = response.status;
      text = await readCapped(response);
    } catch (error) {
      return { reason: `${path}: ${(error as Error).message}` };
    }
    const said = code < 500 ? parse(text) : undefined;
    if (!said) return { code, reason: `${path}: HTTP ${code}, and the body does not say what has become of it` };
    if (!isAbout(said, asked)) return { reason: `${path}: the answer is about another payment` };
    return { body: said };
  }
}

const pathOf = (key: string): string => `/authorizations/${encodeURIComponent(key)}`;

function isAbout({ key, amount, currency }: Body, asked: Asked): boolean {
  if (key !== undefined && key !== asked.key) return false;
  if (asked.amount === undefined) return true;
  return (
    (amount ?? asked.amount.amount) === asked.amount.amount &&
    (currency ?? asked.amount.currency) === asked.amount.currency
  );
}

/**
 * The body of an answer, if it gives the state of the key. Earlier releases of the bundled provider give it as `error`.
 */
function parse(text: string): Body | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof body !== "object" || body === null) return undefined;
  const { status = (body as { error?: unknown }).error } = body as { status?: unknown };
  const said = { ...body, status };
  return checkBody(said) === true ? (said as Body) : undefined;
}

function outcomeOf(said: Said): Outcome {
  if (!("body" in said)) return unclear(said);
  const { status, authorizationId } = said.body;
  if (status === "authorized")
    return authorizationId === undefined
      ? { status: "unknown", reason: "authorized without an id" }
      : { status, authorizationId };
  return status === "refunded" ? { status: "captured" } : { status };
}

/**
 * The meaning of a status code when the body has none. A 404 may come from a proxy, or be about a key that the provider
 * has never seen; a 402 is no decline until the body says so; the other codes here ask to come again.
 */
const AGAIN = new Set([402, 404, 408, 409, 410, 423, 425, 429]);
function unclear(said: Exclude<Said, { body: Body }>): Extract<Outcome, { status: "unknown" | "misconfigured" }> {
  const code = "code" in said ? said.code : 0;
  const isOurs = code >= 400 && code < 500 && !AGAIN.has(code);
  return { status: isOurs ? "misconfigured" : "unknown", reason: said.reason };
}

async function readCapped(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > limits.answerBytes) throw new Error(`more than ${limits.answerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
