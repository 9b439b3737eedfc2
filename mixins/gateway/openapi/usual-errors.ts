// Errors that a route may answer whatever its action does: the gateway's own, and those of any call.
import { actorErrors } from "../../actor/index.ts";
import { callErrors, describeErrors, type DescribedErrors } from "../../contract/index.ts";
import { databaseErrors } from "../../database/index.ts";
import { storeErrors } from "../../event-store/index.ts";
import type { AnyErrors } from "../../kernel/index.ts";
import { redisErrors } from "../../redis/index.ts";
import { httpErrors } from "../../http/index.ts";
import { gatewayErrors as ownErrors } from "../errors.ts";
import { takesKey } from "../idempotency/key.ts";
import { limitsOf } from "../limits/rate-class.ts";
import { rolesFor, type Route } from "../route/route.ts";

const gatewayErrors = { ...httpErrors, ...ownErrors };

const some = <E extends AnyErrors>(errors: E, codes: readonly (keyof E)[]): AnyErrors =>
  Object.fromEntries(codes.map(code => [code, errors[code]!]));

/** For any request: its line, its header, its fields. */
const OF_REQUESTS = {
  ...some(gatewayErrors, [
    "PROTOCOL",
    "BAD_HOST",
    "BAD_PATH",
    "BAD_CONDITION",
    "BAD_REQUEST_TIMEOUT",
    "REQUEST_TOO_SLOW",
    "URL_TOO_LONG",
    "EXPECTATION_FAILED",
    "HEADERS_TOO_LARGE",
    "TOO_MANY_FIELDS",
  ]),
  ...some(callErrors, ["PRECONDITION_FAILED", "ANSWER_TOO_LARGE", "VALIDATION_ERROR"]),
};
const OF_BODIES = {
  ...some(gatewayErrors, [
    "INCOMPLETE_BODY",
    "MALFORMED_JSON",
    "BODY_TOO_DEEP",
    "FORBIDDEN_KEY",
    "BODY_TOO_LARGE",
    "TOO_MANY_VALUES",
    "CHUNK_EXTENSIONS_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "UNSUPPORTED_ENCODING",
    "UNKNOWN_TRANSFER_CODING",
  ]),
  ...some(callErrors, ["REQUEST_TOO_LARGE"]),
};
/** A credential is needed, and may be any of the four. */
const OF_CREDENTIALS = some(gatewayErrors, [
  "UNAUTHENTICATED",
  "INVALID_TOKEN",
  "INVALID_KEY",
  "SESSION_ENDED",
  "ISSUER_UNAVAILABLE",
]);
/** The node that answers checks the person's token again. */
const OF_PEOPLE = some(callErrors, ["CALLER_UNPROVEN", "KEYS_UNAVAILABLE"]);
const OF_KEYS = some(gatewayErrors, ["BAD_IDEMPOTENCY_KEY", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_KEY_IN_PROGRESS"]);
/** An actor's record gives the answer; only it can be given up. Other answers are kept, or not. */
const OF_COMMANDS = some(gatewayErrors, ["IDEMPOTENCY_KEY_ABANDONED"]);
const OF_KEPT_ANSWERS = some(gatewayErrors, ["IDEMPOTENCY_ANSWER_NOT_KEPT"]);
const OF_RATES = some(gatewayErrors, ["RATE_LIMITED"]);
const OF_HINTS = some(gatewayErrors, ["TOO_MANY_STREAMS", "STOPPING"]);
const OF_STREAMS = some(gatewayErrors, ["BAD_LAST_EVENT_ID", "TOO_MANY_STREAMS", "STOPPING"]);

/** For any call: the service cannot be reached, or cannot work now. */
const { KEYS_UNAVAILABLE: _, ...ofAnybody } = callErrors;
const OF_CALLS = Object.fromEntries(
  [some(gatewayErrors, ["SATURATED"]), ofAnybody, actorErrors, storeErrors, databaseErrors, redisErrors].flatMap(
    errors => Object.entries<AnyErrors[string]>(errors).filter(([, { status }]) => status === 503 || status === 504),
  ),
);

const usual = {
  ...gatewayErrors,
  ...callErrors,
  ...actorErrors,
  ...storeErrors,
  ...databaseErrors,
  ...redisErrors,
};
/** Codes of problems that any route may answer, whatever its action does. `INTERNAL` is a bug of ours. */
export type UsualCode = keyof typeof usual | "INTERNAL";
export const usualCodes: readonly string[] = [...Object.keys(usual), "INTERNAL"];

/** The settings that decide about them besides the route. */
export interface Rules {
  /** Whether it asks for a permission, or for a person. */
  readonly asksPermission: boolean;
  /** RATE_LIMIT_PERCENT. */
  readonly percent: number;
}

/** The errors of a route besides those of its action. */
export function usualErrors(
  route: Pick<Route, "method" | "access" | "limit" | "target">,
  { asksPermission, percent }: Rules,
): DescribedErrors {
  const { method, access, target } = route;
  const isCommand = "idempotent" in target && target.idempotent;
  // A stream's credentials are counted too.
  const isLimited = percent > 0 && (access !== "public" || limitsOf(route, percent) !== undefined);
  return describeErrors({
    ...OF_REQUESTS,
    ...(method === "GET" || method === "DELETE" ? some(gatewayErrors, ["UNEXPECTED_BODY"]) : OF_BODIES),
    ...(access !== "public" && { ...OF_CREDENTIALS, ...OF_PEOPLE }),
    ...((access !== "public" ? method !== "GET" : "session" in target && target.session !== undefined) &&
      some(gatewayErrors, ["CSRF"])),
    ...((asksPermission || rolesFor(access).length > 0) && some(callErrors, ["FORBIDDEN"])),
    ...(takesKey(route) && { ...OF_KEYS, ...(isCommand ? OF_COMMANDS : OF_KEPT_ANSWERS) }),
    ...(isLimited && OF_RATES),
    ...(method === "GET" && some(gatewayErrors, ["NOT_ACCEPTABLE"])),
    ...("stream" in target ? OF_STREAMS : target.hints !== undefined && OF_HINTS),
    ...OF_CALLS,
  });
}
