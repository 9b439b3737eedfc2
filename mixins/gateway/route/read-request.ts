// Reads the request: the client's conditions and key, the body, then path, query and body by the route's schemas.
import { SESSION_FIELD, withoutSession } from "../auth/session-cookies.ts";
import type { Answer, Exchange, GatewayRequest, Step } from "../exchange.ts";
import { conditionsOf, refuseConditions } from "../cache/conditions.ts";
import { mediaTypeOf, MERGE_PATCH, readBody, readText, type Body } from "../../http/siblings.ts";
import { parseKey, takesKey } from "../idempotency/key.ts";
import type { Request } from "./route.ts";

export const readRequest = (): Step => (exchange, next) => {
  const { route, req } = exchange;
  const target = "action" in route.target ? route.target : undefined;
  const key = takesKey(route) ? parseKey(req.headers) : undefined;
  const conditions = conditionsOf(req.headers);
  if (conditions && req.method !== "GET" && !target?.versioned) refuseConditions(conditions);
  exchange.conditions = conditions;
  const take = (sent: Body): Promise<Answer | undefined> => {
    exchange.request = requestOf(exchange, key, sent);
    const { email } = exchange.request.body as { email?: unknown };
    if (route.access === "public" && typeof email === "string") req.$email = email;
    // No call for a client that left before it.
    return exchange.res.destroyed ? Promise.resolve(undefined) : next();
  };
  const sent = target?.signedBy === undefined ? readBody(req) : signedBody(req, target.signedBy);
  return sent instanceof Promise ? sent.then(take) : take(sent);
};

/** The body as it was sent, with its signature. */
const signedBody = async (req: GatewayRequest, signedBy: string): Promise<Body> => ({
  body: { body: await readText(req), signature: String(req.headers[signedBy] ?? "") },
  isPlain: false,
});

function requestOf({ route, req, caller, conditions }: Exchange, key: string | undefined, sent: Body): Request {
  const keepsNull = mediaTypeOf(req.headers["content-type"]) === MERGE_PATCH;
  const asked = searchOf(req.originalUrl);
  const search = SESSION_FIELD in route.query ? asked : withoutSession(asked);
  return {
    ...route.read({ path: req.$params.params ?? {}, search, ...sent, keepsNull }),
    user: caller.user,
    key,
    conditions: conditions && req.method !== "GET" ? { if: conditions } : {},
  };
}

const searchOf = (url: string): string => (url.includes("?") ? url.slice(url.indexOf("?") + 1) : "");
