// Sends purges to the network that the environment names.
import { lookup } from "node:dns/promises";
import { request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { forms, partsOf, type FormName, type PurgeForm, type PurgeRequest } from "./forms.ts";
import { limits } from "./limits.ts";

export interface NetworkOptions {
  readonly url: string;
  readonly form: FormName;
  readonly token: string | undefined;
}

export class Network {
  readonly #url: URL;
  readonly #form: PurgeForm;
  readonly #token: string | undefined;

  constructor({ url, form, token }: NetworkOptions) {
    this.#url = new URL(url);
    this.#form = forms[form];
    this.#token = token;
  }

  /** Host and port, as logs and the doctor name it. */
  get name(): string {
    return this.#url.host;
  }

  /** Resolves when every cache of the network has taken all keys; rejects with the first reason why one has not. */
  async purge(keys: readonly string[]): Promise<void> {
    const addresses = await this.#addresses();
    for (const part of partsOf(keys, this.#form)) {
      const asked = this.#form.request(part, this.#token);
      await Promise.all(addresses.map(address => this.#send(asked, address)));
    }
  }

  /** The addresses of the network's caches; undefined for the one that the name leads to. */
  async #addresses(): Promise<readonly (string | undefined)[]> {
    const host = this.#url.hostname.replace(/^\[|\]$/g, "");
    if (!this.#form.toEachAddress || isIP(host) > 0) return [undefined];
    const found = await lookup(host, { all: true });
    return found.map(({ address }) => address);
  }

  async #send(asked: PurgeRequest, address: string | undefined): Promise<void> {
    const { status, body } = await exchange(this.#url, asked, address);
    const at = address === undefined ? this.name : `${this.name} (${address})`;
    const problem = status >= 200 && status < 300 ? this.#form.problem?.(body) : `it answers ${status} ${body}`;
    if (problem !== undefined) throw new Error(`${at}: ${problem.trim()}`);
  }
}

/** One request, to this address of the host. No connection is kept: changes are rare, and a cache closes it meanwhile. */
function exchange(
  url: URL,
  { method, headers, body }: PurgeRequest,
  address: string | undefined,
): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const options: RequestOptions = {
    method,
    agent: false,
    headers: { ...headers, "Content-Length": Buffer.byteLength(body) },
    signal: AbortSignal.timeout(limits.sendMs),
    ...(address !== undefined && { lookup: lookupOf(address) }),
  };
  const request = (url.protocol === "http:" ? httpRequest : httpsRequest)(url, options, answer => {
    let text = "";
    answer.setEncoding("utf8");
    answer.on("data", (chunk: string) => {
      text += chunk;
      if (text.length > limits.answerBytesMax) answer.destroy();
    });
    answer.on("error", reject);
    answer.on("close", () => resolve({ status: answer.statusCode!, body: text.slice(0, limits.answerBytesMax) }));
  });
  request.on("error", reject);
  request.end(body);
  return promise;
}

/** The name stays in `Host` and in the handshake of TLS; only the address is given. */
const lookupOf =
  (address: string): NonNullable<RequestOptions["lookup"]> =>
  (_host, { all }, callback) => {
    const family = isIP(address);
    if (all) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
