// The neighbours of a page (RFC 8288). The first page is the one without a cursor; the next begins after this one, whatever
// was added meanwhile. Each link keeps the other fields of the query.
import type { Request, Route } from "../route/route.ts";
import { FIELDS } from "./fields.ts";

export interface Pages {
  readonly first?: string;
  readonly next?: string;
}
/** Fields of a query that name a page. */
const PLACES: ReadonlySet<string> = new Set(["cursor", "page"]);
const NO_PAGES: Pages = {};

/** The URLs of the next page, and of the first page of a list where another one was asked for. */
export function pagesOf(route: Route, request: Request, result: unknown): Pages {
  const { nextCursor } = (result ?? {}) as { nextCursor?: unknown };
  const hasNext = typeof nextCursor === "string";
  const isList = "action" in route.target && route.target.list !== undefined;
  const isFirst = !isList || (request.query as { cursor?: unknown }).cursor === undefined;
  if (!hasNext && isFirst) return NO_PAGES;
  const path = pathTo(route, request);
  const others = queryOf(route, request, PLACES);
  const first = others.size === 0 ? path : `${path}?${others.toString()}`;
  if (hasNext) others.set("cursor", nextCursor);
  return { ...(!isFirst && { first }), ...(hasNext && { next: `${path}?${others.toString()}` }) };
}

/**
 * The URL at which the answer's resource is read: that of the request, unless it names an operation on the resource. The same  however the request was spelled: caches and entity tags know one answer.
 */
export function selfOf(route: Route, request: Request): string {
  if (route.self !== undefined) return pathTo({ url: route.self }, request);
  const query = queryOf(route, request, NONE);
  const path = pathTo(route, request);
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}
const NONE: ReadonlySet<string> = new Set();

const pathTo = ({ url }: Pick<Route, "url">, { path }: Request): string =>
  url.replaceAll(/:(\w+)/g, (_param, name: string) => encodeURIComponent((path as Record<string, string>)[name]!));

/** The query as it was checked, by the names of the URL's version, in the order in which the route declares them. */
function queryOf(route: Route, { asked, query, fields }: Request, without: ReadonlySet<string>): URLSearchParams {
  const values = (asked ?? query) as Record<string, string | number | boolean | undefined>;
  const result = new URLSearchParams();
  for (const name of Object.keys(route.query)) {
    const value = name === FIELDS ? fields : values[name];
    if (value !== undefined && !without.has(name)) result.set(name, String(value));
  }
  return result;
}

export const linkHeader = ({ next, first }: Pages): string | undefined =>
  [next && `<${next}>; rel="next"`, first && `<${first}>; rel="first"`].filter(Boolean).join(", ") || undefined;
