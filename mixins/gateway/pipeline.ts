// One request of one route, from the router to the answer:
//
//   1. identify   the token, and the role that the route asks for; before a byte of the body is read
//   2. read       conditions, key, body, then path, query and body by the route's schemas
//   3. admit      waits for a place; a client that has left by then gets no call
//   4. call       the action, under the command id that follows from the client's key
//   5. answer     with validators, `Location`, the link to the next page
//
// An event stream leaves after step 2: it has limits of its own. Errors leave as they are thrown; `gateway.ts` turns
// them into problems.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context } from "moleculer";
import { callErrors, type Meta } from "../contract/index.ts";
import { clientCommandId, COMMAND_ID, isRefusal, REPLAYED } from "../kernel/index.ts";
import type { Admission } from "./admission/admission.ts";
import { ANONYMOUS, type Authenticator, type Verified } from "./auth/authentication.ts";
import { addressOf } from "./http/address.ts";
import { readBody, readText } from "./http/body.ts";
import { MERGE_PATCH, mediaTypeOf } from "./http/media-type.ts";
import { pathOf } from "./http/request-guard.ts";
import { send } from "./http/respond.ts";
import { conditionsOf, isUnchanged, refuseConditions, validatorHeaders, validatorsOf } from "./route/conditions.ts";
import { inClientsWords, parseKey } from "./route/idempotency.ts";
import { rolesFor, type Access, type ActionTarget, type Request, type Route } from "./route/route.ts";
import type { EventStreams } from "./sse/event-streams.ts";

/** A request with the fields that moleculer-web adds. */
export type GatewayRequest = IncomingMessage & {
  readonly $ctx: Context;
  readonly $params: { readonly params?: Record<string, string> };
  readonly originalUrl: string;
  /** The e-mail address that a log-in or registration is about; we add it. */
  $email?: string;
};
export interface Pipeline {
  readonly authenticator: Authenticator;
  readonly streams: EventStreams;
  readonly admission: Admission;
  /** Proxies before the gateway. */
  readonly proxies: number;
}

export async function answer(
  { authenticator, streams, admission, proxies }: Pipeline,
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
  // No call for a client that left before it.
  if (res.destroyed) return;
  const address = addressOf(req, proxies);
  Object.assign(req.$ctx.meta as Meta, { user, address });
  if ("stream" in route.target) {
    const source = route.target.stream;
    return streams.open(req, res, { source, request, ...verified, address, ctx: req.$ctx });
  }
  const { target } = route;
  const result = await admission.run(address, res, () => call(req.$ctx, res, target, request));
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

/** A public route ignores the token: an expired one must not keep its owner from logging in again. */
async function identify(authenticator: Authenticator, access: Access, req: GatewayRequest): Promise<Verified> {
  if (access === "public") return { user: ANONYMOUS, expiresAt: Infinity };
  const verified = await authenticator.authenticate(req.headers.authorization);
  // The log names the user of a request that is refused for a missing role.
  (req.$ctx.meta as Meta).user = verified.user;
  requireRole(verified, rolesFor(access));
  return verified;
}

/** Refuses (403) a user without any of these roles; without a list every user may. */
export function requireRole({ user }: Verified, roles: readonly string[]): void {
  if (roles.length > 0 && !roles.some(role => (user.roles as readonly string[]).includes(role)))
    throw callErrors.FORBIDDEN({ message: `this asks for the role ${roles.join(" or ")}` });
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

/** RFC 8288: the URL of the next page, with every other field of this request's query. */
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
