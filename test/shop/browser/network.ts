// A delivery network as small as one can be: the files of a folder by the rules of docs/cdn.md, and behind the same origin the API of a
// shop. Without a folder it has the shop's `/assets` alone, at an origin of its own.
import { once } from "node:events";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";

export interface NetworkOptions {
  readonly folder?: string;
  /** Header fields of every page: the gateway's own. */
  readonly headers?: Readonly<Record<string, string>>;
}

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".xml": "application/xml; charset=utf-8",
};
/** Of the shop: everything that is no page. */
const OF_THE_SHOP = /^\/(?:api|images|docs|health|problems|\.well-known)(?:\/|$)|\.json$/;

export class Network {
  readonly #server: Server;
  readonly #options: NetworkOptions;
  /** Origin of the shop. */
  shop = "";
  headers: Readonly<Record<string, string>>;

  private constructor(options: NetworkOptions) {
    this.#options = options;
    this.headers = options.headers ?? {};
    this.#server = createServer((req, res) => void this.#answer(req, res).catch(() => res.destroy()));
  }

  static async start(options: NetworkOptions = {}): Promise<Network> {
    const network = new Network(options);
    network.#server.listen(0, "127.0.0.1");
    await once(network.#server, "listening");
    return network;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = decodeURIComponent(new URL(req.url!, this.url).pathname);
    const { folder } = this.#options;
    if (folder === undefined ? path.startsWith("/assets/") : OF_THE_SHOP.test(path)) return this.#pass(req, res);
    if (folder === undefined) return void res.writeHead(404).end();
    const isFile = extname(path) !== "";
    if (await this.#send(req, res, isFile ? path : path === "/" ? "/index.html" : `${path}.html`)) return;
    if (isFile || path.startsWith("/products/")) {
      if (isFile || !(await this.#send(req, res, "/404.html", 404))) res.writeHead(404).end();
      return;
    }
    await this.#send(req, res, /^\/console(?:\/|$)/.test(path) ? "/console.html" : "/storefront.html");
  }

  async #send(req: IncomingMessage, res: ServerResponse, file: string, status = 200): Promise<boolean> {
    const path = join(this.#options.folder!, file);
    const isPacked = /\bbr\b/.test(String(req.headers["accept-encoding"]));
    const packed = isPacked ? await readFile(`${path}.br`).catch(() => undefined) : undefined;
    const body = packed ?? (await readFile(path).catch(() => undefined));
    if (body === undefined) return false;
    res.writeHead(status, {
      ...this.headers,
      "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
      "Cache-Control": file.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
      ...(packed && { "Content-Encoding": "br" }),
    });
    res.end(body);
    return true;
  }

  async #pass(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const { method, headers } = req;
    const passed = request(this.shop + req.url!, { method, headers }, resolve).once("error", reject);
    req.pipe(passed);
    res.once("close", () => passed.destroy());
    const answer = await promise;
    res.writeHead(answer.statusCode!, answer.headers);
    answer.pipe(res);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}
