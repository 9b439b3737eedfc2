// One request of one route: who asks, may they, what do they send, call, answer. The token is checked before a byte of
// the body is read.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context } from "moleculer";
import { callErrors, type Meta } from "@valence/runtime/contract";
import { clientCommandId, COMMAND_ID, isRefusal, REPLAYED } from "@valence/runtime/kernel";
import { addressOf } from "./address.ts";
import { ANONYMOUS, type Authenticator, type Verified } from "./authentication.ts";
import { readBody, readText } from "./body.ts";
import { conditionsOf, isUnchanged, refuseConditions, validatorHeaders, validatorsOf } from "./conditions.ts";
import { inClientsWords, parseKey } from "./idempotency.ts";
import { MERGE_PATCH, mediaTypeOf } from "./media-type.ts";
import { pathOf } from "./front-door.ts";
import type { OrderStreams } from "./order-streams.ts";
import type { Places } from "./places.ts";
import { send } from "./respond.ts";
import type { Access, ActionTarget, Request, Route } from "./route.ts";

/** What moleculer-web adds to a request. */
export type GatewayRequest = IncomingMessage & {
  readonly $ctx: Context;
  readonly $params: { readonly params?: Record<string, string> };
  readonly originalUrl: string;
  /** Ours: the address that a log-in or registration is about. */
  $email?: string;
};
export interface Exchange {
  readonly authenticator: Authenticator;
  readonly streams: OrderStreams;
  readonly places: Places;
  /** Proxies before the gateway. */
  readonly proxies: number;
}

export async function exchange(
  { authenticator, streams, places, proxies }: Exchange,
  route: Route,
  req: GatewayRequest,
  res: ServerResponse,
): Promise<void> {
  const verified = await identify(authenticator, route.access, req);
  const key = "action" in route.target && route.target.idempotent ? parseKey(req.headers) : undefined;
  const conditions = conditionsOf(req.headers);
  if (conditions && req.method !== "GET" && !("action" in route.target && route.target.versioned))
    refuseConditions(conditions);
  const signedBy = "action" in route.target ? route.target.signedBy : undefined;
  const body =
    signedBy === undefined
      ? await readBody(req)
      : { body: await readText(req), signature: String(req.headers[signedBy] ?? "") };
  const { user } = verified;
  const keepsNull = mediaTypeOf(req.headers["content-type"]) === MERGE_PATCH;
  const request: Request = {
    ...route.read({ path: req.$params.params ?? {}, search: searchOf(req.originalUrl), body, keepsNull }),
    user,
    key,
    conditions: conditions && req.method !== "GET" ? { if: conditions } : {},
  };
  const { email } = request.body as { email?: unknown };
  if (route.access === "public" && typeof email === "string") req.$email = email;
  // A client that went away before the call was sent asks for nothing any more.
  if (res.destroyed) return;
  const address = addressOf(req, proxies);
  Object.assign(req.$ctx.meta as Meta, { user, address });
  if ("stream" in route.target)
    return streams.open(req, res, { id: (request.path as { id: string }).id, ...verified, address, ctx: req.$ctx });
  const { target } = route;
  const result = await places.run(address, res, () => call(req.$ctx, res, target, request));
  if (res.destroyed) return;
  const { status, location, cacheControl, contentLocation, versioned } = target;
  const validators = versioned && status !== 204 ? validatorsOf(result) : undefined;
  const headers = {
    ...(location && { Location: location(result) }),
    ...(cacheControl && { "Cache-Control": cacheControl }),
    ...(contentLocation && { "Content-Location": contentLocation }),
    ...(validators && validatorHeaders(validators)),
    ...linkToNext(req, request, result),
  };
  if (req.method === "GET") {
    if (validators && isUnchanged(req.headers, conditions, validators)) return send(res, 304, undefined, headers);
    if (!validators && conditions?.match) refuseConditions({ match: conditions.match });
  }
  send(res, status, status === 204 ? undefined : (result ?? null), headers);
}

/** A public route does not look at the token: one that has expired must not keep its owner from logging in again. */
async function identify(authenticator: Authenticator, access: Access, req: GatewayRequest): Promise<Verified> {
  if (access === "public") return { user: ANONYMOUS, expiresAt: Infinity };
  const verified = await authenticator.authenticate(req.headers.authorization);
  // Also for the log: of a role that is missing, it says whose.
  (req.$ctx.meta as Meta).user = verified.user;
  if (access === "admin" && !verified.user.roles.includes("admin"))
    throw callErrors.FORBIDDEN({ message: "this asks for the role admin" });
  return verified;
}

async function call(
  ctx: Context,
  res: ServerResponse,
  { action, params }: ActionTarget,
  request: Request,
): Promise<unknown> {
  const { key, user } = request;
  if (key === undefined) return ctx.call(action, params(request));
  const commandId = clientCommandId(user.id, key);
  const isReplay = () => (ctx.meta as { [REPLAYED]?: unknown })[REPLAYED] === commandId;
  try {
    const result = await ctx.call(action, params(request), { headers: { [COMMAND_ID]: commandId } } as object);
    if (isReplay()) res.setHeader("Idempotency-Replayed", "true");
    return result;
  } catch (error) {
    if (isReplay() && isRefusal(error)) res.setHeader("Idempotency-Replayed", "true");
    throw inClientsWords(error, isReplay());
  }
}

/** RFC 8288: where the next page is, with what else was asked for. */
function linkToNext(req: GatewayRequest, { query }: Request, result: unknown): { Link?: string } {
  const { nextCursor } = (result ?? {}) as { nextCursor?: unknown };
  if (typeof nextCursor !== "string") return {};
  const { page: _page, ...asked } = query as Record<string, string | number>;
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(asked)) search.set(name, String(value));
  search.set("cursor", nextCursor);
  return { Link: `<${pathOf(req)}?${search.toString()}>; rel="next"` };
}

const searchOf = (url: string): string => (url.includes("?") ? url.slice(url.indexOf("?") + 1) : "");
