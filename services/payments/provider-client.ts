// The bundled provider's interface over HTTP, and that of whoever speaks the same. Every request carries the payment's id
// as idempotency key, so it may be repeated. The body says what has become of the key; a status code decides only where
// it cannot be another's word: 5xx and what asks to come again say nothing, the other 4xx are our own mistakes.
import Type, { type Static } from "typebox";
import { compileSchema } from "@valence/runtime/contract";
import type { Authorization, Notice, Outcome, PaymentProvider, Refund, RefundOutcome } from "./provider-port.ts";
import { isSigned } from "./signature.ts";

export const limits = {
  /** Bytes of an answer that are read. The provider's own have some 200. */
  answerBytes: 16_384,
} as const;

export interface ProviderClientOptions {
  /** Where the provider is, asked before each request: the bundled one may come back on another port. */
  readonly url: () => Promise<string>;
  /** Milliseconds that a request may take, its answer included. */
  readonly deadlineMs: number;
}

// A provider may add fields to its answers: unknown ones are let through.
const Body = Type.Object({
  status: Type.Enum(["authorized", "captured", "voided", "declined", "pending", "refunded"]),
  authorizationId: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
  key: Type.Optional(Type.String()),
  amount: Type.Optional(Type.Integer()),
  currency: Type.Optional(Type.String()),
});
type Body = Static<typeof Body>;
const checkBody = compileSchema(Body);

/** What an answer has to be about: that of another key, or over another amount, is not ours. */
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
    // No such address: this is the only one that does not name a key.
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
    // Who speaks the rest need not have this one.
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

/** The body of an answer, if it says what has become of the key. Earlier releases of the bundled provider say so as `error`. */
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
 * What a status code says of an answer whose body says nothing. A 404 is of a key that the provider has never seen, or of
 * a proxy; 402 a decline that is none until it says so; the others here ask to come again.
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
