// `GET /orders/:id/stream`: the status changes of one order as server-sent events. The id of an event is the order's
// version, so Last-Event-ID resumes without gap or duplicate. Each stream reads the order's timeline; a commit hint
// only wakes it. It listens before it reads, or a change between the two would wait for the next poll. It ends with the
// order: whoever comes back after the last change gets a 204, which tells an EventSource to stop.
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "moleculer";
import { typedCall, type User } from "@valence/runtime/contract";
import type { Refusal, Clock } from "@valence/runtime/kernel";
import { gatewayErrors } from "./errors.ts";
import { limits } from "./limits.ts";

interface Reader {
  readonly id: string;
  readonly user: User;
  /** Milliseconds since the epoch: the stream ends with its token. */
  readonly expiresAt: number;
  /** Where the reader comes from. */
  readonly address: string;
  readonly ctx: Context;
}
interface StatusChange {
  readonly type: string;
  readonly version: number;
  readonly at: string;
  readonly data: unknown;
}

/** After these nothing happens to an order any more. */
const LAST = new Set(["order.shipped", "order.rejected", "order.cancelled"]);

export class OrderStreams {
  readonly #open = new Set<OrderStream>();
  readonly #clock: Clock;
  readonly #perUserMax: number;

  /** `processes`: how many share the limit of a user: each takes its part, at least one stream. */
  constructor(clock: Clock, processes: number) {
    this.#clock = clock;
    this.#perUserMax = Math.ceil(limits.streamsPerUserMax / processes);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Opens a stream that lasts until either side ends it. Refuses one too many of a user, a bad id, another's order. */
  async open(req: IncomingMessage, res: ServerResponse, reader: Reader): Promise<void> {
    const last = req.headers["last-event-id"] ?? "0";
    if (typeof last !== "string" || !/^\d{1,15}$/.test(last))
      throw gatewayErrors.BAD_LAST_EVENT_ID({ field: "Last-Event-ID", message: "must be a version" });
    // A token is taken for some seconds more than it lives; a stream lives no longer than its token.
    const lifeMs = Math.min(reader.expiresAt - this.#clock.now(), 2 ** 31 - 1);
    if (lifeMs <= 0) throw tokenExpired();
    const own = [...this.#open].filter(stream => stream.reader.user.id === reader.user.id).length;
    if (own >= this.#perUserMax) throw gatewayErrors.TOO_MANY_STREAMS({ streams: limits.streamsPerUserMax });
    const near = [...this.#open].filter(stream => stream.reader.address === reader.address).length;
    if (near >= limits.streamsPerAddressMax)
      throw gatewayErrors.TOO_MANY_STREAMS({ message: "too many streams of one address" });
    if (this.#open.size >= limits.streamsMax)
      throw gatewayErrors.SATURATED({ message: "too many streams at once", retryAfterMs: 10_000 });
    const stream = new OrderStream(res, reader, Number(last));
    this.#open.add(stream);
    res.once("close", () => {
      stream.close();
      this.#open.delete(stream);
    });
    const expiry = setTimeout(() => stream.expire(), lifeMs);
    try {
      await stream.run();
    } finally {
      clearTimeout(expiry);
      this.#open.delete(stream);
    }
  }

  /** Something was committed: whoever waits looks. */
  wake(): void {
    for (const stream of this.#open) stream.wake();
  }

  /** Ends all streams; each client is told to come back at another moment. */
  drain(): void {
    const [least, most] = limits.reconnectMs;
    for (const stream of this.#open) stream.end(Math.round(least + Math.random() * (most - least)));
  }
}

const tokenExpired = (): Refusal => gatewayErrors.INVALID_TOKEN({ message: "the access token has expired" });

class OrderStream {
  readonly reader: Reader;
  readonly #res: ServerResponse;
  #version: number;
  #hinted = false;
  #expired = false;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(res: ServerResponse, reader: Reader, version: number) {
    this.#res = res;
    this.reader = reader;
    this.#version = version;
  }

  /** Reads, sends, waits, until it is closed. The first read comes before the header, so that a refusal is a problem. */
  async run(): Promise<void> {
    let events = await this.#resume();
    if (this.#closed && !this.#res.destroyed) throw this.#expired ? tokenExpired() : gatewayErrors.STOPPING();
    if (this.#closed) return;
    if (events === "over") return void this.#res.writeHead(204, { "Cache-Control": "no-store" }).end();
    this.#res.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-store, no-transform",
      "X-Accel-Buffering": "no",
    });
    this.#res.write("retry: 2000\n\n");
    const heartbeat = setInterval(() => {
      if (!this.#res.writableNeedDrain) this.#res.write(":\n\n");
    }, limits.heartbeatMs);
    try {
      while (!this.#closed) {
        for (const event of events) {
          await this.#send(event);
          if (LAST.has(event.type)) return this.end();
        }
        if (events.length === 0) await this.#hint();
        if (this.#closed) return;
        events = await this.#read();
      }
    } finally {
      clearInterval(heartbeat);
    }
  }

  wake(): void {
    this.#hinted = true;
    this.#wake?.();
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  /** Its token has expired. */
  expire(): void {
    this.#expired = true;
    this.end();
  }

  end(retryMs?: number): void {
    if (this.#closed) return;
    this.close();
    if (this.#res.headersSent) this.#res.end(retryMs === undefined ? "" : `retry: ${retryMs}\n\n`);
  }

  /** What comes after the version that the client has seen. Refuses one that the order has not reached. */
  async #resume(): Promise<readonly StatusChange[] | "over"> {
    if (this.#version === 0) return this.#read();
    const [seen, ...events] = await this.#read(this.#version);
    if (seen?.version !== this.#version)
      throw gatewayErrors.BAD_LAST_EVENT_ID({
        field: "Last-Event-ID",
        message: "is past the order's last version",
      });
    return LAST.has(seen.type) ? "over" : events;
  }

  async #read(from: number = this.#version + 1): Promise<readonly StatusChange[]> {
    this.#hinted = false;
    const { id, ctx } = this.reader;
    const { events } = await typedCall(ctx)("orders.timeline", { id, from });
    return events.filter(event => event.version >= from);
  }

  /** Sends one change; a reader that leaves its socket full is cut and resumes by Last-Event-ID. */
  async #send({ type, version, at, data }: StatusChange): Promise<void> {
    if (this.#closed) return;
    this.#version = version;
    const { reason, outOfStock, trackingId } = (data ?? {}) as Record<string, unknown>;
    const status = type.replace(/^order\./, "");
    const text = JSON.stringify({ id: this.reader.id, status, version, at, reason, outOfStock, trackingId });
    if (this.#res.write(`id: ${version}\nevent: ${status}\ndata: ${text}\n\n`)) return;
    await new Promise<void>(resolve => {
      const cut = setTimeout(() => this.#res.destroy(), limits.streamStallMs);
      const done = () => {
        clearTimeout(cut);
        this.#res.off("drain", done).off("close", done);
        resolve();
      };
      this.#res.once("drain", done).once("close", done);
    });
  }

  /** Waits for a hint, or for the poll; hints that come in a burst make one look. */
  async #hint(): Promise<void> {
    await sleep(limits.streamPauseMs);
    if (this.#hinted || this.#closed) return;
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, limits.streamPollMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
