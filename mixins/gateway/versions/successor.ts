// A newer version of the API beside the older one. A route of the newer version is derived from its predecessor: the same
// action, params, access and limits; only the form of requests and answers is another. So no handler is written twice, and
// a change of the action changes both versions.
import type { TProperties } from "typebox";
import { omit } from "../../contract/index.ts";
import { Misconfigured } from "../../kernel/index.ts";
import {
  API,
  placed,
  type ActionTarget,
  type EventSource,
  type Route,
  type TypedRoute,
  type TypesOf,
} from "../route/route.ts";
import type { Representation } from "./envelope.ts";
import { FIELDS } from "./fields.ts";
import { nameTypes, type Shape } from "./shape.ts";

/** A version of the API that takes the place of the one before. The dates are said once, here. */
export interface Version<N extends string = string> {
  /** In the URL: `v2`. */
  readonly name: N;
  /** Day from which the routes of the older version with a successor are deprecated: `2026-12-01`. */
  readonly deprecates: string;
  /** Day on which these may be gone. */
  readonly sunset: string;
}

/** What is another than in the older version. The fields that are left out stay as they are. */
export interface Succession {
  readonly summary?: string;
  /** Of the query, the fields that name a page included: `shape(strictObject(list.params)).drop("page")`. */
  readonly query?: Shape<any, any>;
  readonly body?: Shape<any, any>;
  readonly answer?: Representation<any>;
  /** Params of the action, where another default holds: `asked => ({ sort: "rank", ...asked })`. */
  readonly params?: (asked: any) => object;
  /** Of the data of one event, for an event stream. */
  readonly event?: Shape<any, any>;
}

/**
 * The routes, and after them their successors by line: `{ "GET /loans/:id": { answer: one(loan) } }`. The older routes then
 * say that they are deprecated. Throws Misconfigured for a line that is no route, and for a shape of other fields than
 * the route has.
 */
export function withSuccessors<N extends string, R extends Route, S extends Readonly<Record<string, Succession>>>(
  version: Version<N>,
  routes: readonly R[],
  successions: S,
): (R | SuccessorOf<N, TypesOf<readonly R[]>, S>)[] {
  const prefix = `${API.slice(0, API.lastIndexOf("/"))}/${version.name}`;
  const retires = {
    prefix: API,
    successor: prefix,
    deprecatedAt: dayOf(version.deprecates),
    sunsetAt: dayOf(version.sunset),
  };
  const lineOf = ({ method, url }: Route): string => `${method} ${url.slice(API.length)}`;
  const unknown = Object.keys(successions).find(line => !routes.some(route => lineOf(route) === line));
  if (unknown !== undefined) throw new Misconfigured(`${version.name}: there is no route "${unknown}" to follow`);
  const isFollowed = (route: Route): boolean => Object.hasOwn(successions, lineOf(route));
  const readable = new Set(
    routes
      .filter(route => route.method === "GET" && isFollowed(route) && "action" in route.target)
      .map(({ url }) => url),
  );
  return [
    ...routes.map(route => (isFollowed(route) ? { ...route, retires } : route)),
    ...routes
      .filter(isFollowed)
      .map(route => successor(version.name, prefix, route, successions[lineOf(route)]!))
      .map(route => ({ ...route, ...selfIn(readable, prefix, route) })),
  ] as never;
}

/** The routes of the newer version, with their types: those of the older one where the succession does not say otherwise. */
type SuccessorOf<N extends string, T, S> = {
  [L in keyof S & keyof T & string]: TypedRoute<
    {
      line: L extends `${infer Method} ${infer Path}` ? `${Method} /${N}${Path}` : never;
      path: Of<T[L], "path">;
      query: Newer<S[L], "query", Of<T[L], "query">>;
      body: Newer<S[L], "body", Of<T[L], "body">>;
      refusals: Of<T[L], "refusals"> & string;
    } & (T[L] extends { event: infer E }
      ? { event: Newer<S[L], "event", E> }
      : S[L] extends { readonly answer: Representation<infer B> }
        ? { answer: B; rows: B extends { data: readonly unknown[] } ? "data" : never }
        : { answer: Of<T[L], "answer">; rows: never })
  >;
}[keyof S & keyof T & string];
type Of<T, K> = K extends keyof T ? T[K] : never;
type Newer<S, K extends string, Old> = S extends { readonly [X in K]: Shape<any, infer New> } ? New : Old;

/** An operation on a resource (`POST /loans/:id/return`) answers the resource, which is read further up. */
function selfIn(readable: ReadonlySet<string>, prefix: string, { url }: Route): { self?: string } {
  const isReadable = (path: string): boolean => readable.has(API + path);
  const own = url.slice(prefix.length);
  if (isReadable(own)) return {};
  let path = own;
  while (path !== "" && !isReadable(path)) path = path.slice(0, path.lastIndexOf("/"));
  return path === "" ? {} : { self: prefix + path };
}

function successor(version: string, prefix: string, older: Route, succession: Succession): Route {
  const { summary, query, body, answer, event } = succession;
  const { method, url, access, limit, priority, path, target } = older;
  const rest = url.slice(API.length);
  const line = `${method} ${rest}`;
  const own = {
    query: formOf(line, "query", omit(older.query, FIELDS) as TProperties, query),
    body: formOf(line, "body", older.body, body),
  };
  for (const form of [own, answer?.returns, event?.schema]) nameTypes(form, version);
  const spec = { summary: summary ?? older.summary, access, limit, priority, path, ...own };
  const newer = placed(line, spec, { prefix, takesFields: "action" in target, former: Object.keys(older.query) });
  return {
    ...newer,
    version,
    read(raw) {
      const { query: asked, body: sent, ...places } = newer.read(raw);
      return {
        ...places,
        asked,
        query: query ? query.toOld(asked) : asked,
        body: body ? body.toOld(sent) : sent,
      };
    },
    ...namesOf(body, query, answer),
    target:
      "stream" in target ? { stream: newerStream(target.stream, event) } : newerAction(target, prefix, succession),
  };
}

/** The fields of one place in the newer version. */
function formOf(line: string, place: string, fields: TProperties, shape: Shape<any, any> | undefined): TProperties {
  if (!shape) return fields;
  const [had, expected] = [Object.keys(shape.from.properties), Object.keys(fields)].map(names =>
    names.sort().join(", "),
  );
  if (had !== expected)
    throw new Misconfigured(`${line}: the shape of the ${place} is of ${had}, the route has ${expected}`);
  return shape.schema.properties;
}

function newerAction(target: ActionTarget, prefix: string, { answer, params }: Succession): ActionTarget {
  const { location, contentLocation } = target;
  const moved = (to: string): string => (to.startsWith(`${API}/`) ? prefix + to.slice(API.length) : to);
  return {
    ...target,
    ...(params && { params: request => params(target.params(request)) }),
    location: location && (result => moved(location(result))),
    contentLocation: contentLocation === undefined ? undefined : moved(contentLocation),
    representation: answer,
  };
}

const newerStream = (source: EventSource, event: Shape<any, any> | undefined): EventSource =>
  event ? { ...source, event: event.schema, data: (...args) => event.toNew(source.data(...args)) as object } : source;

/** A service names the fields of its own form in a refusal: the body's, the query's, or the resource's. */
function namesOf(...forms: readonly ({ nameNew(field: string): string } | undefined)[]): Pick<Route, "nameNew"> {
  const renaming = forms.filter(form => form !== undefined);
  if (renaming.length === 0) return {};
  return {
    nameNew: field => {
      for (const form of renaming) {
        const name = form.nameNew(field);
        if (name !== field) return name;
      }
      return field;
    },
  };
}

function dayOf(day: string): number {
  const moment = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : NaN;
  if (Number.isNaN(moment)) throw new Misconfigured(`"${day}" is no day: 2026-12-01`);
  return moment;
}
