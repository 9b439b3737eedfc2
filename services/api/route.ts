// A route says where each param of an action comes from: its own schema for path, query and body, of what the client
// may send, and one function from there to the action's params. Typed by action name: a route to an action that is
// gone, or with params that it does not take, does not compile.
import type { TProperties, TSchema } from "typebox";
import {
  callErrors,
  compileParams,
  strictObject,
  type ActionName,
  type Check,
  type Conditions,
  type Data,
  type ParamsOf,
  type ResultOf,
  type User,
} from "@valence/runtime/contract";
import type { Issue } from "@valence/runtime/kernel";
import { limits } from "./limits.ts";
import { brokenTextIn, isPlainUtf8 } from "./text.ts";

/** Who may ask: anyone, whoever is logged in, or an administrator. */
export type Access = "public" | "customer" | "admin";

/** What a route's functions get: each field from its declared place, checked. */
export interface Request<P = unknown, Q = unknown, B = unknown> {
  readonly path: P;
  readonly query: Q;
  readonly body: B;
  readonly user: User;
  /** What must be true of the resource, as the param of an action that changes a `versioned` one; else empty. */
  readonly conditions: { readonly if?: Conditions };
  /** The client's Idempotency-Key, on routes that are `idempotent`. */
  readonly key: string | undefined;
}

interface Places<P extends TProperties, Q extends TProperties, B extends TProperties> {
  /** One line for the API's documentation. */
  readonly summary: string;
  /** Default: anyone who is logged in. */
  readonly access?: Access;
  readonly path?: P;
  readonly query?: Q;
  readonly body?: B;
}
interface Answers<A extends ActionName> {
  /** Default 200; 204 sends no body. */
  readonly status?: 200 | 201 | 204;
  /** `Location` of what was made. */
  readonly location?: (result: ResultOf<A>) => string;
  /** Default `no-store`. */
  readonly cacheControl?: string;
  /**
   * Whether what it answers has a version: an ETag, and Last-Modified if it has `updatedAt`. Of a change: whether the
   * action takes `conditions`; those of a client that names them for any other are refused.
   */
  readonly versioned?: boolean;
  /** `Content-Location` of what is answered, where that is not what the request names. */
  readonly contentLocation?: string;
  /** A header that signs the body: the route's own `body` is then `{ body, signature }`, byte for byte as they were sent. */
  readonly signedBy?: string;
  /** Whether an Idempotency-Key is taken: it becomes the command's id, so that a repeat gets the first answer. */
  readonly idempotent?: boolean;
}

export interface Route {
  readonly method: string;
  /** As moleculer-web writes it: `/api/v1/orders/:id`. */
  readonly url: string;
  readonly summary: string;
  readonly access: Access;
  readonly path: TProperties;
  readonly query: TProperties;
  readonly body: TProperties;
  /** Reads path, query and body by their schemas. Refuses (422) with every issue, or a malformed path or query. */
  readonly read: (raw: {
    path: Record<string, string>;
    search: string;
    body: unknown;
    /** Whether `null` stands for itself: a merge patch (RFC 7396) removes by it. Else what is null is not given. */
    keepsNull?: boolean;
  }) => Pick<Request, "path" | "query" | "body">;
  /** An action, or a stream of events by the name of its source. */
  readonly target: ActionTarget | { readonly stream: "order" };
}
export interface ActionTarget {
  readonly action: ActionName;
  readonly params: (request: Request<any, any, any>) => object;
  readonly status: number;
  readonly location: ((result: any) => string) | undefined;
  readonly cacheControl: string | undefined;
  readonly contentLocation: string | undefined;
  readonly versioned: boolean;
  readonly idempotent: boolean;
  readonly signedBy: string | undefined;
}

/** Everything is under this, except lines that begin with `/.`. */
export const API = "/api/v1";

/** `route("POST /cart", "carts.put", { …, params: ({ body, user }) => … })` */
export function route<
  A extends ActionName,
  P extends TProperties = {},
  Q extends TProperties = {},
  B extends TProperties = {},
>(
  line: string,
  action: A,
  spec: Places<P, Q, B> &
    Answers<A> & { readonly params: (request: Request<Data<P>, Data<Q>, Data<B>>) => ParamsOf<A> },
): Route {
  const { params, status = 200, location, cacheControl, contentLocation } = spec;
  const { versioned = false, idempotent = false, signedBy } = spec;
  const answers = { status, location, cacheControl, contentLocation, versioned, idempotent, signedBy };
  return { ...placed(line, spec), target: { action, params, ...answers } };
}

/** A route whose answer is a stream of an order's status changes. */
export const orderStream = <P extends TProperties>(line: string, spec: Places<P, {}, {}>): Route => ({
  ...placed(line, spec),
  target: { stream: "order" },
});

function placed(line: string, spec: Places<TProperties, TProperties, TProperties>): Omit<Route, "target"> {
  const [method, url] = line.split(" ") as [string, string];
  const { summary, access = "customer", path = {}, query = {}, body = {} } = spec;
  const shape = strictObject(body);
  const checks = { path: checkOf(path), query: checkOf(query), body: checkOf(body) };
  return {
    method,
    url: url.startsWith("/.") ? url : `${API}${url}`,
    summary,
    access,
    path,
    query,
    body,
    read(raw) {
      if (typeof raw.body !== "object" || raw.body === null || Array.isArray(raw.body))
        throw callErrors.VALIDATION_ERROR({ field: "body", message: "must be an object" });
      if (raw.search.split("&", limits.queryFieldsMax + 1).length > limits.queryFieldsMax)
        throw callErrors.VALIDATION_ERROR({
          field: "query",
          message: `must have at most ${limits.queryFieldsMax} fields`,
        });
      const places = {
        path: convert(path, Object.entries(raw.path)),
        query: convert(query, meantFields(raw.search, method === "GET" && access === "public")),
        body: raw.body as Record<string, unknown>,
      };
      if (!raw.keepsNull) dropNulls(places.body, shape);
      dropNamed(places.body, places.path, body);
      // A body whose fields are wrong by the dozen is not gone through for its texts as well.
      const inBody = issuesOf(checks.body(places.body));
      const texts = [places.path, places.query, ...(inBody.length < limits.issuesMax ? [places.body] : [])];
      const issues = [
        ...brokenBytesIn(raw.search),
        ...texts.flatMap(place => brokenTextIn(place)),
        ...issuesOf(checks.path(places.path)),
        ...issuesOf(checks.query(places.query)),
        ...inBody,
      ];
      if (issues.length === 0 && method === "PATCH" && Object.keys(places.body).length === 0)
        issues.push({ field: "body", message: "must change something" });
      if (issues.length > 0) throw callErrors.VALIDATION_ERROR({ message: "see errors", errors: issues });
      return places;
    },
  };
}

/** What advertisers and browsers' libraries append to any link: no question to the API. */
const APPENDED = /^(?:utm_\w{1,30}|gclid|gbraid|wbraid|dclid|fbclid|msclkid|_)$/;

const meantFields = (search: string, isPublic: boolean): [string, string][] =>
  [...new URLSearchParams(search)].filter(([name]) => !(isPublic && APPENDED.test(name)));

/**
 * Takes out what is null where the schema has an optional field that cannot be: some clients write so what they do not set.
 * What is required, or unknown, or may be null stays, for the check to tell. In place: a body may have thousands of items.
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

/** An answer that is sent back names in its body what the path names: the same is no change of it. */
function dropNamed(body: Record<string, unknown>, path: Record<string, unknown>, fields: TProperties): void {
  for (const [name, named] of Object.entries(path)) {
    const said = Object.hasOwn(fields, name) ? undefined : body[name];
    if (typeof said === "string" && said.toLowerCase() === String(named).toLowerCase()) delete body[name];
  }
}

const checkOf = (properties: TProperties): Check => compileParams(strictObject(properties));
const issuesOf = (found: true | Issue[]): Issue[] => (found === true ? [] : found);

/** Fields of the query whose name or value is not UTF-8. A whole that is holds none that is not. */
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
 * Text to the types of the schema; what does not look like one stays text, so that the schema names it. A field that
 * is given twice is refused: each reader of a URL picks another of the two.
 */
function convert(properties: TProperties, entries: readonly (readonly [string, string])[]): Record<string, unknown> {
  const values: Record<string, unknown> = Object.create(null);
  for (const [name, text] of entries) {
    if (name in values) throw callErrors.VALIDATION_ERROR({ field: name, message: "is given more than once" });
    const schema = Object.hasOwn(properties, name) ? (properties[name] as TSchema & { type?: unknown }) : undefined;
    values[name] = schema?.type === "integer" && /^-?\d{1,15}$/.test(text) ? Number(text) : text;
  }
  return values;
}
