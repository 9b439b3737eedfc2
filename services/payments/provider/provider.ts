// The bundled payment provider: stands for the company that moves the money. An HTTP server of its own with idempotency
// keys and a ledger; it shares nothing with the shop but this interface.
//
//   POST /authorizations              {amount, currency, token}, Idempotency-Key → 201 authorized, 402 declined
//   POST /authorizations/:key/capture → 200 captured
//   POST /authorizations/:key/void    → 200 voided, or declined; before the authorization: a tombstone
//   GET  /ledger?after&limit          → what was authorized, captured, voided, declined by key, for checks
//
// A key is for ever: the same body gets what has become of it (409 once voided), another body 422.
//
//   tok_ok         authorized
//   tok_declined   declined, like every token that is not listed here
//   tok_slow       answers after a delay, and enters nothing before it
//   tok_flaky      about half of all requests end in 503 or a lost connection, half of these after the ledger was written
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { randomUUID } from "node:crypto";
import Type, { type Static } from "typebox";
import { compileSchema, strictObject } from "../../../mixins/contract/index.ts";
import { Ledger, type Entry } from "./ledger.ts";

export const limits = {
  /** Bytes of a request's body. The three fields need 300. */
  bodyBytes: 4_096,
  keyLength: 200,
  /** Entries of a page of the ledger. */
  ledgerPage: 1_000,
} as const;

export interface ProviderOptions {
  /** File of the ledger. */
  readonly filename: string;
  /** Default 0: the system chooses. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Milliseconds before `tok_slow` is looked at. Default 3 000. */
  readonly slowMs?: number;
  /** Decides how `tok_flaky` fails: a number from 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
}
export interface Provider {
  readonly url: string;
  close(): Promise<void>;
}

const AuthorizationBody = strictObject({
  amount: Type.Integer({ minimum: 0, maximum: 100_000_000_000 }),
  currency: Type.String({ pattern: "^[A-Z]{3}$" }),
  token: Type.String({ minLength: 1, maxLength: 200 }),
});
const checkAuthorization = compileSchema(AuthorizationBody);

/** An answer, or `undefined` for a connection that breaks. */
type Answer = { readonly status: number; readonly body: object } | undefined;
class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Starts the provider. Rejects when the port is taken or the ledger cannot be opened. */
export async function startProvider(options: ProviderOptions): Promise<Provider> {
  const { filename, port = 0, host = "127.0.0.1", slowMs = 3_000, random = Math.random } = options;
  const ledger = new Ledger(filename);
  const closing = new AbortController();

  const routes: { method: string; path: RegExp; answer: (request: IncomingMessage, key: string) => Promise<Answer> }[] =
    [
      { method: "POST", path: /^\/authorizations$/, answer: authorize },
      { method: "POST", path: /^\/authorizations\/([^/]+)\/capture$/, answer: capture },
      { method: "POST", path: /^\/authorizations\/([^/]+)\/void$/, answer: voidIt },
      { method: "GET", path: /^\/ledger$/, answer: showLedger },
    ];

  async function authorize(request: IncomingMessage): Promise<Answer> {
    const key = request.headers["idempotency-key"];
    if (typeof key !== "string" || key.length === 0 || key.length > limits.keyLength)
      throw new Refused(400, `Idempotency-Key: 1 to ${limits.keyLength} characters`);
    const body = await readJson(request);
    const found = checkAuthorization(body);
    if (found !== true) throw new Refused(400, found.map(({ field, message }) => `${field} ${message}`).join("; "));
    const asked = body as Static<typeof AuthorizationBody>;
    if (asked.token === "tok_slow") await delay(slowMs, undefined, { signal: closing.signal });
    return asToken(asked.token, async () => {
      const status = ["tok_ok", "tok_slow", "tok_flaky"].includes(asked.token) ? "authorized" : "declined";
      const entry = await ledger.authorize(key, asked, status, `auth_${randomUUID()}`);
      if (entry.amount === null) throw new Refused(409, "voided before it was authorized");
      if (entry.amount !== asked.amount || entry.currency !== asked.currency || entry.token !== asked.token)
        throw new Refused(422, "this idempotency key was used with another body");
      if (entry.status === "voided") throw new Refused(409, "voided");
      return { status: entry.status === "declined" ? 402 : 201, body: shown(entry) };
    });
  }

  async function capture(_request: IncomingMessage, key: string): Promise<Answer> {
    return asToken(ledger.find(key)?.token, async () => {
      const entry = await ledger.capture(key);
      if (!entry) throw new Refused(404, "no such authorization");
      if (entry.status !== "captured") throw new Refused(409, entry.status);
      return { status: 200, body: shown(entry) };
    });
  }

  async function voidIt(_request: IncomingMessage, key: string): Promise<Answer> {
    return asToken(ledger.find(key)?.token, async () => {
      const entry = await ledger.void(key);
      if (entry.status === "captured") throw new Refused(409, entry.status);
      return { status: 200, body: shown(entry) };
    });
  }

  async function showLedger(request: IncomingMessage): Promise<Answer> {
    const query = new URL(request.url!, "http://provider").searchParams;
    const limit = Number(query.get("limit") ?? limits.ledgerPage);
    if (!Number.isInteger(limit) || limit < 1 || limit > limits.ledgerPage)
      throw new Refused(400, `limit: 1 to ${limits.ledgerPage}`);
    return { status: 200, body: { entries: ledger.page(query.get("after") ?? "", limit).map(asAmounts) } };
  }

  /** Does what is asked, unless the token says that it goes wrong: before the ledger is written, or after. */
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
      if (error instanceof Refused) send(response, { status: error.status, body: { error: error.message } });
      else if (closing.signal.aborted) response.destroy();
      else {
        process.stderr.write(`payment provider: ${String(error)}\n`);
        send(response, { status: 500, body: { error: "internal error" } });
      }
    });
  });
  server.requestTimeout = 30_000;
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, host, resolve));
  const address = server.address() as AddressInfo;

  return {
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

const unavailable: Answer = { status: 503, body: { error: "try again" } };

/** What the owner of the key may know of it. */
const shown = ({ key, status, amount, currency, authorizationId }: Entry): object => ({
  key,
  status,
  ...(amount !== null && { amount, currency, authorizationId }),
});

/** An entry of `GET /ledger`: minor units by what has become of them. What is captured or voided was authorized. */
export interface LedgerEntry {
  readonly key: string;
  readonly currency: string | null;
  readonly authorized: number;
  readonly captured: number;
  readonly voided: number;
  readonly declined: number;
}
function asAmounts({ key, status, amount, currency }: Entry): LedgerEntry {
  const as = (wanted: Entry["status"]): number => (status === wanted ? (amount ?? 0) : 0);
  const authorized = status === "declined" ? 0 : (amount ?? 0);
  return {
    key,
    currency,
    authorized,
    captured: as("captured"),
    voided: as("voided"),
    declined: as("declined"),
  };
}

function keyOf(segment: string | undefined): string {
  try {
    const key = decodeURIComponent(segment ?? "");
    if (key.length <= limits.keyLength) return key;
  } catch {
    // Not an encoding of anything: as unknown as a key that is too long.
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
