// The HTTP server of the gateway, and of the port for probes and operators: Node's limits set for an API, connections
// bounded in total and for each address, and a stop that resets no connection.
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Handler } from "./request-guard.ts";
import { networkOf } from "./address.ts";
import { httpLimits as limits } from "./limits.ts";
import { httpErrors } from "./errors.ts";
import { endWith, refusalOf } from "./problem.ts";
import { Turns } from "./pipelining.ts";
import { Response } from "./response.ts";

export interface HttpServerOptions {
  /** Proxies before the server: with any, the address of a connection is not the client's. Default 0. */
  readonly proxies?: number;
  /** Logs that connections are dropped, at most every 10 s. */
  readonly say?: (message: string) => void;
  /** Milliseconds that an idle connection stays open. Default as limits.ts; so the others. */
  readonly keepAliveMs?: number;
  /** Milliseconds from the first byte of a request to the end of its header. */
  readonly headersTimeoutMs?: number;
  /** Milliseconds for the rest of it. */
  readonly bodyTimeoutMs?: number;
}

export class HttpServer {
  readonly #server: Server;
  readonly #turns: Turns;
  #draining = false;
  /** While the port closes, requests wait here. */
  #gate: Promise<void> | undefined;
  /** Number of connections so far. While draining, each request comes on a new one. */
  #arrivals = 0;
  readonly #byAddress = new Map<string, number>();
  readonly #say: (message: string) => void;
  #dropped = 0;
  #saidAt = -Infinity;

  constructor(handler: Handler, options: HttpServerOptions = {}) {
    const { proxies = 0, say = () => {}, keepAliveMs = limits.keepAliveMs } = options;
    const { headersTimeoutMs = limits.headersTimeoutMs, bodyTimeoutMs = limits.bodyTimeoutMs } = options;
    this.#say = say;
    // A header that is late gets a 408 first.
    const idleMs = Math.max(limits.socketIdleMs, headersTimeoutMs + 2 * limits.connectionsCheckMs);
    const begin: Handler = (req, res) => {
      if (this.#draining) res.shouldKeepAlive = false;
      if (this.#gate) void this.#gate.then(() => res.destroyed || handler(req, res));
      else handler(req, res);
    };
    const turns = (this.#turns = new Turns(begin));
    const unused = new WeakSet<Socket>();
    const serve: Handler = (req, res) => {
      if (unused.delete(req.socket)) req.socket.setTimeout(idleMs);
      turns.take(req, res);
    };
    this.#server = createServer(
      {
        ServerResponse: Response as unknown as typeof ServerResponse,
        maxHeaderSize: limits.headerBytesMax,
        headersTimeout: headersTimeoutMs,
        requestTimeout: headersTimeoutMs + bodyTimeoutMs,
        connectionsCheckingInterval: limits.connectionsCheckMs,
        keepAliveTimeout: keepAliveMs,
        // The request guard checks the Host header and answers a problem; Node's own 400 is empty.
        requireHostHeader: false,
        insecureHTTPParser: false,
      },
      serve,
    );
    // The request guard counts fields: Node before 24.18.1 drops fields past its limit, and later versions report them
    // as too many bytes.
    this.#server.maxHeadersCount = 0;
    this.#server.maxConnections = limits.connectionsMax;
    // A client that has sent all may end its side and read on; Node would end ours, with the request carried out.
    (this.#server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
    this.#server.setTimeout(idleMs, (socket: Socket) => {
      // A client that waits for its answer, or is within its first header, is not idle: the call has a time of its own, and
      // Node that of the header and the body.
      const isWithinHeader = unused.delete(socket) && socket.bytesRead > 0;
      if (isWithinHeader || turns.isAwaited(socket)) socket.setTimeout(idleMs);
      else socket.destroy();
    });
    this.#server.on("connection", socket => {
      this.#arrivals++;
      // Balancers open connections before they need them. Such a one lives as long as one between two requests.
      unused.add(socket);
      socket.once("end", () => turns.clientEnded(socket));
      socket.setTimeout(keepAliveMs);
      if (proxies === 0) this.#admit(socket);
    });
    this.#server.on("drop", () => this.#drop(`all ${limits.connectionsMax} connections are taken`));
    this.#server.on("clientError", (error: Error & { code?: string }, socket) => {
      const refusal = refusalOf(error, socket);
      if (refusal) turns.cut(socket, () => endWith(socket, refusal));
      else if (error.code === "ECONNRESET") socket.destroy();
    });
    // CONNECT asks for a proxy: Node hands out the bare connection, without its own listeners.
    this.#server.on("connect", (_req, socket) => {
      socket.on("error", () => socket.destroy());
      turns.cut(socket, () => endWith(socket, httpErrors.PROTOCOL({ message: "this is no proxy" })));
    });
    // Node's default answer to an unknown Expect is an empty 417.
    this.#server.on("checkExpectation", serve);
  }

  /** Closes a connection that is one too many for its address, so that other addresses keep theirs. */
  #admit(socket: Socket): void {
    const address = networkOf(socket.remoteAddress ?? "");
    const own = this.#byAddress.get(address) ?? 0;
    if (own >= limits.connectionsPerAddressMax) {
      this.#drop(`${address} has ${own} connections, the most that one address may`);
      return void socket.destroy();
    }
    this.#byAddress.set(address, own + 1);
    socket.once("close", () => {
      const left = this.#byAddress.get(address)! - 1;
      if (left > 0) this.#byAddress.set(address, left);
      else this.#byAddress.delete(address);
    });
  }

  #drop(why: string): void {
    this.#dropped++;
    if (performance.now() - this.#saidAt < limits.saidAgainMs) return;
    this.#saidAt = performance.now();
    this.#say(`a connection is closed unheard: ${why}`);
  }

  /** Connections closed without an answer, since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Listens on this port (0: the system chooses one) and resolves to it. Rejects when the port is taken. */
  async listen(port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject).listen(port, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** The server alone does not keep the process alive. */
  unref(): void {
    this.#server.unref();
  }

  /** Closes the port and cuts every connection. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /**
   * Stops without a reset:
   *
   *   1. every response says `Connection: close` and readiness says 503, while the server serves on for the announce delay
   *   2. requests are taken but wait, until every client that sends one after the other waits for an answer
   *   3. the port closes, the waiting requests are served, and connections close as they fall idle
   *   4. `graceMs` after the call the other connections are cut
   *
   * A server that closes at once resets each client that is between two requests, and every connection that the kernel
   * holds for it: 13 of 20 busy clients. A server that closes only its port serves on for ever. `endStreams` is called
   * before the port closes, and must end all responses that do not end by themselves.
   */
  async drain(graceMs: number, endStreams: () => void): Promise<void> {
    if (this.#draining || !this.#server.listening) return;
    this.#draining = true;
    const by = performance.now() + graceMs;
    for (const response of this.#turns.responses()) if (!response.headersSent) response.shouldKeepAlive = false;
    await sleep(limits.announceMs);
    endStreams();
    let open = (): void => {};
    this.#gate = new Promise(resolve => (open = resolve));
    await this.#settled();
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    this.#gate = undefined;
    open();
    const sweep = setInterval(() => this.#server.closeIdleConnections(), limits.sweepMs);
    const cut = setTimeout(() => this.#server.closeAllConnections(), by - performance.now());
    await closed;
    clearInterval(sweep);
    clearTimeout(cut);
  }

  /**
   * Waits until no client has connected for a while. The while is counted in checks, not read from a clock: a process
   * that was not scheduled for a second has checked nothing in it, and the kernel meanwhile holds the connections that
   * came. Each check ends right after a turn of the loop, which accepts one connection at most (libuv 1.45 and later);
   * so a check without a connection proves that the kernel holds none.
   */
  async #settled(): Promise<void> {
    let quiet = 0;
    for (let looks = 0; quiet < limits.settleLooks && looks < limits.settleLooksMax; looks++) {
      const before = this.#arrivals;
      await sleep(limits.settleLookMs);
      await new Promise(resolve => setImmediate(resolve));
      quiet = this.#arrivals === before ? quiet + 1 : 0;
    }
  }
}
