// The provider over HTTP, in our own words. Every request carries the payment's id as idempotency key, so it may be
// repeated; what is not answered clearly has an unknown outcome, and is.
import Type, { type Static } from "typebox";
import { Bug, Unavailable } from "../../mixins/kernel/index.ts";
import { compileSchema } from "../../mixins/contract/index.ts";
import type { Money } from "../money.ts";

export const limits = {
  /** Bytes of an answer that are read. The provider's own have some 200. */
  answerBytes: 16_384,
} as const;

/** What has become of a payment, according to the provider. `unknown`: it knows no such authorization. */
export interface ProviderAnswer {
  readonly status: "authorized" | "captured" | "declined" | "voided" | "unknown";
  /** There when it was authorized. */
  readonly authorizationId?: string;
}

export interface ProviderClientOptions {
  /** Where the provider is, asked before each request: the bundled one may come back on another port. */
  readonly url: () => Promise<string>;
  /** Milliseconds that a request may take, its answer included. */
  readonly deadlineMs: number;
}

// A provider may add fields to its answers: unknown ones are let through.
const checkAnswer = compileSchema(
  Type.Object({
    status: Type.Enum(["authorized", "captured", "voided", "declined"]),
    authorizationId: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
  }),
);

export class ProviderClient {
  readonly #options: ProviderClientOptions;

  constructor(options: ProviderClientOptions) {
    this.#options = options;
  }

  /**
   * Authorizes once a key, whoever repeats it. `voided` when a void came before.
   * @throws Unavailable `PROVIDER_UNAVAILABLE`, outcome unknown; Bug `PROVIDER_KEY_REUSED` for another amount or token.
   */
  authorize(key: string, { amount, token }: { amount: Static<typeof Money>; token: string }): Promise<ProviderAnswer> {
    return this.#post("/authorizations", key, "voided", { ...amount, token });
  }

  /** Captures what is authorized under the key; a repetition changes nothing. `voided` when a void came before. */
  capture(key: string): Promise<ProviderAnswer> {
    return this.#post(`/authorizations/${encodeURIComponent(key)}/capture`, key, "voided");
  }

  /** Voids what is, or will be, authorized under the key; a repetition changes nothing. `captured`: too late. */
  void(key: string): Promise<ProviderAnswer> {
    return this.#post(`/authorizations/${encodeURIComponent(key)}/void`, key, "captured");
  }

  /** `conflict`: what it means when the provider says that something stands in the way (409, 410). */
  async #post(
    path: string,
    key: string,
    conflict: ProviderAnswer["status"],
    body: object = {},
  ): Promise<ProviderAnswer> {
    const { url, deadlineMs } = this.#options;
    const target = `${await url()}${path}`;
    let status: number;
    let text: string;
    try {
      const response = await fetch(target, {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": key },
        body: JSON.stringify(body),
        redirect: "error",
        signal: AbortSignal.timeout(deadlineMs),
      });
      status = response.status;
      text = await readCapped(response);
    } catch (error) {
      throw unclear(`${path}: ${(error as Error).message}`, error);
    }
    if (status === 402) return { status: "declined" };
    if (status === 404) return { status: "unknown" };
    if (status === 409 || status === 410) return { status: conflict };
    if (status === 422) throw new Bug("PROVIDER_KEY_REUSED", `${path}: ${key} was used with another amount or token`);
    if (status < 200 || status >= 300) throw unclear(`${path}: HTTP ${status}`);
    return answerIn(path, text);
  }
}

function answerIn(path: string, text: string): ProviderAnswer {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw unclear(`${path}: the answer is not JSON`, error);
  }
  const found = checkAnswer(body);
  if (found !== true) throw unclear(`${path}: ${found.map(({ field, message }) => `${field} ${message}`).join("; ")}`);
  const { status, authorizationId } = body as ProviderAnswer;
  return { status, ...(authorizationId !== undefined && { authorizationId }) };
}

/** Nothing can be said about the effect: whoever repeats the command repeats the request. */
const unclear = (message: string, cause?: unknown): Unavailable =>
  new Unavailable("PROVIDER_UNAVAILABLE", {
    message: `payment provider, ${message}`,
    outcome: "unknown",
    retryAfterMs: 500,
    cause,
  });

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
