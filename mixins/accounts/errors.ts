// Errors of users, log-in and sessions.
import { defineErrors } from "../kernel/index.ts";

export const accountErrors = defineErrors({
  EMAIL_TAKEN: { status: 409, says: "this e-mail address has an account", todo: "log in, or use another address" },
  USER_NOT_FOUND: { status: 404, says: "there is no such user", todo: "ask for yourself: `GET /me`" },
  BAD_CREDENTIALS: {
    status: 401,
    says: "e-mail or password is wrong",
    todo: "check both; the answer does not say which one is wrong",
  },
  BAD_CREDENTIAL: {
    status: 401,
    says: "the key, the session or the issuer's token is unknown, has expired or was revoked",
    todo: "log in again, or make another key",
  },
  KEY_NOT_FOUND: { status: 404, says: "there is no such API key", todo: "see `GET /me/keys`" },
  TOO_MANY_KEYS: {
    status: 409,
    says: "a user has at most {keys} API keys",
    todo: "revoke one that is no longer used: `GET /me/keys` shows the last use of each",
  },
  BAD_KEY_EXPIRY: {
    status: 422,
    says: "an API key ends in the future, within a year",
    todo: "send another `expiresAt`, or none: the key then lasts 90 days",
  },
  BAD_REFRESH_TOKEN: {
    status: 401,
    says: "the refresh token is unknown, has expired, or was used before",
    todo: "log in again",
  },
  TOO_MANY_ATTEMPTS: {
    status: 429,
    says: "too many failed log-ins: try again in {seconds} s",
    todo: "wait for `Retry-After`: there were too many for this account, or from your address",
  },
  TOO_MANY_REGISTRATIONS: {
    status: 429,
    says: "too many registrations: try again in {seconds} s",
    todo: "wait for `Retry-After`: there were too many from your address",
  },
  SESSION_NOT_FOUND: { status: 404, says: "you have no such session", todo: "see `GET /me/sessions`" },
  SESSION_OVER: {
    status: 401,
    says: "the session of this access token has ended",
    todo: "log in again; until it expires the token still reads",
  },
  WRONG_PASSWORD: {
    status: 403,
    says: "this is not your current password",
    todo: "send the current password; if it is lost, `POST /auth/password/forgot`",
  },
  WEAK_PASSWORD: {
    status: 422,
    says: "this password is easy to guess",
    todo: "choose another one: three or four words that do not belong together, and neither your name nor your address",
  },
  BAD_TOKEN: {
    status: 422,
    says: "this token is unknown, or was mailed for something else",
    todo: "copy the whole token of the last mail, or ask for another mail",
  },
  TOKEN_USED: {
    status: 422,
    says: "this token has been used, or a later one has",
    todo: "ask for another mail if it is still needed",
  },
  TOKEN_EXPIRED: { status: 422, says: "this token has expired", todo: "ask for another mail" },
  EMAIL_ALREADY_VERIFIED: {
    status: 409,
    says: "your e-mail address is verified",
    todo: "go on: nothing is left to do",
  },
  TOO_MANY_MAILS: {
    status: 429,
    says: "too many mails were asked for: try again in {seconds} s",
    todo: "wait for `Retry-After`, and look for the mail among the unwanted ones",
  },
  LAST_ADMINISTRATOR: {
    status: 409,
    says: "this is the last administrator: grant another person the role first",
    todo: "make another person an administrator, then withdraw the role",
  },
  BUSY: {
    status: 503,
    retryAfterMs: 1_000,
    says: "too many passwords wait to be checked",
    todo: "repeat the request later",
  },
});
