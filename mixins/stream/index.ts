export { defineReactor, type Reactor } from "./define-reactor.ts";
export { streamErrors } from "./errors.ts";
export { markIn, stoppedOf, type PlaceFault, type Stopped } from "./identity.ts";
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
} from "./source.ts";
