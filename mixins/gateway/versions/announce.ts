// Tells clients of an older version, on every answer of a route that has a successor, refusals included: since when it is
// deprecated (RFC 9745), when it ends (RFC 8594), and where the successor is (RFC 5829).
import type { ServerResponse } from "node:http";
import type { Step } from "../exchange.ts";
import { pathOf } from "../http/request-guard.ts";
import type { GatewayRequest } from "../exchange.ts";
import type { Route } from "../route/route.ts";

export const announceSuccessor = (): Step => (exchange, next) => {
  const { route, req, res } = exchange;
  if (route.retires) announce(route.retires, req, res);
  return next();
};

function announce(
  { deprecatedAt, sunsetAt, prefix, successor }: NonNullable<Route["retires"]>,
  req: GatewayRequest,
  res: ServerResponse,
): void {
  res.setHeader("Deprecation", `@${Math.floor(deprecatedAt / 1_000)}`);
  res.setHeader("Sunset", new Date(sunsetAt).toUTCString());
  res.appendHeader("Link", `<${successor}${pathOf(req).slice(prefix.length)}>; rel="successor-version"`);
}
