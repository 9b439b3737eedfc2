// What all streams of server-sent events answer.
import { NOT_KEPT } from "../../http/siblings.ts";
import type { Refusal } from "../../kernel/index.ts";
import { gatewayErrors } from "../errors.ts";

export const EVENT_STREAM = "text/event-stream";

export const STREAM_HEADERS = {
  "Content-Type": EVENT_STREAM,
  "Cache-Control": `${NOT_KEPT}, no-transform`,
  "X-Accel-Buffering": "no",
};

export const tokenExpired = (): Refusal => gatewayErrors.INVALID_TOKEN({ message: "the access token has expired" });
