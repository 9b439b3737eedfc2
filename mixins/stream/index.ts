export { defineReactor, type Reactor } from "./consumer/define-reactor.ts";
export { markIn, stoppedOf, type CursorFault, type Stopped } from "./log/identity.ts";
export {
  COMMITTED,
  isAtOrPast,
  STOPPED,
  type Committed,
  type ConsumerStopped,
  type Cursor,
  type LogEvent,
  type LogPage,
  type ReadLog,
} from "./log/source.ts";
