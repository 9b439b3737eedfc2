// One request at a time on each connection. Node hands out every request of a packet at once, 1,390 of them in 64 kB, and
// only the response in front has a socket: the others never close when the client hangs up, and code that waits for them to
// close waits for ever. So a request that is not in front is not begun. The life of a request:
//
//   1. waiting     behind another one of its connection; nothing but this list knows of it
//   2. in front    begun, its response has the socket: it finishes or closes, whatever the client does
//   3. forgotten   the connection closed before its turn, or an answer before it closed the connection
//
// Bytes that are no request end the connection, after the answers to the requests before them: those were read whole, and
// a client that gets a refusal in place of an answer believes that nothing was done.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { InFlight } from "../kernel/index.ts";
import type { Handler } from "./request-guard.ts";
import { httpLimits as limits } from "./limits.ts";

type Taken = readonly [req: IncomingMessage, res: ServerResponse];
/** The requests of a connection, the one in front first. */
interface Line {
  readonly taken: Taken[];
  /** Monotonic milliseconds: when the newest one came. */
  newestAt: number;
  /** Set once bytes came that are no request: called after the last answer. */
  refuse?: () => void;
}

export class Turns {
  readonly #begin: Handler;
  readonly #lines = new InFlight<Duplex, Line>();

  constructor(begin: Handler) {
    this.#begin = begin;
  }

  /** The responses to requests that were begun, until they finish or close. */
  *responses(): Generator<ServerResponse> {
    for (const { taken } of this.#lines.values()) yield taken[0]![1];
  }

  /** Begins the request, at once or when those before it are answered. */
  take(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req;
    const line = this.#lines.get(socket);
    if (!line) {
      const taken: Taken[] = [[req, res]];
      this.#lines.set(socket, { taken, newestAt: performance.now() });
      return this.#inFront(req, res, taken);
    }
    if (line.refuse) return;
    line.newestAt = performance.now();
    const { taken } = line;
    if (taken.length <= limits.pipelinedMax) return void taken.push([req, res]);
    // The connection ends with the last request that waits; a client repeats requests without an answer (RFC 9112, 9.3.2).
    taken.at(-1)![1].shouldKeepAlive = false;
    socket.pause();
  }

  /**
   * The client has ended its side. TCP does not tell one that is done with sending, and reads on, from one that has left.
   * A change whose client ended right behind it is answered, and what it sent after that, too: it may be carried out by now,
   * and its client has to know. A client that ends later has waited long enough, and a read can be sent again: then the
   * connection ends, and with it whatever has not begun.
   */
  clientEnded(socket: Duplex): void {
    const line = this.#lines.get(socket);
    const front = line?.taken[0]?.[0];
    if (!front || line.refuse) return;
    const isChange = front.method !== "GET" && front.method !== "HEAD";
    if (!isChange || performance.now() - line.newestAt >= limits.halfCloseMs) socket.end();
  }

  /** Whether the client waits for an answer of which it has got nothing yet. */
  isAwaited(socket: Duplex): boolean {
    const front = this.#lines.get(socket)?.taken[0];
    return front !== undefined && !front[1].headersSent;
  }

  /**
   * Takes no further request of this connection, and calls `refuse` once those before are answered. A request whose own
   * bytes have failed is none of those.
   */
  cut(socket: Duplex, refuse: () => void): void {
    const line = this.#lines.get(socket);
    if (line?.refuse) return;
    const newest = line?.taken.at(-1);
    if (newest && !newest[0].complete && !newest[1].headersSent) line!.taken.pop();
    const last = line?.taken.at(-1);
    if (!last) return refuse();
    line!.refuse = refuse;
    last[1].shouldKeepAlive = false;
  }

  #inFront(req: IncomingMessage, res: ServerResponse, taken: Taken[]): void {
    const { socket } = req;
    res.once("close", () => {
      const line = this.#lines.get(socket)!;
      taken.shift();
      const next = socket.destroyed || !res.shouldKeepAlive ? undefined : taken[0];
      if (next) return this.#inFront(...next, taken);
      this.#lines.delete(socket);
      line.refuse?.();
    });
    this.#begin(req, res);
  }
}
