export { defineSaga, type Failure, type Saga, type Step, type StepOptions } from "./define-saga.ts";
export { sagaErrors } from "./errors.ts";
export {
  abandoned,
  compensating,
  done,
  forced,
  givenSaga,
  refused,
  retried,
  SAGA_GIVEN_ID,
  SAGA_GIVEN_NOW,
  started,
  told,
  undone,
  undoRefused,
  type Given,
} from "./given-saga.ts";
