// Tells clients of an older version, on every answer of a route that has a successor, refusals included: since when it is
// deprecated (RFC 9745), when it ends (RFC 8594), and where the successor is (RFC 5829).
import type { IncomingMessage, ServerResponse } from "node:http";
import { stepFor, type Step } from "../exchange.ts";
import { hasField, pathOf, setField } from "../../http/siblings.ts";
import type { Route } from "../route/route.ts";

export const announceSuccessor = (): Step =>
  stepFor(
    route => route.retires !== undefined,
    async (exchange, next) => {
      const { route, req, res } = exchange;
      const announcement = announcementOf(route.retires!, req);
      // On the response, for refusals and streams too, which make no answer.
      for (const name in announcement) setField(res, name, announcement[name]!);
      const answer = await next();
      if (!answer) return undefined;
      const { Link: own } = answer.headers;
      // A response that is kept for others has no other fields than its answer.
      if (own === undefined && exchange.kept === undefined) return answer;
      const Link = own === undefined ? announcement["Link"]! : `${announcement["Link"]}, ${own}`;
      return { ...answer, headers: { ...answer.headers, ...announcement, Link } };
    },
  );

/** On a refusal that came before the route, or in place of it. */
export function announceOn(res: ServerResponse, req: IncomingMessage, retires: Route["retires"]): void {
  if (!retires || res.headersSent || hasField(res, "Deprecation")) return;
  for (const [name, value] of Object.entries(announcementOf(retires, req))) setField(res, name, value);
}

type Retires = NonNullable<Route["retires"]>;

function announcementOf(retires: Retires, req: IncomingMessage): Readonly<Record<string, string>> {
  const { prefix, successor } = retires;
  return {
    ...datesOf(retires),
    Link: `<${successor}${pathOf(req).slice(prefix.length)}>; rel="successor-version"`,
  };
}

/** The dates as they are written, made once for each route and not for each request. */
const dates = new WeakMap<Retires, Readonly<Record<string, string>>>();
function datesOf(retires: Retires): Readonly<Record<string, string>> {
  let known = dates.get(retires);
  if (!known) {
    const { deprecatedAt, sunsetAt } = retires;
    known = { Deprecation: `@${Math.floor(deprecatedAt / 1_000)}`, Sunset: new Date(sunsetAt).toUTCString() };
    dates.set(retires, known);
  }
  return known;
}
