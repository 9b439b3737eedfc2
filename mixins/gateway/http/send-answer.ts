// Writes the answer, unless the client has left meanwhile. The response of a cached route is kept for the next request.
import { validatorsIn } from "../cache/validate.ts";
import type { Parts, Step } from "../exchange.ts";
import { send, sendParts, sendUnchanged, TextParts } from "../../http/siblings.ts";
import { limits } from "../limits.ts";

export const sendAnswer =
  ({ responses }: Parts): Step =>
  async (exchange, next) => {
    const answer = await next();
    const { req, res, route, kept } = exchange;
    if (!answer) return undefined;
    if (kept && answer.status === 200) responses.keep(req, route, kept, answer, validatorsIn(exchange, answer));
    if (res.destroyed) return undefined;
    if (answer.body instanceof TextParts) await sendParts(res, answer.body, answer.headers, limits.downloadStallMs);
    else if (answer.isUnchanged) sendUnchanged(res, answer.body, answer.headers);
    else send(res, answer.status, answer.body, answer.headers);
    return undefined;
  };
