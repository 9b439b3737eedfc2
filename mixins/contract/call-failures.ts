// Moleculer's own failures of a call, by the names of their classes. They say nothing of the effect, and some of them are
// 404s: here each has our code, and a status that tells whether the call may have taken effect (504) or not (503).
import { callErrors } from "./errors.ts";

export const CALL_FAILURES = {
  ServiceNotFoundError: callErrors.SERVICE_NOT_FOUND,
  ServiceNotAvailableError: callErrors.SERVICE_NOT_AVAILABLE,
  BrokerDisconnectedError: callErrors.BROKER_DISCONNECTED,
  QueueIsFullError: callErrors.TOO_MANY_CALLS,
  RequestSkippedError: callErrors.REQUEST_SKIPPED,
  RequestRejectedError: callErrors.REQUEST_REJECTED,
  RequestTimeoutError: callErrors.REQUEST_TIMEOUT,
} as const;
export type CallFailure = keyof typeof CALL_FAILURES;

/** Whether an error of this name is one of Moleculer's failures of a call. */
export const isCallFailure = (name: string): name is CallFailure => Object.hasOwn(CALL_FAILURES, name);
