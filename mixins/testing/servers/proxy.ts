// A TCP proxy between a client and a server that drops data as told.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export class Proxy {
  readonly #server: Server;
  readonly #target: { host: string; port: number };
  readonly #open = new Set<{ client: Socket; upstream: Socket }>();
  #mode: "pass" | "lose-replies" | "reset-after-requests" | "frozen" | "cut" = "pass";

  private constructor(target: { host: string; port: number }) {
    this.#target = target;
    this.#server = createServer(client => this.#accept(client));
  }

  static async to(url: string): Promise<Proxy> {
    const { hostname, port } = new URL(url);
    const proxy = new Proxy({ host: hostname, port: Number(port) });
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** Host and port of the proxy. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  /** The same URL through the proxy. */
  url(through: string): string {
    const url = new URL(through);
    url.host = this.address;
    return url.href;
  }

  /** From now on replies are dropped, and the client's connection is reset at the first one. */
  loseReplies(): void {
    this.#mode = "lose-replies";
  }
  /** From now on the client's connection is reset as soon as it has sent data, which still reaches the server. */
  resetAfterRequests(): void {
    this.#mode = "reset-after-requests";
  }
  /** From now on no data passes in either direction, and neither side is told. */
  freeze(): void {
    this.#mode = "frozen";
  }
  /** Refuses new connections, and resets the existing ones. */
  cut(): void {
    this.#mode = "cut";
    for (const { client } of this.#open) client.resetAndDestroy();
  }
  /** From now on all data passes. */
  heal(): void {
    this.#mode = "pass";
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const { client, upstream } of this.#open) {
      client.destroy();
      upstream.destroy();
    }
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    if (this.#mode === "cut") return void client.resetAndDestroy();
    const upstream = connect(this.#target);
    const pair = { client, upstream };
    this.#open.add(pair);
    const end = (): void => {
      this.#open.delete(pair);
      client.destroy();
      // The server may notice later: it finishes what it has begun.
      upstream.end();
    };
    for (const socket of [client, upstream]) socket.on("error", () => {}).on("close", end);
    client.on("data", data => {
      if (this.#mode === "frozen") return;
      upstream.write(data);
      if (this.#mode === "reset-after-requests") client.resetAndDestroy();
    });
    upstream.on("data", data => {
      if (this.#mode === "pass" || this.#mode === "reset-after-requests") return void client.write(data);
      if (this.#mode === "lose-replies") client.resetAndDestroy();
    });
  }
}
