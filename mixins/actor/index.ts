export { definitionsIn, type Definitions } from "./actor-in.ts";
export { rendezvous } from "./placement.ts";
export {
  defineActor,
  evolveAll,
  type Actor,
  type Behaviour,
  type Decided,
  type Decision,
  type EventOf,
  type PlainEvent,
  type PrepareContext,
  type RefusalOf,
  type StateOf,
  type Timer,
} from "./define-actor.ts";
export { actorErrors } from "./errors.ts";
export { decide, decisionOf } from "./decision.ts";
export { deepFreeze } from "../kernel/index.ts";
export { given } from "./given.ts";
export { GIVEN_ID, GIVEN_NOW } from "./moment.ts";
