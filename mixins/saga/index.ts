export { defineSaga, type Failure, type Saga, type Step, type StepOptions } from "./define-saga.ts";
export { sagaErrors } from "./errors.ts";
export {
  abandoned,
  compensating,
  done,
  forced,
  given,
  refused,
  retried,
  started,
  told,
  undone,
  undoRefused,
  type Given,
  type Scene,
} from "./given.ts";
export { GIVEN_ID, GIVEN_NOW } from "../actor/index.ts";
