// One request to a webhook: to an allowed address, which is the one that was looked up (a name that answers differently the
// second time gains nothing), without following redirects, and bounded in time and bytes. Never rejects.
import { lookup, type LookupAddress } from "node:dns";
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { limits } from "./limits.ts";
import type { Networks } from "./networks.ts";

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Milliseconds for all of it. */
  readonly withinMs: number;
}

export interface Posted {
  /** Absent where there was no answer. */
  readonly status?: number;
  /** Milliseconds until the answer's end, or the failure. */
  readonly ms: number;
  /** Why it failed; absent after a 2xx. */
  readonly reason?: string;
  /** Milliseconds that the receiver asks to be left alone. */
  readonly retryAfterMs?: number;
}

export class Poster {
  readonly #networks: Networks;
  // Connections are not kept: between two events a receiver closes them, and a request on one that is just closing would be
  // a failure that nobody can explain. A TLS session is resumed.
  readonly #plain = new HttpAgent();
  readonly #secure = new HttpsAgent();

  constructor(networks: Networks) {
    this.#networks = networks;
  }

  async post(post: Post): Promise<Posted> {
    const began = performance.now();
    const taken = (): number => Math.round(performance.now() - began);
    try {
      const answer = await this.#ask(post);
      return { ms: taken(), ...toldBy(answer) };
    } catch (error) {
      return { ms: taken(), reason: reasonOf(error, post.withinMs).slice(0, limits.reasonCharsMax) };
    }
  }

  #ask({ url: text, headers, body, withinMs }: Post): Promise<IncomingMessage> {
    const url = new URL(text);
    const isPlain = url.protocol === "http:";
    const host = url.hostname.replace(/^\[|\]$/g, "");
    // An address in the URL is not looked up.
    if (isIP(host) > 0 && !this.#networks.allows(host, { isPlain })) throw new Forbidden(host);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = (isPlain ? httpRequest : httpsRequest)(url, {
      method: "POST",
      agent: isPlain ? this.#plain : this.#secure,
      headers: { ...headers, "content-length": Buffer.byteLength(body) },
      lookup: this.#lookup(isPlain),
      signal: AbortSignal.timeout(withinMs),
    });
    request.on("error", reject);
    request.on("response", answer => {
      answer.once("close", () => resolve(answer));
      drain(answer);
    });
    // Node closes a connection that changes its protocol unasked, and says so by no error.
    request.on("upgrade", (answer, socket) => {
      socket.destroy();
      resolve(answer);
    });
    request.end(body);
    return promise;
  }

  /** The system's look-up, without addresses that are not allowed. */
  #lookup(isPlain: boolean): LookupFunction {
    return (host, options, callback) => {
      lookup(host, { ...options, all: true }, (error, found: LookupAddress[]) => {
        const allowed = error ? [] : found.filter(({ address }) => this.#networks.allows(address, { isPlain }));
        const [first] = allowed;
        if (!first) return callback(error ?? new Forbidden(host), "");
        if (options.all) return callback(null, allowed);
        callback(null, first.address, first.family);
      });
    };
  }
}

/** The host's address is not one that webhooks may have. */
class Forbidden extends Error {
  constructor(host: string) {
    super(`${host} is not at a public address (WEBHOOK_NETWORKS)`);
  }
}

/** Reads and forgets what the receiver sends, up to a limit of bytes and of time: its status is all that counts. */
function drain(answer: IncomingMessage): void {
  const patience = setTimeout(() => answer.destroy(), limits.answerMs);
  answer.once("close", () => clearTimeout(patience));
  let bytes = 0;
  answer.on("error", () => {});
  answer.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limits.answerBytes) answer.destroy();
  });
}

function toldBy({ statusCode: status = 0, headers }: IncomingMessage): Omit<Posted, "ms"> {
  if (status >= 200 && status < 300) return { status };
  const reason = status >= 300 && status < 400 ? `HTTP ${status}: redirects are not followed` : `HTTP ${status}`;
  const retryAfterMs = retryAfterOf(headers["retry-after"]);
  return { status, reason, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
export function retryAfterOf(text: string | undefined, now = Date.now()): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), limits.retryAfterMsMax);
}

function reasonOf(error: unknown, withinMs: number): string {
  const { name, code, message, errors } = error as Error & { code?: string; errors?: Error[] };
  if (name === "AbortError" || name === "TimeoutError") return `no answer within ${withinMs} ms`;
  return message || errors?.[0]?.message || code || name;
}
