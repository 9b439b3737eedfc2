// The description of each route: its params and answer by the schemas, its headers, and the errors that it may
// answer.
import Type, { type TSchema } from "typebox";
import type { DescribedErrors, HeaderName, Operation } from "../../contract/index.ts";
import { MERGE_PATCH } from "../../http/siblings.ts";
import { KEY_FIELD, KEY_HEADER, takesKey } from "../idempotency/key.ts";
import { limitsOf } from "../limits/rate-class.ts";
import { rolesFor, serviceOf, type ActionTarget, type Route } from "../route/route.ts";
import { CSV } from "../versions/csv.ts";
import { usualErrors } from "./usual-errors.ts";

/** The registry's knowledge of an action: the schema of its answers, and its errors. */
export interface Promises {
  readonly returns?: TSchema;
  readonly errors?: DescribedErrors;
}

const TAG = '(W/)?"[!#-~]*"';
const tags = (description: string) => ({
  description,
  schema: Type.String({ maxLength: 2_000, pattern: `^(\\*|${TAG}( *, *${TAG})*)$` }),
});
const DAY = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun), (0[1-9]|[12]\\d|3[01])";
const MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
const DATE = `^${DAY} ${MONTH} \\d{4} ([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d GMT$`;
const NONE_MATCH = tags("Entity tags, or `*`.");
const READ_CONDITIONS = { "If-None-Match": NONE_MATCH };
const CHANGE_CONDITIONS = {
  "If-Match": tags("Entity tags of which the resource must have one, or `*`; else 412, and nothing is done."),
  "If-None-Match": NONE_MATCH,
  "If-Unmodified-Since": { description: "A date as HTTP has it.", schema: Type.String({ pattern: DATE }) },
};
const SIGNATURE = {
  description: "`t=<seconds since the epoch>,v1=<HMAC-SHA256 of `<t>.<body>`, in hexadecimal>`.",
  schema: Type.String({ maxLength: 200 }),
};
const LAST_EVENT_ID = { description: "Version after which to go on.", schema: Type.String({ pattern: "^\\d{1,15}$" }) };

/** The name of a route's action. */
export const actionOf = ({ target }: Route): string => ("stream" in target ? target.stream : target).action;

/** `id` names the operation; `promises` is what the registry knows of the route's action. */
export function operationOf(route: Route, id: string, { returns, errors: own }: Promises = {}): Operation {
  const { method, url, summary, path, query, body, example, target, access } = route;
  const roles = rolesFor(access);
  const rates = limitsOf(route);
  const common = {
    id,
    method,
    url,
    summary,
    tag: serviceOf(route),
    path,
    query,
    body,
    example,
    secured: access !== "public",
    errors: { ...usualErrors(route), ...asNamedBy(route, own) },
    extensions: { ...(roles.length > 0 && { "x-roles": roles }), ...(rates && { "x-rate-limit": rates }) },
  };
  if ("stream" in target)
    return {
      ...common,
      headers: { "Last-Event-ID": LAST_EVENT_ID },
      status: 200,
      mediaType: "text/event-stream",
      returns: Type.String(),
    };
  const { status, versioned, cache, signedBy, list } = target;
  const isRead = method === "GET";
  const hasTag = versioned || cache !== undefined;
  return {
    ...common,
    // The sender that signs the body decides about its form.
    ...(signedBy !== undefined && { body: {} }),
    ...(method === "PATCH" && { bodyTypes: ["application/json", MERGE_PATCH] }),
    headers: {
      ...(signedBy !== undefined && { [signedBy]: SIGNATURE }),
      ...(takesKey(route) && { [KEY_FIELD]: KEY_HEADER }),
      ...(isRead ? hasTag && READ_CONDITIONS : versioned && CHANGE_CONDITIONS),
    },
    status,
    returns: target.representation?.returns ?? returns,
    ...(list !== undefined && { otherTypes: [CSV] }),
    answerHeaders: answerHeadersOf(route, target, returns),
    conditional: hasTag && isRead,
  };
}

function answerHeadersOf(route: Route, target: ActionTarget, returns: TSchema | undefined): HeaderName[] {
  const { status, location, contentLocation, versioned, cache } = target;
  const hasTag = versioned || (cache !== undefined && route.method === "GET");
  const { properties = {} } = (returns ?? {}) as { properties?: object };
  const has = (isThere: unknown, ...names: HeaderName[]): HeaderName[] => (isThere ? names : []);
  return [
    ...has(limitsOf(route), "RateLimit", "RateLimit-Policy"),
    ...has(location, "Location"),
    ...has(contentLocation, "Content-Location"),
    ...has(hasTag && status !== 204, "ETag"),
    ...has(hasTag && status !== 204 && "updatedAt" in properties, "Last-Modified"),
    ...has("nextCursor" in properties || route.retires, "Link"),
    ...has(route.retires, "Deprecation", "Sunset"),
    ...has(takesKey(route), "Idempotency-Replayed"),
  ];
}

/** A missing resource is a 404 when the URL can name it; a route without params gets its ids in the body. */
function asNamedBy({ path }: Route, errors: DescribedErrors = {}): DescribedErrors {
  if (Object.keys(path).length > 0) return errors;
  return Object.fromEntries(
    Object.entries(errors).map(([code, error]) => [code, { ...error, status: error.inBody ?? error.status }]),
  );
}
