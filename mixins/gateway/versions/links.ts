// The neighbours of a page (RFC 8288). The first page is the one without a cursor; the next begins after this one, whatever
// was added meanwhile. Each link keeps the other fields of the query.
import type { GatewayRequest } from "../exchange.ts";
import { pathOf } from "../http/request-guard.ts";
import type { Route } from "../route/route.ts";

export interface Pages {
  readonly first?: string;
  readonly next?: string;
}
/** Fields of a query that name a page. */
const PLACES: ReadonlySet<string> = new Set(["cursor", "page"]);
const NO_PAGES: Pages = {};

/** The URLs of the next page, and of the first page of a list where another one was asked for. */
export function pagesOf(req: GatewayRequest, { query, target }: Route, result: unknown): Pages {
  const { nextCursor } = (result ?? {}) as { nextCursor?: unknown };
  const hasNext = typeof nextCursor === "string";
  const isList = "action" in target && target.list !== undefined;
  const at = req.originalUrl.indexOf("?");
  const isFirst = !isList || at === -1 || !/[?&]cursor=/.test(req.originalUrl);
  if (!hasNext && isFirst) return NO_PAGES;
  const others = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(at === -1 ? "" : req.originalUrl.slice(at + 1)))
    if (Object.hasOwn(query, name) && !PLACES.has(name)) others.append(name, value);
  const path = pathOf(req);
  const first = others.size === 0 ? path : `${path}?${others.toString()}`;
  if (hasNext) others.set("cursor", nextCursor);
  return { ...(!isFirst && { first }), ...(hasNext && { next: `${path}?${others.toString()}` }) };
}

export const linkHeader = ({ next, first }: Pages): string | undefined =>
  [next && `<${next}>; rel="next"`, first && `<${first}>; rel="first"`].filter(Boolean).join(", ") || undefined;
