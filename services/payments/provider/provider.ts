// The bundled payment provider: stands for the company that moves the money. An HTTP server of its own with idempotency
// keys and a ledger; it shares only this interface with the shop.
//
//   POST /authorizations              {amount, currency, token}, Idempotency-Key → 201 authorized, 202 pending, 402 declined
//   GET  /authorizations/:key         → 200 the state of the key
//   POST /authorizations/:key/capture → 200 captured
//   POST /authorizations/:key/void    → 200 voided, or declined; before the authorization: a tombstone
//   POST /authorizations/:key/refunds {amount, currency}, Idempotency-Key → 201 refunded, 409 declined past what was captured
//   POST /authorizations/:key/settle  {status: authorized | declined}: the customer's answer to a pending one → 200
//   GET  /ledger?after&limit          → authorized, captured, voided, declined, refunded by key, for checks
//
// A key is kept for ever: the same body gets the state of the key (409 once voided), another body 422. Every answer has
// it as `status`. Once the customer has answered, a webhook tells the shop: the answer of `GET`, with
// `Webhook-Signature`.
//
//   tok_ok         authorized
//   tok_declined   declined, like every token that is not listed here
//   tok_slow       answers after a delay, and enters nothing before it
//   tok_pending    pending; the customer agrees without a request after a while
//   tok_flaky      about half of all requests end in 503 or a lost connection, half of these after the ledger was written
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { randomUUID } from "node:crypto";
import Type, { type Static } from "typebox";
import { compileSchema, strictObject, type Check } from "@valence/runtime/contract";
import { signatureOf } from "../signature.ts";
import { Ledger, type Entry } from "./ledger.ts";

export const limits = {
  /** Bytes of a request's body. The three fields need 300. */
  bodyBytes: 4_096,
  keyLength: 200,
  /** Entries of a page of the ledger. */
  ledgerPage: 1_000,
  /** Attempts to deliver a webhook, milliseconds of one, and of the pause after the first failure. */
  webhookAttempts: 5,
  webhookMs: 5_000,
  webhookPauseMs: 500,
} as const;

export interface ProviderOptions {
  /** File of the ledger. */
  readonly filename: string;
  /** Default 0: the system chooses. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Milliseconds before `tok_slow` is executed. Default 3 000. */
  readonly slowMs?: number;
  /** Milliseconds until the customer of a `tok_pending` agrees. Default 3 000; 0 = never, only by `settle`. */
  readonly pendingMs?: number;
  /** URL of the webhook that tells the outcome of a pending authorization. Default: none, the shop has to ask. */
  readonly webhookUrl?: string;
  /** Default: a random secret, made once for the ledger. */
  readonly webhookSecret?: string;
  /** Decides how `tok_flaky` fails: a number from 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
}
export interface Provider {
  readonly url: string;
  /** The secret that signs the webhooks. */
  readonly webhookSecret: string;
  close(): Promise<void>;
}

const AuthorizationBody = strictObject({
  amount: Type.Integer({ minimum: 0, maximum: 100_000_000_000 }),
  currency: Type.String({ pattern: "^[A-Z]{3}$" }),
  token: Type.String({ minLength: 1, maxLength: 200 }),
});
const checkAuthorization = compileSchema(AuthorizationBody);

const Settlement = strictObject({ status: Type.Enum(["authorized", "declined"]) });
const checkSettlement = compileSchema(Settlement);
const RefundBody = strictObject({
  amount: Type.Integer({ minimum: 1, maximum: 100_000_000_000 }),
  currency: Type.String({ pattern: "^[A-Z]{3}$" }),
});
const checkRefund = compileSchema(RefundBody);

/** An answer, or `undefined` for a connection that breaks. */
type Answer = { readonly status: number; readonly body: object } | undefined;
class Refused extends Error {
  readonly status: number;
  /** The state of the key, when that is the reason for the answer. */
  readonly entry: Entry["status"] | undefined;
  constructor(status: number, message: string, entry?: Entry["status"]) {
    super(message);
    this.status = status;
    this.entry = entry;
  }
}

/** Starts the provider. Rejects when the port is taken or the ledger cannot be opened. */
export async function startProvider(options: ProviderOptions): Promise<Provider> {
  const { filename, port = 0, host = "127.0.0.1", slowMs = 3_000, random = Math.random } = options;
  const { pendingMs = 3_000, webhookUrl } = options;
  const ledger = new Ledger(filename);
  const { webhookSecret = ledger.secret() } = options;
  const closing = new AbortController();

  const routes: { method: string; path: RegExp; answer: (request: IncomingMessage, key: string) => Promise<Answer> }[] =
    [
      { method: "POST", path: /^\/authorizations$/, answer: authorize },
      { method: "GET", path: /^\/authorizations\/([^/]+)$/, answer: find },
      { method: "POST", path: /^\/authorizations\/([^/]+)\/refunds$/, answer: refund },
      { method: "POST", path: /^\/authorizations\/([^/]+)\/settle$/, answer: settle },
      { method: "POST", path: /^\/authorizations\/([^/]+)\/capture$/, answer: capture },
      { method: "POST", path: /^\/authorizations\/([^/]+)\/void$/, answer: voidIt },
      { method: "GET", path: /^\/ledger$/, answer: showLedger },
    ];

  async function authorize(request: IncomingMessage): Promise<Answer> {
    const key = idempotencyKeyOf(request);
    const asked = await readBody<Static<typeof AuthorizationBody>>(request, checkAuthorization);
    if (asked.token === "tok_slow") await delay(slowMs, undefined, { signal: closing.signal });
    return asToken(asked.token, async () => {
      const status = FATES[asked.token] ?? "declined";
      const entry = await ledger.authorize(key, asked, status, `auth_${randomUUID()}`);
      if (entry.amount === null) throw new Refused(409, "voided before it was authorized", "voided");
      if (entry.amount !== asked.amount || entry.currency !== asked.currency || entry.token !== asked.token)
        throw new Refused(422, "this idempotency key was used with another body");
      if (entry.status === "voided") throw new Refused(409, "voided", "voided");
      if (entry.status === "pending") agreeLater(key);
      return { status: entry.status === "declined" ? 402 : entry.status === "pending" ? 202 : 201, body: shown(entry) };
    });
  }

  async function capture(_request: IncomingMessage, key: string): Promise<Answer> {
    return asToken(ledger.find(key)?.token, async () => {
      const entry = await ledger.capture(key);
      if (!entry) throw new Refused(404, "no such authorization");
      if (entry.status !== "captured") throw new Refused(409, entry.status, entry.status);
      return { status: 200, body: shown(entry) };
    });
  }

  async function find(_request: IncomingMessage, key: string): Promise<Answer> {
    const entry = ledger.find(key);
    if (!entry) throw new Refused(404, "no such authorization");
    return { status: 200, body: shown(entry) };
  }

  async function settle(request: IncomingMessage, key: string): Promise<Answer> {
    const { status } = await readBody<Static<typeof Settlement>>(request, checkSettlement);
    const entry = await answerPending(key, status);
    if (!entry) throw new Refused(404, "no such authorization");
    return { status: 200, body: shown(entry) };
  }

  async function refund(request: IncomingMessage, key: string): Promise<Answer> {
    const refundKey = idempotencyKeyOf(request);
    const { amount, currency } = await readBody<Static<typeof RefundBody>>(request, checkRefund);
    return asToken(ledger.find(key)?.token, async () => {
      const entry = await ledger.refund(key, refundKey, amount);
      if (!entry) throw new Refused(404, "no such authorization");
      const entered = ledger.findRefund(refundKey);
      if (entered && (entered.key !== key || entered.amount !== amount || entry.currency !== currency))
        throw new Refused(422, "this idempotency key was used with another body");
      const body = { key: refundKey, amount, currency };
      return entered
        ? { status: 201, body: { ...body, status: "refunded" } }
        : { status: 409, body: { ...body, status: "declined", error: "more than was captured" } };
    });
  }

  /** Enters the customer's answer once, and tells the shop. */
  async function answerPending(key: string, status: "authorized" | "declined"): Promise<Entry | undefined> {
    const wasPending = ledger.find(key)?.status === "pending";
    const entry = await ledger.settle(key, status);
    if (entry && wasPending && webhookUrl !== undefined) void tell(webhookUrl, JSON.stringify(shown(entry)));
    return entry;
  }

  /** Sends the webhook, a few times if it fails. After that the shop has to ask. */
  async function tell(url: string, body: string): Promise<void> {
    for (let attempt = 1; attempt <= limits.webhookAttempts && !closing.signal.aborted; attempt++)
      try {
        const headers = {
          "content-type": "application/json",
          "webhook-signature": signatureOf(body, webhookSecret, Date.now()),
        };
        const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(limits.webhookMs)]);
        const { ok } = await fetch(url, { method: "POST", headers, body, signal });
        if (ok) return;
        await delay(limits.webhookPauseMs * attempt, undefined, { signal: closing.signal });
      } catch {
        await delay(limits.webhookPauseMs * attempt, undefined, { signal: closing.signal }).catch(() => {});
      }
  }

  function agreeLater(key: string): void {
    if (pendingMs > 0 && !closing.signal.aborted)
      delay(pendingMs, undefined, { signal: closing.signal, ref: false })
        .then(() => answerPending(key, "authorized"))
        .catch(() => {});
  }

  async function voidIt(_request: IncomingMessage, key: string): Promise<Answer> {
    return asToken(ledger.find(key)?.token, async () => {
      const entry = await ledger.void(key);
      if (entry.status === "captured") throw new Refused(409, entry.status, entry.status);
      return { status: 200, body: shown(entry) };
    });
  }

  async function showLedger(request: IncomingMessage): Promise<Answer> {
    const query = new URL(request.url!, "http://provider").searchParams;
    const limit = Number(query.get("limit") ?? limits.ledgerPage);
    if (!Number.isInteger(limit) || limit < 1 || limit > limits.ledgerPage)
      throw new Refused(400, `limit: 1 to ${limits.ledgerPage}`);
    return {
      status: 200,
      body: {
        entries: ledger
          .page(query.get("after") ?? "", limit)
          .map(entry => asAmounts(entry, ledger.refunded(entry.key))),
      },
    };
  }

  /** Executes the request, unless the token makes it fail: before the ledger is written, or after. */
  async function asToken(token: string | null | undefined, act: () => Promise<Answer>): Promise<Answer> {
    const fate = token === "tok_flaky" ? random() : 1;
    if (fate < 0.125) return unavailable;
    if (fate < 0.25) return undefined;
    const answer = await act();
    if (fate < 0.375) return unavailable;
    return fate < 0.5 ? undefined : answer;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", "http://provider");
    const here = routes.filter(({ path }) => path.test(pathname));
    const route = here.find(({ method }) => method === request.method);
    if (!route) throw new Refused(here.length > 0 ? 405 : 404, "no such resource");
    const key = keyOf(route.path.exec(pathname)?.[1]);
    const answer = await route.answer(request, key);
    if (answer === undefined) response.destroy();
    else send(response, answer);
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (error instanceof Refused) {
        const { status, message, entry } = error;
        send(response, { status, body: { error: message, ...(entry && { status: entry }) } });
      } else if (closing.signal.aborted) response.destroy();
      else {
        process.stderr.write(`payment provider: ${String(error)}\n`);
        send(response, { status: 500, body: { error: "internal error" } });
      }
    });
  });
  server.requestTimeout = 30_000;
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, host, resolve));
  const address = server.address() as AddressInfo;
  for (const key of ledger.pending()) agreeLater(key);

  return {
    webhookSecret,
    url: `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`,
    async close() {
      closing.abort();
      const closed = new Promise(resolve => server.close(resolve));
      server.closeAllConnections();
      await closed;
      ledger.close();
    },
  };
}

const FATES: Readonly<Record<string, "authorized" | "pending">> = {
  tok_ok: "authorized",
  tok_slow: "authorized",
  tok_flaky: "authorized",
  tok_pending: "pending",
};

const unavailable: Answer = { status: 503, body: { error: "try again" } };

/** The part of an entry that the owner of the key may see. */
const shown = ({ key, status, amount, currency, authorizationId }: Entry): object => ({
  key,
  status,
  ...(amount !== null && { amount, currency, authorizationId }),
});

/** An entry of `GET /ledger`: minor units by state. What is captured or voided was authorized before. */
export interface LedgerEntry {
  readonly key: string;
  readonly currency: string | null;
  readonly authorized: number;
  readonly captured: number;
  readonly voided: number;
  readonly declined: number;
  /** Minor units given back of the captured amount. */
  readonly refunded: number;
}
function asAmounts({ key, status, amount, currency }: Entry, refunded: number): LedgerEntry {
  const as = (wanted: Entry["status"]): number => (status === wanted ? (amount ?? 0) : 0);
  const authorized = status === "declined" || status === "pending" ? 0 : (amount ?? 0);
  return {
    key,
    currency,
    authorized,
    captured: as("captured"),
    voided: as("voided"),
    declined: as("declined"),
    refunded,
  };
}

function idempotencyKeyOf({ headers }: IncomingMessage): string {
  const key = headers["idempotency-key"];
  if (typeof key !== "string" || key.length === 0 || key.length > limits.keyLength)
    throw new Refused(400, `Idempotency-Key: 1 to ${limits.keyLength} characters`);
  return key;
}

async function readBody<T>(request: IncomingMessage, check: Check): Promise<T> {
  const body = await readJson(request);
  const found = check(body);
  if (found !== true) throw new Refused(400, found.map(({ field, message }) => `${field} ${message}`).join("; "));
  return body as T;
}

function keyOf(segment: string | undefined): string {
  try {
    const key = decodeURIComponent(segment ?? "");
    if (key.length <= limits.keyLength) return key;
  } catch {
    // An invalid encoding: as unknown as a key that is too long.
  }
  throw new Refused(404, "no such authorization");
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limits.bodyBytes) throw new Refused(413, `at most ${limits.bodyBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new Refused(400, "the body is not JSON");
  }
}

function send(response: ServerResponse, { status, body }: NonNullable<Answer>): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
