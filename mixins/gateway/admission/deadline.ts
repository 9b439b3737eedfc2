// `Request-Timeout: 2.5` says for how many seconds the client waits. Whatever the request calls gets the time that is left:
// Moleculer hands it on from call to call and from node to node, and every queue on the way (`entrance.ts`, the bulkhead,
// an actor's mailbox) drops what has become late. Time spent in our own queue and on the body counts.
//
// The outcome says what happened: 503 when a call was not begun in time, 504 when it was begun and not answered.
// Without the header each call has REQUEST_TIMEOUT_MS. An event stream has no end, so the header only has to be well-formed.
import Type from "typebox";
import { callErrors, type CommonParameter } from "../../contract/index.ts";
import { IMPATIENT, nodeEnvironment } from "../../kernel/index.ts";
import { gatewayErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { GatewayRequest, Parts, Step } from "../exchange.ts";

const PATTERN = String.raw`^(?!0+(?:\.0+)?$)\d{1,6}(?:\.\d{1,3})?$`;
const SECONDS = new RegExp(PATTERN);
/** The header, as the API's description has it. */
export const REQUEST_TIMEOUT: CommonParameter = {
  id: "RequestTimeout",
  in: "header",
  name: "Request-Timeout",
  description:
    "Seconds that the client waits, more than 0. What is not begun by then is not done (503); what is not answered by then " +
    "may have taken effect (504).",
  schema: Type.String({ pattern: PATTERN, examples: ["30"] }),
};

export const setDeadline = ({ broker }: Parts): Step => {
  const timeoutMsMax = nodeEnvironment.of(broker).REQUEST_TIMEOUT_MS;
  return ({ route, req }, next) => {
    const given = req.headers["request-timeout"];
    if (given === undefined) return next();
    const askedMs = millisecondsOf(given);
    if ("stream" in route.target) return next();
    const spentMs = req.$turn ? performance.now() - req.$turn.arrivedAt : 0;
    const leftMs = Math.min(askedMs, timeoutMsMax) - spentMs;
    if (leftMs <= 0) throw callErrors.REQUEST_SKIPPED();
    // Moleculer subtracts from `timeout` what has passed since `startHrTime`, whenever this context calls.
    const ctx = req.$ctx as GatewayRequest["$ctx"] & Timed;
    ctx.options.timeout = leftMs;
    ctx.startHrTime = process.hrtime();
    if (askedMs < limits.impatientMs) ctx.headers = { ...ctx.headers, [IMPATIENT]: "1" };
    return next();
  };
};

/** Fields that Moleculer's types leave out. */
interface Timed {
  startHrTime?: [number, number];
  headers?: Record<string, string>;
}

/** Seconds in decimal notation, more than none, as milliseconds. Refuses any other text (400). */
export function millisecondsOf(text: unknown): number {
  if (typeof text === "string" && SECONDS.test(text)) return Number(text) * 1_000;
  throw gatewayErrors.BAD_REQUEST_TIMEOUT({
    field: "Request-Timeout",
    message: "must be seconds, more than 0, as `5` or `2.5`",
  });
}
