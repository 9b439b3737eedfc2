// A receiver of webhooks for tests: keeps what it gets, and answers as the test says.
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";

export interface Got {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export class Receiver {
  readonly got: Got[] = [];
  /** Answers a request; the test may leave it without an answer. */
  answer: (got: Got, response: ServerResponse) => void = (_got, response) => void response.writeHead(204).end();
  readonly #server: Server;
  private constructor() {
    this.#server = createServer((request, response) => {
      void text(request).then(body => {
        const got = { path: request.url!, headers: request.headers, body };
        this.got.push(got);
        this.answer(got, response);
      });
    });
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    receiver.#server.listen(0, "127.0.0.1");
    await once(receiver.#server, "listening");
    return receiver;
  }

  /** `http://127.0.0.1:…` */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  at(path: string): Got[] {
    return this.got.filter(got => got.path === path);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
