// The description of each route: its params and answer by the schemas, its headers, and the errors that it may
// answer.
import Type, { type TSchema } from "typebox";
import type { DescribedErrors, HeaderName, Operation, Permission } from "../../contract/index.ts";
import { MERGE_PATCH } from "../../http/siblings.ts";
import { REQUEST_TIMEOUT } from "../admission/deadline.ts";
import { KEY_FIELD, KEY_HEADER, takesKey } from "../idempotency/key.ts";
import { limitsOf, type RouteLimits } from "../limits/rate-class.ts";
import { rolesFor, serviceOf, type ActionTarget, type Route } from "../route/route.ts";
import { EVENT_STREAM } from "../sse/stream-answer.ts";
import { NDJSON } from "../versions/all-pages.ts";
import { CSV } from "../versions/csv.ts";
import type { DescribedCredentials } from "./credentials.ts";
import { usualErrors } from "./usual-errors.ts";

/** The registry's knowledge of an action: the schema of its answers, its errors, and the permission that it asks for. */
export interface Promises {
  readonly returns?: TSchema;
  readonly errors?: DescribedErrors;
  readonly permission?: Permission | false;
}

/** The settings that all operations of a gateway share. */
export interface Common {
  readonly credentials: DescribedCredentials;
  /** RATE_LIMIT_PERCENT. */
  readonly percent: number;
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
export function operationOf(
  route: Route,
  id: string,
  { returns, errors: own, permission }: Promises,
  { credentials, percent }: Common,
): Operation {
  const { method, url, summary, path, query, body, example, target, access } = route;
  const secured = access !== "public";
  const asked = typeof permission === "string" ? permission : undefined;
  const rates = limitsOf(route, percent);
  const description = [
    secured && !route.keys && "Not with an API key.",
    asked && `Asks for the permission \`${asked}\`.`,
    rates && inWords(rates),
  ]
    .filter(Boolean)
    .join("\n\n");
  const isStream = "stream" in target;
  // A page's log-in and log-out are public, and heed the cookie that the browser has.
  const ofSessions = !isStream && target.session !== undefined;
  const common = {
    id,
    ...(route.retires && { deprecated: true }),
    method,
    url,
    summary,
    ...(description !== "" && { description }),
    tag: serviceOf(route),
    path,
    query,
    body,
    example,
    secured: secured && !route.keys ? credentials.ofPeople : secured,
    common: [
      ...(isStream ? [] : [REQUEST_TIMEOUT]),
      ...(secured || ofSessions ? credentials.inHeader : []),
      ...(secured && isStream ? credentials.inQuery : []),
    ],
    errors: {
      ...usualErrors(route, { asksPermission: permission !== undefined || !route.keys, percent }),
      ...asNamedBy(route, own),
    },
    extensions: extensionsOf(route, asked, rates),
  };
  if (isStream)
    return {
      ...common,
      headers: { "Last-Event-ID": LAST_EVENT_ID },
      status: 200,
      mediaType: EVENT_STREAM,
      returns: EVENT,
    };
  const { status, versioned, cache, signedBy, list, lines, hints } = target;
  const isRead = method === "GET";
  const hasTag = versioned || cache !== undefined;
  return {
    ...common,
    ...(ofSessions && { heeds: credentials.cookies }),
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
    ...(list !== undefined && { otherTypes: { [CSV]: Type.String() } }),
    ...(lines !== undefined && { otherTypes: { [NDJSON]: Type.String() } }),
    ...(hints !== undefined && { otherTypes: { [EVENT_STREAM]: EVENT } }),
    answerHeaders: [...has(rates, "RateLimit", "RateLimit-Policy"), ...answerHeadersOf(route, target, returns)],
    conditional: hasTag && isRead,
  };
}

/**
 * One event of a stream. Before OpenAPI 3.2 no schema is of the whole stream; tools take it for each event
 * (https://spec.openapis.org/oas/v3.2.0.html#sequential-media-types).
 */
const EVENT = Type.Object(
  {
    id: Type.Optional(Type.String()),
    event: Type.Optional(Type.String()),
    data: Type.String({ description: "JSON." }),
  },
  { title: "ServerSentEvent" },
);

const has = (isThere: unknown, ...names: HeaderName[]): HeaderName[] => (isThere ? names : []);

function extensionsOf({ access }: Route, permission: string | undefined, rates: RouteLimits | undefined) {
  const roles = rolesFor(access);
  return {
    ...(roles.length > 0 && { "x-roles": roles }),
    ...(permission !== undefined && { "x-permissions": [permission] }),
    ...(rates && { "x-rate-limit": rates }),
  };
}

/** The limits in one sentence: `Limited to 6000 requests in 60 s and 300 in 1 s, by user.` */
function inWords({ policies, account, countedBy, countsFailures }: RouteLimits): string {
  const numbers = policies.map(
    ({ quota, windowSeconds }, i) => `${quota}${i === 0 ? " requests" : ""} in ${windowSeconds} s`,
  );
  const ofAccount = account && `${account.quota}${countsFailures ? " that fail" : ""} in ${account.windowSeconds} s`;
  const forAccount = ofAccount === undefined ? "" : `; for one account at one address to ${ofAccount}`;
  return `Limited to ${numbers.join(" and ")}, by ${countedBy}${forAccount}.`;
}

function answerHeadersOf(route: Route, target: ActionTarget, returns: TSchema | undefined): HeaderName[] {
  const { status, location, contentLocation, versioned, cache } = target;
  const hasTag = versioned || (cache !== undefined && route.method === "GET");
  const { properties = {} } = (returns ?? {}) as { properties?: object };
  return [
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
