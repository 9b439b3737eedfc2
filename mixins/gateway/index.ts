export { apiKey, apiKeyId } from "./auth/api-key.ts";
export { CREDENTIALS_CHANGED, type CredentialsChanged } from "./auth/exchanges.ts";
export { SESSION_OPENED, type SessionOpened } from "./auth/keep-session.ts";
export type { CachePolicy } from "./cache/cache-policy.ts";
export { GATEWAY, gatewayEnvironment } from "./environment.ts";
export { gatewayErrors } from "./errors.ts";
export type { AnswerStore, Claim, Claimed, HeldClaim } from "./idempotency/store.ts";
export { limits } from "./limits.ts";
export type { ApiInfo } from "./openapi/document.ts";
export type { UsualCode } from "./openapi/usual-errors.ts";
export {
  API,
  eventStream,
  route,
  type Access,
  type EventSource,
  type Request,
  type Route,
  type RouteTypes,
  type StreamedEvent,
  type TypedRoute,
  type TypesOf,
} from "./route/route.ts";
export { one, page, type Representation } from "./versions/envelope.ts";
export { shape, Shape } from "./versions/shape.ts";
export { withSuccessors, type Succession, type Version } from "./versions/successor.ts";
