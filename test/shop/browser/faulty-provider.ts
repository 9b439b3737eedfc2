// The bundled payment provider behind a door that loses authorizations: as a company does that lets one expire before its capture.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { startProvider, type Provider } from "../../../services/payments/provider/provider.ts";

export class FaultyProvider {
  /** Voids what is to be captured next, as many times. */
  voidsNext = 0;
  readonly #provider: Provider;
  readonly #folder: string;
  readonly #door: Server;

  private constructor(provider: Provider, folder: string) {
    this.#provider = provider;
    this.#folder = folder;
    this.#door = createServer((request, response) => {
      this.#pass(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<FaultyProvider> {
    const folder = await mkdtemp(join(tmpdir(), "provider-"));
    const provider = new FaultyProvider(await startProvider({ filename: join(folder, "ledger.sqlite") }), folder);
    provider.#door.listen(0, "127.0.0.1");
    await once(provider.#door, "listening");
    return provider;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#door.address() as AddressInfo).port}`;
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", url = "/" } = request;
    const body = await buffer(request);
    const capture = /^(\/authorizations\/[^/]+)\/capture$/.exec(url);
    if (capture && this.voidsNext > 0) {
      this.voidsNext--;
      await fetch(`${this.#provider.url}${capture[1]}/void`, { method: "POST" });
    }
    const headers: Record<string, string> = { "content-type": "application/json" };
    const key = request.headers["idempotency-key"];
    if (typeof key === "string") headers["idempotency-key"] = key;
    const answer = await fetch(this.#provider.url + url, { method, headers, ...(method === "POST" && { body }) });
    response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
  }

  async stop(): Promise<void> {
    this.#door.close().closeAllConnections();
    await this.#provider.close();
    await rm(this.#folder, { recursive: true });
  }
}
