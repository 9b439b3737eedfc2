export { defineReactor, type Reactor } from "./consumer/define-reactor.ts";
export { defineIngress, type Ingress, type IngressDefinition, type Message } from "./ingress/define-ingress.ts";
export { streamEnvironment } from "./environment.ts";
export { streamErrors } from "./errors.ts";
export { defineOutbound, type Outbound } from "./outbound/define-outbound.ts";
export { outboundsIn, withPublicEvents } from "./outbound/released.ts";
export { outboundEnvironment } from "./outbound/environment.ts";
export {
  COMMITTED,
  STOPPED,
  type Committed,
  type ConsumerStopped,
  type Cursor,
  type LogEvent,
  type LogPage,
  type ReadLog,
} from "./log/source.ts";
