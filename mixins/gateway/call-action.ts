// Calls the route's action, and makes its answer one of HTTP. The client's key becomes the command's id: a repeat gets the
// answer that the service has recorded.
//
// A recorded refusal wrote nothing, so its client may try again under the same key. The record of a command id never
// changes: the next attempt has an id of its own, made of the key and its number. A repeat asks from the first id on, one
// after the other, past every refusal that was recorded before. So all repeats, on any gateway and whatever was lost, meet
// the same ids in the same order, and the first one that was accepted is the answer for ever. A refusal that is new ends
// the request: only a repeat makes another attempt.
import type { ServerResponse } from "node:http";
import type { Context } from "moleculer";
import { clientCommandId, COMMAND_ID, isRefusal, REPLAYED } from "../kernel/index.ts";
import type { Answer, Step } from "./exchange.ts";
import { inClientsWords } from "./idempotency/key.ts";
import { limits } from "./limits.ts";
import type { ActionTarget, Request } from "./route/route.ts";

export const callAction =
  (): Step =>
  async ({ route, req, res, request }) => {
    const target = route.target as ActionTarget;
    const result = await call(req.$ctx, res, target, request);
    return answerOf(target, result);
  };

/** The answer over HTTP, of what the action has answered. */
export function answerOf(target: ActionTarget, result: unknown): Answer {
  const { status, location, cacheControl, contentLocation } = target;
  const headers = {
    ...(location && { Location: location(result) }),
    ...(cacheControl && { "Cache-Control": cacheControl }),
    ...(contentLocation && { "Content-Location": contentLocation }),
  };
  return { status, headers, body: status === 204 ? undefined : (result ?? null), result };
}

async function call(
  ctx: Context,
  res: ServerResponse,
  { action, params, idempotent }: ActionTarget,
  request: Request,
): Promise<unknown> {
  const { key, user } = request;
  if (key === undefined || !idempotent) return ctx.call(action, params(request));
  const command = params(request);
  for (let attempt = 0; ; attempt++) {
    const commandId = clientCommandId(user.id, key, attempt);
    const isReplay = () => (ctx.meta as { [REPLAYED]?: unknown })[REPLAYED] === commandId;
    try {
      const result = await ctx.call(action, command, { headers: { [COMMAND_ID]: commandId } } as object);
      if (isReplay()) res.setHeader("Idempotency-Replayed", "true");
      return result;
    } catch (error) {
      const isRecorded = isReplay() && isRefusal(error);
      if (isRecorded && attempt + 1 < limits.attemptsPerKeyMax) continue;
      if (isRecorded) res.setHeader("Idempotency-Replayed", "true");
      throw inClientsWords(error, isRecorded);
    }
  }
}
