// One request at a time on each connection. Node hands out every request of a packet at once, 1,390 of them in 64 kB, and
// only the response in front has a socket: the others never close when the client hangs up, and code that waits for them to
// close waits for ever. So a request that is not in front is not begun. The life of a request:
//
//   1. waiting     behind another one of its connection; nothing but this list knows of it
//   2. in front    begun, its response has the socket: it finishes or closes, whatever the client does
//   3. forgotten   the connection closed before its turn, or an answer before it closed the connection
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Handler } from "./request-guard.ts";
import { limits } from "../limits.ts";

type Waiting = readonly [req: IncomingMessage, res: ServerResponse];

export class Turns {
  readonly #begin: Handler;
  readonly #ended: (res: ServerResponse) => void;
  readonly #waiting = new WeakMap<Socket, Waiting[]>();

  /** `ended` is called as the response to a request that was begun finishes or closes. */
  constructor(begin: Handler, ended: (res: ServerResponse) => void) {
    this.#begin = begin;
    this.#ended = ended;
  }

  /** Begins the request, at once or when those before it are answered. */
  take(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req;
    const waiting = this.#waiting.get(socket);
    if (!waiting) {
      this.#waiting.set(socket, []);
      return this.#inFront(req, res);
    }
    if (waiting.length < limits.pipelinedMax) return void waiting.push([req, res]);
    // The connection ends with the last request that waits; a client repeats requests without an answer (RFC 9112, 9.3.2).
    waiting.at(-1)![1].shouldKeepAlive = false;
    socket.pause();
  }

  #inFront(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req;
    res.once("close", () => {
      this.#ended(res);
      const waiting = this.#waiting.get(socket)!;
      const next = socket.destroyed || !res.shouldKeepAlive ? undefined : waiting.shift();
      if (next) return this.#inFront(...next);
      this.#waiting.delete(socket);
    });
    this.#begin(req, res);
  }
}
