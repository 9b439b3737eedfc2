// The shop as its users meet it: a process of its own, used over HTTP, killed without warning.
import { setTimeout as sleep } from "node:timers/promises";
import { Child, freePort } from "@valence/runtime/testing/servers";

/** Milliseconds of a start: it takes 2 s; on a busy machine it has taken 40 s. */
const READY_WITHIN_MS = 90_000;
/** Milliseconds: more than twice what the slowest call may take. A request without an answer by then gets none. */
const ANSWERED_WITHIN_MS = 30_000;

export interface Answer<T = any> {
  readonly status: number;
  readonly body: T;
  readonly headers: Headers;
}

export class Shop {
  /** Variables of the next start. */
  readonly env: Record<string, string>;
  readonly url: string;
  child!: Child;
  /** Headers of every request. */
  readonly #headers: Readonly<Record<string, string>>;

  private constructor(env: Record<string, string>, url: string, headers: Readonly<Record<string, string>> = {}) {
    [this.env, this.url, this.#headers] = [env, url, headers];
  }

  /** A shop that others run; `env`: what its records are read by. */
  static at(url: string, env: Record<string, string>, headers: Readonly<Record<string, string>>): Shop {
    return new Shop(env, url, headers);
  }

  static async start(env: Record<string, string>): Promise<Shop> {
    const own = { PORT: `${await freePort()}`, ...env };
    const shop = new Shop(own, `http://127.0.0.1:${own.PORT}`);
    await shop.start().catch(async (error: Error) => {
      await shop.stop();
      throw error;
    });
    return shop;
  }

  /** Starts the process; `failpoints` arms it. Resolves when it is ready to serve. */
  async start(failpoints = ""): Promise<void> {
    this.child = new Child(["mixins/cli/valence.mjs", "start"], {
      LOGLEVEL: "warn",
      ...this.env,
      ...(failpoints && { FAILPOINTS: failpoints }),
    });
    for (const end = Date.now() + READY_WITHIN_MS; ; await sleep(50)) {
      if (!this.child.running && failpoints) return; // it died on its way up, as it was told to
      if (!this.child.running || Date.now() > end) throw new Error(`the shop did not start:\n${this.child.output}`);
      const ready = await fetch(`${this.url}/health/ready`).catch(() => undefined);
      if (ready?.status === 200) return;
    }
  }

  /** Rejects when the connection is cut, or with a TimeoutError when no answer comes. */
  async request<T = any>(
    method: string,
    path: string,
    { body, token, headers }: { body?: unknown; token?: string; headers?: Record<string, string> } = {},
  ): Promise<Answer<T>> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...this.#headers,
        ...(body !== undefined && { "Content-Type": "application/json" }),
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWERED_WITHIN_MS),
    });
    const text = await response.text();
    const json = /\bjson\b/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, body: (json ? JSON.parse(text) : text) as T, headers: response.headers };
  }

  /** Registers a customer and logs in. */
  async customer(name: string): Promise<string> {
    const account = { email: `${name}@example.org`, password: "correct horse battery" };
    const { status, body } = await this.#ask("/api/v1/auth/register", { ...account, name });
    // One that was repeated may have been there.
    if (status !== 201 && status !== 409) throw new Error(`registration: ${status} ${JSON.stringify(body)}`);
    return this.login(account.email, account.password);
  }

  async login(email: string, password: string): Promise<string> {
    const { status, body } = await this.#ask("/api/v1/auth/login", { email, password });
    if (status !== 200) throw new Error(`login: ${status} ${JSON.stringify(body)}`);
    return body.accessToken;
  }

  /** Repeats a request while the shop says that it is not its turn: on a busy machine it may, for some seconds after a start. */
  async #ask(path: string, body: object): Promise<Answer> {
    for (const end = Date.now() + ANSWERED_WITHIN_MS; ; await sleep(200)) {
      const answer = await this.request("POST", path, { body });
      if (![503, 504].includes(answer.status) || Date.now() > end) return answer;
    }
  }

  async stop(): Promise<void> {
    await this.child?.end("SIGKILL");
  }
}

export const ADDRESS = { name: "Ada", line1: "1 Main St", city: "London", postalCode: "N1", country: "GB" };
export const orderOf = (lines: { productId: string; quantity: number }[], token = "tok_ok") => ({
  lines,
  shippingAddress: ADDRESS,
  payment: { method: "card", token },
});
