// Errors that a route may answer whatever its action does: the gateway's own, and those of any call.
import { actorErrors } from "../../actor/index.ts";
import { callErrors, describeErrors, type DescribedErrors } from "../../contract/index.ts";
import { databaseErrors } from "../../database/index.ts";
import { storeErrors } from "../../event-store/index.ts";
import type { AnyErrors } from "../../kernel/index.ts";
import { redisErrors } from "../../redis/index.ts";
import { gatewayErrors } from "../errors.ts";
import { rolesFor, type Route } from "../route/route.ts";

const some = <E extends AnyErrors>(errors: E, codes: readonly (keyof E)[]): AnyErrors =>
  Object.fromEntries(codes.map(code => [code, errors[code]!]));

/** For any request: its line, its header, its fields. */
const OF_REQUESTS = {
  ...some(gatewayErrors, [
    "PROTOCOL",
    "BAD_HOST",
    "BAD_PATH",
    "BAD_CONDITION",
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
  ]),
  ...some(callErrors, ["REQUEST_TOO_LARGE"]),
};
const OF_TOKENS = some(gatewayErrors, ["UNAUTHENTICATED", "INVALID_TOKEN"]);
const OF_KEYS = some(gatewayErrors, ["BAD_IDEMPOTENCY_KEY", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_KEY_ABANDONED"]);
const OF_STREAMS = some(gatewayErrors, ["BAD_LAST_EVENT_ID", "TOO_MANY_STREAMS", "STOPPING"]);

/** For any call: the service cannot be reached, or cannot work now. */
const OF_CALLS = Object.fromEntries(
  [some(gatewayErrors, ["SATURATED"]), callErrors, actorErrors, storeErrors, databaseErrors, redisErrors].flatMap(
    errors => Object.entries<AnyErrors[string]>(errors).filter(([, { status }]) => status === 503 || status === 504),
  ),
);

/** The errors of a route besides those of its action. */
export function usualErrors({ method, access, target }: Pick<Route, "method" | "access" | "target">): DescribedErrors {
  return describeErrors({
    ...OF_REQUESTS,
    ...(method === "GET" || method === "DELETE" ? some(gatewayErrors, ["UNEXPECTED_BODY"]) : OF_BODIES),
    ...(access !== "public" && OF_TOKENS),
    ...(rolesFor(access).length > 0 && some(callErrors, ["FORBIDDEN"])),
    ...(method === "GET" && !("stream" in target) && some(gatewayErrors, ["NOT_ACCEPTABLE"])),
    ...("idempotent" in target && target.idempotent && OF_KEYS),
    ...("stream" in target && OF_STREAMS),
    ...OF_CALLS,
  });
}
