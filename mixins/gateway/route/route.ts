// A route says where each param of an action comes from: schemas of what the client may send in path, query and body,
// and one function from these to the action's params. Nothing else reaches the action. Routes are typed by action name:
// a route to a removed action, or with params that the action does not take, does not compile.
import type { Static, TProperties, TSchema } from "typebox";
import {
  callErrors,
  compileParams,
  strictObject,
  type ActionName,
  type Check,
  type Conditions,
  type Data,
  type EventName,
  type ParamsOf,
  type RefusalsOf,
  type ResultOf,
  type Role,
  type User,
} from "../../contract/index.ts";
import type { Issue } from "../../kernel/index.ts";
import type { Priority } from "../admission/priority.ts";
import { checkPolicy, type CachePolicy } from "../cache/cache-policy.ts";
import type { RateClass } from "../limits/rate-class.ts";
import { limits } from "../limits.ts";
import type { Representation } from "../versions/envelope.ts";
import { Fields, FIELDS } from "../versions/fields.ts";
import { brokenTextIn, isPlainUtf8 } from "./text.ts";

/** The users that a route answers: everybody, any user that is logged in, or users with one of these roles. */
export type Access = "public" | "user" | Role | readonly Role[];

/** Roles of which the user needs one; an empty list = none is needed. */
export function rolesFor(access: Access): readonly string[] {
  if (access === "public" || access === "user") return [];
  return typeof access === "string" ? [access] : access;
}

/** A request as a route's functions get it: each field from its declared place, checked. */
export interface Request<P = unknown, Q = unknown, B = unknown> {
  readonly path: P;
  readonly query: Q;
  readonly body: B;
  readonly user: User;
  /**
   * The conditions of a change, as the param of an action that changes a `versioned` resource; empty for other routes.
   */
  readonly conditions: { readonly if?: Conditions };
  /** The client's Idempotency-Key, on routes that change something and are not public. */
  readonly key: string | undefined;
  /** The value of the session's cookie, on routes that open or close a session. */
  readonly session?: string | undefined;
  /** `?fields=` of a read, as the client wrote it. */
  readonly fields?: string | undefined;
  /** The query by the names of a newer version; `query` has those of the action. */
  readonly asked?: unknown;
}

interface Places<P extends TProperties, Q extends TProperties, B extends TProperties> {
  /** One line for the API's documentation. */
  readonly summary: string;
  /** Default `user`: any user that is logged in. */
  readonly access?: Access;
  /** Whether an API key opens it, if its scopes do. Default true; false: only a person does what an account stands on. */
  readonly keys?: boolean;
  /** How often it may be asked; default by its kind: see `limits/rate-class.ts`. */
  readonly limit?: RateClass | undefined;
  /** Importance when the gateway is overloaded: the least important is refused first. See `admission/priority.ts`. */
  readonly priority?: Priority | undefined;
  readonly path?: P;
  readonly query?: Q;
  readonly body?: B;
  /** A body for the API's description. Default: one made from the schema. */
  readonly example?: object;
}
type Status = 200 | 201 | 202 | 204;
interface Answers<A extends ActionName, F extends string, S extends Status> {
  /** Default 200; 204 sends no body. */
  readonly status?: S;
  /** The field of the answer that has the rows of a list: pages link to each other, and come as CSV too. */
  readonly list?: F & keyof ResultOf<A>;
  /**
   * The field of the answer that has lines of text, of an action that answers by pages (`cursor`, `nextCursor`). A client gets
   * the lines of all pages as NDJSON while they are read, or one page as JSON if it prefers that.
   */
  readonly lines?: F & keyof ResultOf<A>;
  /**
   * One hint of an action that answers `{ hints }` (see `sse/hints.ts`) and takes `topics`, as clients get it. A client that
   * asks for events gets those hints that change, as long as it stays; one that prefers JSON, the answer.
   */
  readonly hints?: TSchema;
  /** `Location` of the resource that was made. */
  readonly location?: (result: ResultOf<A>) => string;
  /** Default `private, no-store`. */
  readonly cacheControl?: string;
  /** Whether and for how long the gateway, and caches before it, may keep the answer; for reads. */
  readonly cache?: CachePolicy<ResultOf<A>>;
  /**
   * Tags of kept answers that a change makes untrue, for the client that reads them right after it through this gateway.
   * The owner of the resource tells all gateways; see `announceChange`.
   */
  readonly invalidates?: (result: ResultOf<A> | undefined, request: Request<any, any, any>) => readonly string[];
  /**
   * Whether the answer has a version: it gets an ETag, and Last-Modified if it has `updatedAt`. For a change: whether the
   * action takes `conditions`; a client that names conditions for any other change is refused (412).
   */
  readonly versioned?: boolean;
  /** `Content-Location` of the answer, where the request names another resource. */
  readonly contentLocation?: string;
  /**
   * The header with the signature of the body: the route's own `body` is then `{ body, signature }`, byte for byte as
   * it was sent.
   */
  readonly signedBy?: string;
  /**
   * Whether the action is an actor's command: the client's Idempotency-Key becomes the command's id, so that the service
   * itself gives a repeat the first answer. Every other route that changes something takes a key too, and the gateway
   * keeps its answers; see `idempotency/answer-once.ts`.
   */
  readonly idempotent?: boolean;
  /**
   * Whether the action opens or closes a browser session: the gateway sets or clears its cookie. A body field `for` names
   * the session. The route is closed to pages of other sites.
   */
  readonly session?: "open" | "close";
  /** Whether the answer holds a secret: it is not kept for a repeat of its Idempotency-Key. */
  readonly secret?: boolean;
}

export interface Route {
  readonly method: string;
  /** In moleculer-web's syntax: `/api/v1/loans/:id`. */
  readonly url: string;
  readonly summary: string;
  readonly access: Access;
  readonly keys: boolean;
  readonly limit: RateClass | undefined;
  readonly priority: Priority | undefined;
  readonly path: TProperties;
  readonly query: TProperties;
  readonly body: TProperties;
  readonly example: object | undefined;
  /** Reads path, query and body by their schemas. Refuses (422) with every issue, or a malformed path or query. */
  readonly read: (raw: {
    path: Record<string, string>;
    search: string;
    body: unknown;
    /** Whether the body is known to hold no text that could not be stored as it was sent. */
    isPlain?: boolean;
    /** Whether `null` is a value: a merge patch (RFC 7396) removes by it. Otherwise a null field counts as absent. */
    keepsNull?: boolean;
  }) => Pick<Request, "path" | "query" | "body" | "fields" | "asked">;
  /** Version of the API: `v2`; none for the first. */
  readonly version?: string;
  /** For a route with a successor: since when, until when (milliseconds since the epoch) and where. */
  readonly retires?: {
    readonly deprecatedAt: number;
    readonly sunsetAt: number;
    /** The URLs of both versions begin so: `/api/v1`, `/api/v2`. */
    readonly prefix: string;
    readonly successor: string;
  };
  /** The URL of the resource that the answer has, in a newer version, where this one's own cannot be read by GET. */
  readonly self?: string;
  /** The name in this version of a field that the action's errors name. */
  readonly nameNew?: (field: string) => string;
  /** An action that is called, or one whose events are streamed. */
  readonly target: ActionTarget | { readonly stream: EventSource };
}
export interface ActionTarget {
  readonly action: ActionName;
  readonly params: (request: Request<any, any, any>) => object;
  readonly status: number;
  readonly location: ((result: any) => string) | undefined;
  readonly cacheControl: string | undefined;
  readonly cache: CachePolicy<any> | undefined;
  readonly invalidates: ((result: any, request: Request<any, any, any>) => readonly string[]) | undefined;
  readonly contentLocation: string | undefined;
  readonly versioned: boolean;
  readonly idempotent: boolean;
  readonly secret: boolean;
  readonly signedBy: string | undefined;
  readonly session: "open" | "close" | undefined;
  readonly list: string | undefined;
  readonly lines: string | undefined;
  readonly hints: TSchema | undefined;
  /** The form of the answer in a newer version; as the action gives it without one. */
  readonly representation: Representation | undefined;
}

/**
 * A route as typed clients see it. `types` is there for the compiler alone: no route has it. `line` is that of the route, after
 * the version's own part of the URL in a later version (`GET /v2/loans`); `rows` is the field of the answer that has the rows
 * of a list, `event` the data of one event of a stream.
 */
export interface TypedRoute<T extends RouteTypes = RouteTypes> extends Route {
  readonly types?: T;
}
export interface RouteTypes {
  readonly line: string;
  readonly path: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly answer?: unknown;
  readonly rows?: string;
  readonly event?: unknown;
  /** Codes with which its action may refuse. */
  readonly refusals: string;
}
/** The types of routes, by line. */
export type TypesOf<R extends readonly Route[]> = {
  [X in R[number] as LineOf<X>]: X extends TypedRoute<infer T> ? T : never;
};

/** Routes whose types nobody knows have no line. */
type LineOf<X> = X extends TypedRoute<infer T> ? (string extends T["line"] ? never : T["line"]) : never;

/** An event in the answer of a history. */
export interface StreamedEvent {
  readonly type: string;
  /** Index in the actor's stream, from 1. */
  readonly version: number;
  /** RFC 3339. */
  readonly at: string;
  readonly data: unknown;
}
interface Streams<A extends ActionName, P extends TProperties, E extends TSchema> extends Places<P, {}, {}> {
  /** Singular name of the events' actor, the prefix of their types. */
  readonly actor: string;
  /** Types that end the actor's history: the stream ends with them. */
  readonly last: readonly EventName[];
  /** Params of the action but `from`, which the gateway sets: the version at which the answer begins. */
  readonly params: (request: Request<Data<P>, {}, {}>) => Omit<ParamsOf<A>, "from">;
  /** The data of one event as the client sees it, for the types of clients. */
  readonly event?: E;
  readonly data: (event: StreamedEvent, request: Request<Data<P>, {}, {}>) => EventOf<E>;
}
type EventOf<E extends TSchema> = unknown extends Static<E> ? object : Static<E> & object;

/** The action that an event stream reads, and the part of each event that it sends. */
export interface EventSource {
  readonly action: ActionName;
  readonly actor: string;
  readonly last: ReadonlySet<string>;
  readonly params: (request: Request<any, any, any>) => object;
  readonly data: (event: StreamedEvent, request: Request<any, any, any>) => object;
  /** Of `data`, if the route declares it. */
  readonly event?: TSchema | undefined;
}

/** The URL of every route begins with this, except those of lines that begin with `/.`. */
export const API = "/api/v1";

/** `route("POST /loans", "loans.open", { …, params: ({ body, user }) => … })` */
export function route<
  const L extends string,
  A extends ActionName,
  P extends TProperties = {},
  Q extends TProperties = {},
  B extends TProperties = {},
  const F extends string = never,
  S extends Status = 200,
>(
  line: L,
  action: A,
  spec: Places<P, Q, B> &
    Answers<A, F, S> & { readonly params: (request: Request<Data<P>, Data<Q>, Data<B>>) => ParamsOf<A> },
): TypedRoute<{
  line: L;
  path: Data<P>;
  query: Data<Q>;
  body: Data<B>;
  answer: S extends 204 ? undefined : ResultOf<A>;
  rows: F;
  refusals: RefusalsOf<A>;
}> {
  const { params, status = 200, location, cacheControl, cache, invalidates, contentLocation } = spec;
  const { versioned = false, idempotent = false, secret = false, signedBy, session, list, lines, hints } = spec;
  checkPolicy(line, spec.access, cache);
  const answers = {
    status,
    location,
    cacheControl,
    cache,
    invalidates,
    contentLocation,
    versioned,
    idempotent,
    secret,
    signedBy,
    session,
    list,
    lines,
    hints,
  };
  const target = { action, params, ...answers, representation: undefined };
  return { ...placed(line, spec, { takesFields: true }), target };
}

/**
 * A route whose answer is one actor's events as server-sent events, from the first or from the one after `Last-Event-ID`
 * until one of `last`. The action is the actor's `history`, or one of the service's own that answers `{ events }` from the
 * version `from` on; it decides about access, since it is called for each read as the user of the request.
 * `eventStream("GET /loans/:id/stream", "loans.history", { actor: "loan", last: ["loan.returned"], … })`
 */
export function eventStream<
  const L extends string,
  A extends ActionName,
  P extends TProperties = {},
  E extends TSchema = TSchema,
>(
  line: L,
  action: A & (ResultOf<A> extends { readonly events: readonly StreamedEvent[] } ? unknown : never),
  spec: Streams<A, P, E>,
): TypedRoute<{ line: L; path: Data<P>; query: {}; body: {}; event: EventOf<E>; refusals: RefusalsOf<A> }> {
  const { actor, last, params, data, event } = spec;
  return { ...placed(line, spec), target: { stream: { action, actor, last: new Set(last), params, data, event } } };
}

/** Whether an answer may take as long as its client stays: events or hints as they come, or all pages of a list. */
export const isLasting = ({ target }: Pick<Route, "target">): boolean =>
  "stream" in target || target.lines !== undefined || target.hints !== undefined;

/** The full name of the service that a route calls. */
export function serviceOf({ target }: Route): string {
  const { action } = "stream" in target ? target.stream : target;
  return action.slice(0, action.lastIndexOf("."));
}

interface Placing {
  readonly prefix?: string;
  readonly takesFields?: boolean;
  /**
   * Fields that the query of an older version has. A public read ignores unknown ones; but these mean something to their
   * client, which would read the first page for ever: they are refused.
   */
  readonly former?: readonly string[];
}

/** For siblings: the places of a route's fields, and the check of what a client sends in them. */
export function placed(
  line: string,
  spec: Places<TProperties, TProperties, TProperties>,
  { prefix = API, takesFields = false, former = [] }: Placing = {},
): Omit<Route, "target"> {
  const [method, url] = line.split(" ") as [string, string];
  const { summary, access = "user", keys = true, limit, priority, path = {}, body = {}, example } = spec;
  // Every read answers some of its fields only, if it is asked to; the action does not know of it.
  const query = method === "GET" && takesFields ? { ...spec.query, [FIELDS]: Fields } : (spec.query ?? {});
  const shape = strictObject(body);
  const known: ReadonlySet<string> = new Set([...Object.keys(query), ...former]);
  const isPublicRead = method === "GET" && access === "public";
  const checkOf = (place: "path" | "query" | "body", properties: TProperties): Check =>
    compileParams(strictObject(properties), `${line}: ${place}`);
  const checks = { path: checkOf("path", path), query: checkOf("query", query), body: checkOf("body", body) };
  return {
    method,
    url: url.startsWith("/.") ? url : `${prefix}${url}`,
    summary,
    access,
    keys,
    limit,
    priority,
    path,
    query,
    body,
    example,
    read(raw) {
      if (typeof raw.body !== "object" || raw.body === null || Array.isArray(raw.body))
        throw callErrors.VALIDATION_ERROR({ field: "body", message: "must be an object" });
      const search = isPublicRead ? knownPart(raw.search, known) : raw.search;
      if (search.split("&", limits.queryFieldsMax + 1).length > limits.queryFieldsMax)
        throw callErrors.VALIDATION_ERROR({
          field: "query",
          message: `must have at most ${limits.queryFieldsMax} fields`,
        });
      const places = {
        path: convert(path, Object.entries(raw.path)),
        query: convert(query, fieldsOf(search)),
        body: raw.body as Record<string, unknown>,
      };
      if (!raw.keepsNull) dropNulls(places.body, shape);
      dropNamed(places.body, places.path, body);
      const inBody = issuesOf(checks.body(places.body));
      // A body with this many wrong fields fills the answer.
      const isLookedThrough = !raw.isPlain && inBody.length < limits.issuesMax;
      const texts = [places.path, places.query, ...(isLookedThrough ? [places.body] : [])];
      const issues = [
        ...brokenBytesIn(search),
        ...texts.flatMap(place => brokenTextIn(place)),
        ...issuesOf(checks.path(places.path)),
        ...issuesOf(checks.query(places.query)),
        ...inBody,
      ];
      if (issues.length === 0 && method === "PATCH" && Object.keys(places.body).length === 0)
        issues.push({ field: "body", message: "must change something" });
      if (issues.length > 0) throw callErrors.VALIDATION_ERROR({ message: "see errors", errors: issues });
      const { [FIELDS]: fields, ...asked } = places.query;
      return fields === undefined ? places : { ...places, query: asked, fields: fields as string };
    },
  };
}

const fieldsOf = (search: string): [string, string][] => (search === "" ? [] : [...new URLSearchParams(search)]);

/**
 * The part of a query with the fields that a public read has. Advertisers, libraries and caches append others to any link
 * (`utm_source`, `gclid`, `_`), and a link that is followed shows the page that it names. Any other request is refused:
 * there an unknown field is a mistake of a program, which may think that it filters. So is a name that other parsers take
 * for part of a known field (`page[x]`) or of a prototype, here too.
 */
const knownPart = (search: string, known: ReadonlySet<string>): string =>
  search
    .split("&")
    .filter(part => {
      const name = nameIn(part);
      return known.has(/^[^[]*/.exec(name)![0]) || OF_A_PROTOTYPE.test(name);
    })
    .join("&");
const OF_A_PROTOTYPE = /^(?:__proto__$|__proto__\[|constructor\[|prototype\[)/;

/** A name of ASCII letters without its escapes; what any other becomes does not matter, since no field has it. */
function nameIn(part: string): string {
  const at = part.indexOf("=");
  const name = at < 0 ? part : part.slice(0, at);
  return name.includes("%")
    ? name.replaceAll(/%([0-9a-f]{2})/gi, (_escape, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    : name;
}

/**
 * Removes nulls where the schema has an optional field that cannot be null: some clients send null for a field that
 * they do not set. A null that is required, unknown or allowed stays, for the check to report. In place: a body may
 * have thousands of items.
 */
function dropNulls(value: unknown, schema: TSchema): void {
  if (typeof value !== "object" || value === null) return;
  const { items, maxItems = Infinity, properties, required = [] } = schema as ObjectSchema;
  if (Array.isArray(value)) {
    if (items && value.length <= maxItems) for (const item of value) dropNulls(item, items);
  } else if (properties) {
    const fields = value as Record<string, unknown>;
    for (const name in fields) {
      const field = Object.hasOwn(properties, name) ? properties[name]! : undefined;
      if (field === undefined) continue;
      if (fields[name] !== null) dropNulls(fields[name], field);
      else if (!required.includes(name) && !mayBeNull(field)) delete fields[name];
    }
  }
}
interface ObjectSchema {
  readonly items?: TSchema;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly required?: readonly string[];
}
const mayBeNull = (schema: TSchema & { type?: unknown; anyOf?: TSchema[] }): boolean =>
  schema.type === "null" || (schema.anyOf ?? []).some(mayBeNull);

/** A client that sends an answer back has the path's id in the body too: the same id changes nothing. */
function dropNamed(body: Record<string, unknown>, path: Record<string, unknown>, fields: TProperties): void {
  for (const [name, named] of Object.entries(path)) {
    const said = Object.hasOwn(fields, name) ? undefined : body[name];
    if (typeof said === "string" && said.toLowerCase() === String(named).toLowerCase()) delete body[name];
  }
}

const issuesOf = (found: true | Issue[]): Issue[] => (found === true ? [] : found);

/** Fields of the query whose name or value is not UTF-8; none when the whole query is UTF-8. */
const brokenBytesIn = (search: string): Issue[] =>
  isPlainUtf8(search)
    ? []
    : search
        .split("&")
        .filter(part => !isPlainUtf8(part))
        .map(part => ({
          field: [...new URLSearchParams(part).keys()][0] ?? "",
          message: "is not UTF-8, percent-encoded",
        }));

/**
 * Converts text to the types of the schema. Text that does not look like the type stays text, so that the check names
 * the field. A repeated field is refused: readers of a URL do not agree on which value counts.
 */
function convert(properties: TProperties, entries: readonly (readonly [string, string])[]): Record<string, unknown> {
  const values: Record<string, unknown> = Object.create(null);
  for (const [name, text] of entries) {
    if (name in values) throw callErrors.VALIDATION_ERROR({ field: name, message: "is given more than once" });
    const schema = Object.hasOwn(properties, name) ? (properties[name] as TSchema & { type?: unknown }) : undefined;
    if (schema?.type === "integer" && /^-?\d{1,15}$/.test(text)) values[name] = Number(text);
    else if (schema?.type === "boolean" && /^(?:true|false)$/.test(text)) values[name] = text === "true";
    else values[name] = text;
  }
  return values;
}
