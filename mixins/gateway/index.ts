export type { CachePolicy } from "./cache/cache-policy.ts";
export { gatewayEnvironment } from "./environment.ts";
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
