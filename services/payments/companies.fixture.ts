// Companies for `provider.conformance.ts`: one that speaks the bundled provider's interface, and one of another kind
// with an adapter of its own: forms instead of JSON, every answer a 200 with a word for its outcome, a reference as
// key, an API key in the query. Both share only the port.
import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Company, Says } from "./provider.conformance.ts";
import { ProviderClient } from "./provider-client.ts";
import type { Authorization, Notice, Outcome, PaymentProvider, Refund, RefundOutcome } from "./provider-port.ts";
import { signatureOf } from "./signature.ts";

type Spoken = { readonly code: number; readonly body: string; readonly headers?: Record<string, string> };

/** A server that answers as it is told to. Answers that do not depend on a company's format are the same for all. */
async function serve(
  keyOf: (request: IncomingMessage, body: string) => string,
  speak: (says: Says, key: string) => Spoken | undefined,
) {
  let says: Says = "authorized";
  const keys: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const key = keyOf(request, await text(request));
    keys.push(key);
    if (says === "silence") return;
    if (says === "cut off") return void response.destroy();
    if (says === "half an answer") return void response.writeHead(200, { "content-length": "900" }).write('{"status"');
    const { code, body, headers = {} } = OF_ANYBODY[says] ?? speak(says, key)!;
    response.writeHead(code, headers).end(body);
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys,
    says: (next: Says) => void (says = next),
    async close() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

const OF_ANYBODY: Partial<Record<Says, Spoken>> = {
  "a page of HTML": { code: 200, body: "<html>Welcome</html>" },
  "nothing at all": { code: 200, body: "" },
  "too many requests": { code: 429, body: "" },
  "a redirect": { code: 307, body: "", headers: { location: "/elsewhere" } },
  "more than an adapter reads": {
    code: 200,
    body: JSON.stringify({ status: "authorized", padding: "x".repeat(100_000) }),
  },
};

// ---- the bundled provider's interface

const json = (code: number, body: object): Spoken => ({ code, body: JSON.stringify(body) });

export async function bundledCompany(deadlineMs: number): Promise<Company> {
  const CODES: Partial<Record<Says, number>> = {
    authorized: 201,
    pending: 202,
    declined: 402,
    voided: 409,
    refunded: 201,
  };
  const speak = (says: Says, key: string): Spoken => {
    switch (says) {
      case "in progress":
        return json(409, { error: "in progress" });
      case "no such payment":
        return json(404, { error: "no such authorization" });
      case "wrong credentials":
        return json(401, { error: "who are you?" });
      case "forbidden":
        return json(403, { error: "not yours" });
      case "unknown currency":
        return json(400, { error: "currency: not for this account" });
      case "broken":
        return json(500, { status: "authorized", authorizationId: "auth_1" });
      case "an unknown outcome":
        return json(200, { status: "maybe" });
      case "another payment's answer":
        return json(201, { key: "order-2", status: "authorized", authorizationId: "auth_1" });
      case "another amount":
        return json(201, { key, status: "authorized", authorizationId: "auth_1", amount: 1, currency: "EUR" });
      case "authorized without an id":
        return json(201, { key, status: "authorized" });
      default:
        return json(CODES[says] ?? 200, {
          key,
          status: says,
          ...(says === "authorized" && { authorizationId: "auth_1" }),
        });
    }
  };
  const server = await serve(({ headers }) => String(headers["idempotency-key"]), speak);
  return {
    ...server,
    provider: new ProviderClient({ url: async () => server.url, deadlineMs }),
    webhook(says, key, secret, now) {
      const { body } = speak(says, key);
      return { body, signature: signatureOf(body, secret, now) };
    },
  };
}

// ---- another interface

const WORDS = {
  APPROVED: "authorized",
  REFUSED: "declined",
  SETTLED: "captured",
  CANCELLED: "voided",
  CHALLENGE: "pending",
  CREDITED: "refunded",
} as const;
type Word = keyof typeof WORDS;

/** `result=APPROVED&reference=order-1&txn=77`, under `/do?op=…&api=…`. */
class FormProvider implements PaymentProvider {
  readonly #url: string;
  readonly #deadlineMs: number;

  constructor(url: string, deadlineMs: number) {
    this.#url = url;
    this.#deadlineMs = deadlineMs;
  }

  authorize = (key: string, { amount, token }: Authorization): Promise<Outcome> =>
    this.#outcome("sale", key, { cents: String(amount.amount), currency: amount.currency, card: token });
  capture = (key: string): Promise<Outcome> => this.#outcome("settle", key);
  void = (key: string): Promise<Outcome> => this.#outcome("cancel", key);
  find = (key: string): Promise<Outcome> => this.#outcome("status", key);

  async refund(key: string, refund: Refund): Promise<RefundOutcome> {
    const said = await this.#ask("credit", refund.key, { of: key, cents: String(refund.amount.amount) });
    if (said.status !== "said") return said;
    const status = WORDS[said.word];
    if (status === "refunded" || status === "declined" || status === "pending") return { status };
    return { status: "unknown", reason: `no refund: ${said.word}` };
  }

  /** `<milliseconds>.<base64 of the digest>`. */
  readNotice(body: string, signature: string, secret: string, now: number): Notice | undefined {
    const [, time = "", digest = ""] = /^(\d+)\.([\w+/=]+)$/.exec(signature) ?? [];
    const expected = createHmac("sha512", secret)
      .update(time + body)
      .digest();
    const given = Buffer.from(digest, "base64");
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    // Base64 has several spellings of the same bytes.
    if (expected.toString("base64") !== digest || Math.abs(Number(time) - now) > 300_000) return undefined;
    const fields = new URLSearchParams(body);
    const key = fields.get("reference");
    return key === null ? undefined : { key, outcome: this.#read(fields) };
  }

  async #outcome(op: string, key: string, fields: Record<string, string> = {}): Promise<Outcome> {
    const said = await this.#ask(op, key, fields);
    return said.status === "said" ? this.#read(said.fields) : said;
  }

  #read(fields: URLSearchParams): Outcome {
    const status = WORDS[fields.get("result") as Word];
    const authorizationId = fields.get("txn");
    if (status === "authorized")
      return authorizationId ? { status, authorizationId } : { status: "unknown", reason: "no transaction" };
    return status === undefined || status === "refunded" ? { status: "unknown", reason: "no outcome" } : { status };
  }

  async #ask(op: string, key: string, fields: Record<string, string>) {
    const unknown = (reason: string) => ({ status: "unknown", reason }) as const;
    try {
      const response = await fetch(`${this.#url}/do?op=${op}&api=key-1`, {
        method: "POST",
        body: new URLSearchParams({ reference: key, ...fields }),
        redirect: "error",
        signal: AbortSignal.timeout(this.#deadlineMs),
      });
      const body = await response.text();
      if (response.status !== 200 || body.length > 1_000) return unknown(`HTTP ${response.status}`);
      const said = new URLSearchParams(body);
      if (said.get("result") === "SETUP") return { status: "misconfigured", reason: said.get("why") ?? "" } as const;
      const word = said.get("result") as Word;
      if (!(word in WORDS)) return unknown(`they say ${word}`);
      if (said.get("reference") !== key) return unknown("of another payment");
      if (fields["cents"] !== undefined && (said.get("cents") ?? fields["cents"]) !== fields["cents"])
        return unknown("of another amount");
      return { status: "said", word, fields: said } as const;
    } catch (error) {
      return unknown((error as Error).message);
    }
  }
}

export async function formCompany(deadlineMs: number): Promise<Company> {
  const form = (fields: Record<string, string>, code = 200): Spoken => ({
    code,
    body: new URLSearchParams(fields).toString(),
  });
  const speak = (says: Says, reference: string): Spoken => {
    switch (says) {
      case "in progress":
        return form({ result: "BUSY", reference });
      case "no such payment":
        return form({ result: "NOT_FOUND", reference });
      case "wrong credentials":
      case "forbidden":
      case "unknown currency":
        return form({ result: "SETUP", why: says });
      case "broken":
        return form({ result: "APPROVED", reference, txn: "77" }, 500);
      case "an unknown outcome":
        return form({ result: "PERHAPS", reference });
      case "another payment's answer":
        return form({ result: "APPROVED", reference: "order-2", txn: "77" });
      case "another amount":
        return form({ result: "APPROVED", reference, txn: "77", cents: "1" });
      case "authorized without an id":
        return form({ result: "APPROVED", reference });
      default: {
        const word = (Object.keys(WORDS) as Word[]).find(known => WORDS[known] === says)!;
        return form({ result: word, reference, ...(says === "authorized" && { txn: "77" }) });
      }
    }
  };
  const server = await serve((_request, body) => new URLSearchParams(body).get("reference") ?? "", speak);
  return {
    ...server,
    provider: new FormProvider(server.url, deadlineMs),
    webhook(says, key, secret, now) {
      const { body } = speak(says, key);
      const digest = createHmac("sha512", secret)
        .update(now + body)
        .digest("base64");
      return { body, signature: `${now}.${digest}` };
    },
  };
}
