// Reads the request: the client's conditions and key, the body, then path, query and body by the route's schemas.
import { SESSION_FIELD, withoutSession } from "../auth/session-cookies.ts";
import type { Step } from "../exchange.ts";
import { conditionsOf, refuseConditions } from "../cache/conditions.ts";
import { mediaTypeOf, MERGE_PATCH, readBody, readText, type Body } from "../../http/siblings.ts";
import { parseKey, takesKey } from "../idempotency/key.ts";

export const readRequest = (): Step => async (exchange, next) => {
  const { route, req, res, caller } = exchange;
  const target = "action" in route.target ? route.target : undefined;
  const key = takesKey(route) ? parseKey(req.headers) : undefined;
  const conditions = conditionsOf(req.headers);
  if (conditions && req.method !== "GET" && !target?.versioned) refuseConditions(conditions);
  const signedBy = target?.signedBy;
  const sent: Body =
    signedBy === undefined
      ? await readBody(req)
      : { body: { body: await readText(req), signature: String(req.headers[signedBy] ?? "") }, isPlain: false };
  const keepsNull = mediaTypeOf(req.headers["content-type"]) === MERGE_PATCH;
  const asked = searchOf(req.originalUrl);
  const search = SESSION_FIELD in route.query ? asked : withoutSession(asked);
  exchange.conditions = conditions;
  exchange.request = {
    ...route.read({ path: req.$params.params ?? {}, search, ...sent, keepsNull }),
    user: caller.user,
    key,
    conditions: conditions && req.method !== "GET" ? { if: conditions } : {},
  };
  const { email } = exchange.request.body as { email?: unknown };
  if (route.access === "public" && typeof email === "string") req.$email = email;
  // No call for a client that left before it.
  return res.destroyed ? undefined : next();
};

const searchOf = (url: string): string => (url.includes("?") ? url.slice(url.indexOf("?") + 1) : "");
