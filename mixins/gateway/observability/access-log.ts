// The access log: one line of the log for a request that changes something or fails, and for a share of the reads that
// succeed. It has no token, no cookie, no query, no body and no path, whose text would be the client's choice: the route's
// pattern stands for it.
//
// Its lines are collected and written together, at once with the next line of another kind. What comes while a slow reader of
// stdout leaves no room is dropped, and counted in the next line that is written.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { addressOf, requestId } from "../../http/siblings.ts";
import type { ProcessLog } from "../../log/index.ts";
import type { GatewayRequest } from "../exchange.ts";
import { spanOf } from "./request-spans.ts";

export interface AccessLogOptions {
  /** The share of successful reads that have a line, 0 to 1. */
  readonly share: number;
  /** Proxies before the gateway; see `addressOf`. */
  readonly proxies: number;
  /** The name of this node. */
  readonly node: string;
  readonly log: Pick<ProcessLog, "access">;
}

/** The share in ACCESS_LOG; undefined for `off`. */
export const shareOf = (setting: string): number | undefined =>
  setting === "off" ? undefined : setting === "on" ? 1 : Number(setting);

export class AccessLog {
  readonly #share: number;
  readonly #proxies: number;
  readonly #logger: Logger;

  constructor({ share, proxies, node, log }: AccessLogOptions) {
    this.#share = share;
    this.#proxies = proxies;
    this.#logger = log.access.child({ node });
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
      this.#logger.info({
        method,
        route,
        status,
        // Header included. A connection serves one request at a time.
        bytes: socket.bytesWritten - before,
        ms: Math.round(milliseconds * 100) / 100,
        ...(user?.id && { user: user.id }),
        requestId: requestId(req),
        ...traceOf(req),
        address: addressOf(req, this.#proxies),
        ...(!res.writableFinished && { aborted: true }),
      });
    };
  }
}

const READS = new Set(["GET", "HEAD", "OPTIONS"]);

/** Where the request's span is to be found. Not what the client's `traceparent` says, which may be none that we go on with. */
function traceOf(req: IncomingMessage): { traceId: string; spanId: string } | undefined {
  const [, traceId, spanId] = spanOf(req)?.traceparent.split("-") ?? [];
  return traceId === undefined ? undefined : { traceId, spanId: spanId! };
}
