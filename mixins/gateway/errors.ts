// Errors of the gateway: missing rights, limits, keys and conditions, before a service is called.
import { defineErrors } from "../kernel/index.ts";

export const gatewayErrors = defineErrors({
  // ---- the answer
  NOT_ACCEPTABLE: {
    status: 406,
    says: "the answer does not come in a type that `Accept` names, but as {types}",
    todo: "accept `application/json`; lists come as `text/csv` too",
  },

  // ---- the caller
  UNAUTHENTICATED: {
    status: 401,
    says: "send Authorization: Bearer <access token>",
    todo: "log in and send the access token",
  },
  INVALID_TOKEN: {
    status: 401,
    says: "the access token is invalid or has expired",
    todo: "get a new one for the refresh token (`POST /auth/refresh`)",
  },
  INVALID_KEY: {
    status: 401,
    says: "the API key is malformed or unknown, has expired or was revoked",
    todo: "send a key of `GET /me/keys` as it was shown when it was made",
  },
  SESSION_ENDED: {
    status: 401,
    says: "the session of this cookie has ended",
    todo: "log in again (`POST /session`)",
  },
  ISSUER_UNAVAILABLE: {
    status: 503,
    retryAfterMs: 5_000,
    says: "the issuer of this token cannot be reached, so the token cannot be checked",
    todo: "repeat the request later, with the same token; operators: see `OIDC_ISSUER`",
  },
  CSRF: {
    status: 403,
    says: "this request comes from a page of another site",
    todo: "send it from a page of this site; a program sends a token or a key, or its `Origin` beside the cookie",
  },

  // ---- how often a client asks
  RATE_LIMITED: {
    status: 429,
    says: "too many requests: try again in {seconds} s",
    todo: "wait for `Retry-After`; the `RateLimit` header of each answer says how many are left",
  },

  // ---- keys, conditions and streams
  BAD_IDEMPOTENCY_KEY: {
    status: 400,
    says: "the header is not one key of 1 to 128 printable ASCII characters, in quotes, or without comma, semicolon, backslash, quote and blank",
    todo: "send one `Idempotency-Key`, for example a UUID",
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    says: "this key was used before, for another request: send a new key",
    todo: "send a new key",
  },
  IDEMPOTENCY_KEY_IN_PROGRESS: {
    status: 409,
    says: "the request with this key is still running",
    todo: "wait for `Retry-After`, then send the same request again: it gets the first answer",
  },
  IDEMPOTENCY_ANSWER_NOT_KEPT: {
    status: 409,
    says: "the request with this key was carried out, and its answer was not kept",
    todo: "read the resource: the answer was too large to keep, or holds a secret",
  },
  IDEMPOTENCY_KEY_ABANDONED: {
    status: 409,
    says: "the request with this key was given up before it was carried out: send a new key",
    todo: "send a new key",
  },
  BAD_CONDITION: {
    status: 400,
    says: "`If-Match`, `If-None-Match` or `If-Unmodified-Since` is malformed",
    todo: "send entity tags in quotes, or a date as HTTP has it; nothing was done",
  },
  BAD_REQUEST_TIMEOUT: {
    status: 400,
    says: "`Request-Timeout` is not a number of seconds",
    todo: "send seconds, more than 0, as `5` or `2.5`, or no `Request-Timeout`; nothing was done",
  },
  BAD_LAST_EVENT_ID: {
    status: 400,
    says: "`Last-Event-ID` is not the id of an event of this stream",
    todo: "resume with the id of an event of this stream, or without the header",
  },
  TOO_MANY_STREAMS: {
    status: 429,
    says: "more than {streams} event streams are open",
    todo: "close another event stream first: a user, and an address, have so many",
  },

  // ---- the gateway's own state
  SATURATED: {
    status: 503,
    retryAfterMs: 1_000,
    says: "too many requests at once",
    todo: "repeat the request later: the gateway works on as much as it may, in all or for one address",
  },
  STOPPING: { status: 503, says: "the gateway is stopping", todo: "repeat the request: another gateway answers" },
});
