export { gatewayEnvironment } from "./environment.ts";
export type { AnswerStore, Claim, Claimed } from "./idempotency/store.ts";
export { limits } from "./limits.ts";
export type { ApiInfo } from "./openapi/document.ts";
export {
  API,
  eventStream,
  route,
  type Access,
  type EventSource,
  type Request,
  type Route,
  type StreamedEvent,
} from "./route/route.ts";
