// Calls the route's action, and makes its answer one of HTTP. The client's key becomes the command's id: a repeat gets the
// answer that the service has recorded.
import type { ServerResponse } from "node:http";
import type { Context } from "moleculer";
import { clientCommandId, COMMAND_ID, isRefusal, REPLAYED } from "../kernel/index.ts";
import { setField } from "../http/siblings.ts";
import type { Answer, Step } from "./exchange.ts";
import { inClientsWords } from "./idempotency/key.ts";
import type { ActionTarget, Request } from "./route/route.ts";

export const callAction =
  (): Step =>
  ({ route, req, res, request }) => {
    const target = route.target as ActionTarget;
    return call(req.$ctx, res, target, request).then(result => answerOf(target, result));
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
  const commandId = clientCommandId(user.id, key);
  const isReplay = () => (ctx.meta as { [REPLAYED]?: unknown })[REPLAYED] === commandId;
  try {
    const result = await ctx.call(action, params(request), { headers: { [COMMAND_ID]: commandId } } as object);
    if (isReplay()) setField(res, "Idempotency-Replayed", "true");
    return result;
  } catch (error) {
    if (isReplay() && isRefusal(error)) setField(res, "Idempotency-Replayed", "true");
    throw inClientsWords(error, isReplay());
  }
}
