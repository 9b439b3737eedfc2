// A route says where each param of an action comes from: its own schema for path, query and body, of what the client
// may send, and one function from there to the action's params. Typed by action name: a route to an action that is
// gone, or with params that it does not take, does not compile.
import type { TProperties, TSchema } from "typebox";
import {
  compileSchema,
  strictObject,
  type ActionName,
  type Check,
  type Data,
  type ParamsOf,
  type ResultOf,
  type User,
} from "../../mixins/contract/index.ts";
import { Refusal, type Issue } from "../../mixins/kernel/index.ts";
import { brokenTextIn, isPlainUtf8 } from "./text.ts";

/** Who may ask: anyone, whoever is logged in, or an administrator. */
export type Access = "public" | "customer" | "admin";

/** What a route's functions get: each field from its declared place, checked. */
export interface Request<P = unknown, Q = unknown, B = unknown> {
  readonly path: P;
  readonly query: Q;
  readonly body: B;
  readonly user: User;
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
  }) => Omit<Request, "user" | "key">;
  /** An action, or a stream of events by the name of its source. */
  readonly target: ActionTarget | { readonly stream: "order" };
}
export interface ActionTarget {
  readonly action: ActionName;
  readonly params: (request: Request<any, any, any>) => object;
  readonly status: number;
  readonly location: ((result: any) => string) | undefined;
  readonly cacheControl: string | undefined;
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
  const { params, status = 200, location, cacheControl, idempotent = false, signedBy } = spec;
  return { ...placed(line, spec), target: { action, params, status, location, cacheControl, idempotent, signedBy } };
}

/** A route whose answer is a stream of an order's status changes. */
export const orderStream = <P extends TProperties>(line: string, spec: Places<P, {}, {}>): Route => ({
  ...placed(line, spec),
  target: { stream: "order" },
});

function placed(line: string, spec: Places<TProperties, TProperties, TProperties>): Omit<Route, "target"> {
  const [method, url] = line.split(" ") as [string, string];
  const { summary, access = "customer", path = {}, query = {}, body = {} } = spec;
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
        throw new Refusal("VALIDATION_ERROR", { status: 422, field: "body", message: "must be an object" });
      if (method === "PATCH" && Object.keys(raw.body).length === 0)
        throw new Refusal("VALIDATION_ERROR", { status: 422, field: "body", message: "must change something" });
      const places = {
        path: convert(path, Object.entries(raw.path)),
        query: convert(query, [...new URLSearchParams(raw.search)]),
        body: raw.body,
      };
      const issues = [
        ...brokenBytesIn(raw.search),
        ...[places.path, places.query, places.body].flatMap(place => brokenTextIn(place)),
        ...issuesOf(checks.path(places.path)),
        ...issuesOf(checks.query(places.query)),
        ...issuesOf(checks.body(places.body)),
      ];
      if (issues.length > 0)
        throw new Refusal("VALIDATION_ERROR", { status: 422, message: "see errors", errors: issues });
      return places;
    },
  };
}

const checkOf = (properties: TProperties): Check => compileSchema(strictObject(properties));
const issuesOf = (found: true | Issue[]): Issue[] => (found === true ? [] : found);

/** Fields of the query whose name or value is not UTF-8. */
const brokenBytesIn = (search: string): Issue[] =>
  search
    .split("&")
    .filter(part => !isPlainUtf8(part))
    .map(part => ({ field: [...new URLSearchParams(part).keys()][0] ?? "", message: "is not UTF-8, percent-encoded" }));

/**
 * Text to the types of the schema; what does not look like one stays text, so that the schema names it. A field that
 * is given twice is refused: each reader of a URL picks another of the two.
 */
function convert(properties: TProperties, entries: readonly (readonly [string, string])[]): Record<string, unknown> {
  const values: Record<string, unknown> = Object.create(null);
  for (const [name, text] of entries) {
    if (name in values)
      throw new Refusal("VALIDATION_ERROR", { status: 422, field: name, message: "is given more than once" });
    const schema = Object.hasOwn(properties, name) ? (properties[name] as TSchema & { type?: unknown }) : undefined;
    values[name] = schema?.type === "integer" && /^-?\d{1,15}$/.test(text) ? Number(text) : text;
  }
  return values;
}
