export { defineReactor, type Reactor } from "./define-reactor.ts";
export {
  COMMITTED,
  isAtOrPast,
  type Committed,
  type Cursor,
  type LogEvent,
  type LogPage,
  type ReadLog,
} from "./source.ts";
