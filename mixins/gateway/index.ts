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
export { one, page, type Representation } from "./versions/envelope.ts";
export { shape, Shape } from "./versions/shape.ts";
export { withSuccessors, type Succession, type Version } from "./versions/successor.ts";
