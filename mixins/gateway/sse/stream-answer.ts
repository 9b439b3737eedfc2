// The answer of all streams of server-sent events.
import type { ServerResponse } from "node:http";
import { NOT_KEPT } from "../../http/siblings.ts";
import type { Refusal } from "../../kernel/index.ts";
import { gatewayErrors } from "../errors.ts";

export const EVENT_STREAM = "text/event-stream";

export const STREAM_HEADERS = {
  "Content-Type": EVENT_STREAM,
  "Cache-Control": `${NOT_KEPT}, no-transform`,
  "X-Accel-Buffering": "no",
};

/** Ends a stream that has begun. `retryMs`: when its client is to come again, if the server wants to name a time. */
export function endStream(res: ServerResponse, retryMs?: number): void {
  if (res.headersSent) res.end(retryMs === undefined ? "" : `retry: ${retryMs}\n\n`);
}

export const tokenExpired = (): Refusal => gatewayErrors.INVALID_TOKEN({ message: "the access token has expired" });
