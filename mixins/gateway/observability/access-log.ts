// The access log: one JSON line on stdout for a request that changes something or fails, and for a share of the reads that
// succeed. It has no token, no cookie, no query, no body and no path, whose text would be the client's choice: the route's
// pattern stands for it.
//
// Writing never waits. Lines are collected and written in the background; what comes while a slow reader of stdout leaves
// no room is dropped, and counted in the next line that is written.
import type { IncomingMessage, ServerResponse } from "node:http";
import { pino, type DestinationStream, type Logger } from "pino";
import type { GatewayRequest } from "../exchange.ts";
import { addressOf, requestId } from "../../http/siblings.ts";
import { limits } from "../limits.ts";

export interface AccessLogOptions {
  /** The share of successful reads that have a line, 0 to 1. */
  readonly share: number;
  /** Proxies before the gateway; see `addressOf`. */
  readonly proxies: number;
  /** For tests: where lines go. Default: stdout. */
  readonly to?: DestinationStream;
}

/** The share in ACCESS_LOG; undefined for `off`. */
export const shareOf = (setting: string): number | undefined =>
  setting === "off" ? undefined : setting === "on" ? 1 : Number(setting);

type Destination = ReturnType<typeof pino.destination>;

export class AccessLog {
  readonly #share: number;
  readonly #proxies: number;
  readonly #stdout: Destination | undefined;
  readonly #logger: Logger;
  #dropped = 0;

  constructor({ share, proxies, to }: AccessLogOptions) {
    this.#share = share;
    this.#proxies = proxies;
    this.#stdout = to ? undefined : stdout(() => this.#dropped++);
    this.#logger = pino(
      // Its mark stands in place of a level, which every line would have alike.
      { base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: () => ({ log: "access" }) } },
      to ?? this.#stdout!,
    );
  }

  /** Lines that were dropped since the last one that was written. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * To be called as a request begins. The returned function is called as its connection is free again, with the pattern
   * of its route.
   */
  begin(req: IncomingMessage, res: ServerResponse): (route: string, milliseconds: number) => void {
    const { socket, method = "" } = req;
    const before = socket.bytesWritten;
    return (route, milliseconds) => {
      const { statusCode: status } = res;
      if (status < 400 && READS.has(method) && Math.random() >= this.#share) return;
      const { $ctx } = req as Partial<GatewayRequest>;
      const { user } = ($ctx?.meta ?? {}) as { user?: { id: string } };
      const dropped = this.#dropped;
      this.#dropped = 0;
      this.#logger.info({
        method,
        route,
        status,
        // Header included. A connection serves one request at a time.
        bytes: socket.bytesWritten - before,
        ms: Math.round(milliseconds * 100) / 100,
        ...(user?.id && { user: user.id }),
        requestId: requestId(req),
        traceId: traceIdOf(req) ?? $ctx?.requestID,
        address: addressOf(req, this.#proxies),
        ...(!res.writableFinished && { aborted: true }),
        ...(dropped > 0 && { dropped }),
      });
      // The line that says how many were dropped was dropped itself.
      if (this.#dropped > 0) this.#dropped += dropped;
    };
  }

  /** Writes the lines that wait, or gives up after a while: stdout may have no reader any more. */
  async stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const giveUp = setTimeout(resolve, limits.accessLogStopMs);
    if (this.#stdout) this.#stdout.flush(() => resolve());
    else resolve();
    await promise;
    clearTimeout(giveUp);
  }
}

const READS = new Set(["GET", "HEAD", "OPTIONS"]);

function stdout(onDrop: () => void): Destination {
  const { accessLogBufferBytes: minLength, accessLogBytesMax: maxLength, accessLogFlushMs: periodicFlush } = limits;
  const destination = pino.destination({ dest: 1, sync: false, minLength, maxLength, periodicFlush });
  destination.on("drop", onDrop);
  // Nobody reads stdout any more, or its disk is full: that must not end the gateway.
  destination.on("error", () => {});
  // It would be called as the process exits, and tries for ever while the disk is full. A stop has written all lines by then;
  // a crash loses those of the last half second.
  destination.flushSync = () => {};
  return destination;
}

/** The trace that the client's request belongs to (W3C Trace Context), if it says so. */
function traceIdOf({ headers: { traceparent } }: IncomingMessage): string | undefined {
  const [, id] = (typeof traceparent === "string" && /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent)) || [];
  return id;
}
