// One request of one route: who asks, may they, what do they send, call, answer. The token is checked before a byte of
// the body is read.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context } from "moleculer";
import type { User } from "../../mixins/contract/index.ts";
import { clientCommandId, COMMAND_ID, isRefusal, Refusal, type Issue } from "../../mixins/kernel/index.ts";
import { ANONYMOUS, type Authenticator, type Verified } from "./authentication.ts";
import { readBody, readText } from "./body.ts";
import { KEY_FIELD, parseKey } from "./idempotency.ts";
import type { OrderStreams } from "./order-streams.ts";
import { send } from "./respond.ts";
import type { Access, ActionTarget, Request, Route } from "./route.ts";

/** What moleculer-web adds to a request. */
export type GatewayRequest = IncomingMessage & {
  readonly $ctx: Context;
  readonly $params: { readonly params?: Record<string, string> };
  readonly originalUrl: string;
};
export interface Exchange {
  readonly authenticator: Authenticator;
  readonly streams: OrderStreams;
}

export async function exchange(
  { authenticator, streams }: Exchange,
  route: Route,
  req: GatewayRequest,
  res: ServerResponse,
): Promise<void> {
  const verified = await identify(authenticator, route.access, req, res);
  const key = "action" in route.target && route.target.idempotent ? parseKey(req.headers) : undefined;
  const signedBy = "action" in route.target ? route.target.signedBy : undefined;
  const body =
    signedBy === undefined
      ? await readBody(req)
      : { body: await readText(req), signature: String(req.headers[signedBy] ?? "") };
  const { user } = verified;
  const request: Request = {
    ...route.read({ path: req.$params.params ?? {}, search: searchOf(req.originalUrl), body }),
    user,
    key,
  };
  // A client that went away before the call was sent asks for nothing any more.
  if (res.destroyed) return;
  (req.$ctx.meta as { user?: User }).user = user;
  if ("stream" in route.target)
    return streams.open(req, res, { id: (request.path as { id: string }).id, ...verified, ctx: req.$ctx });
  const result = await call(req.$ctx, route.target, request);
  if (res.destroyed) return;
  const { status, location, cacheControl } = route.target;
  send(res, status, status === 204 ? undefined : (result ?? null), {
    ...(location && { Location: location(result) }),
    ...(cacheControl && { "Cache-Control": cacheControl }),
  });
}

/** A public route does not look at the token: one that has expired must not keep its owner from logging in again. */
async function identify(
  authenticator: Authenticator,
  access: Access,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<Verified> {
  if (access === "public") return { user: ANONYMOUS, expiresAt: Infinity };
  const { authorization } = req.headers;
  try {
    const verified = await authenticator.authenticate(authorization);
    if (access === "admin" && !verified.user.roles.includes("admin"))
      throw new Refusal("FORBIDDEN", { status: 403, message: "this asks for the role admin" });
    return verified;
  } catch (error) {
    if ((error as { code?: unknown }).code === 401)
      res.setHeader("WWW-Authenticate", authorization === undefined ? "Bearer" : 'Bearer error="invalid_token"');
    throw error;
  }
}

async function call(ctx: Context, { action, params }: ActionTarget, request: Request): Promise<unknown> {
  const { key, user } = request;
  if (key === undefined) return ctx.call(action, params(request));
  try {
    return await ctx.call(action, params(request), {
      headers: { [COMMAND_ID]: clientCommandId(user.id, key) },
    } as object);
  } catch (error) {
    throw inClientsWords(error);
  }
}

/** The runtime names its own field, `commandId`; the client wrote a header. */
function inClientsWords(error: unknown): unknown {
  const { data } = error as { data?: { errors?: readonly Issue[] } };
  if (!isRefusal(error) || !data?.errors?.some(({ field }) => field === COMMAND_ID_FIELD)) return error;
  const errors = data.errors.map(issue => (issue.field === COMMAND_ID_FIELD ? { ...issue, field: KEY_FIELD } : issue));
  return new Refusal(error.type, { message: error.message, status: error.code, errors });
}
const COMMAND_ID_FIELD = "commandId";

const searchOf = (url: string): string => (url.includes("?") ? url.slice(url.indexOf("?") + 1) : "");
