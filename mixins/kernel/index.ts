export { listensAt, urlOf } from "./addresses.ts";
export { backoffMs } from "./backoff.ts";
export { msOf, type Duration } from "./duration.ts";
export type { DatabaseLocation, PostgresLocation, SqliteLocation } from "./database-locations.ts";
export {
  defineErrors,
  plainErrors,
  type AnyErrors,
  type ErrorDefinition,
  type ErrorFactory,
  type Errors,
  type RefusalDefinition,
  type UnavailableDefinition,
} from "./define-errors.ts";
export { elapsedMs, minutes, rfc3339, seconds, systemClock, type Clock } from "./clock.ts";
export { environmentOf, EnvironmentError, readEnvironment, readPostgresUrl, type Environment } from "./environment.ts";
export { EMAIL } from "./email.ts";
export {
  Bug,
  isPromise,
  isRefusal,
  isRetryable,
  Misconfigured,
  outcomeOf,
  asError,
  plainError,
  Refusal,
  Unavailable,
  type ErrorData,
  type Issue,
  type Outcome,
  type RefusalDetail,
} from "./errors.ts";
export { failpoint, FAILPOINTS, parseFailpoints, type Failpoint } from "./failpoints.ts";
export { fnv1a } from "./fnv1a.ts";
export { CALL_CHAIN, COMMAND_ID, REPEATED, REPLAYED } from "./headers.ts";
export {
  autoCommandId,
  clientCommandId,
  eventCommandId,
  eventIdOf,
  idFrom,
  isAutoCommandId,
  isClientCommandId,
  newId,
  sagaCommandId,
  timerCommandId,
  type CommandId,
} from "./ids.ts";
export { canonicalJson, fingerprintOf, storableJson } from "./json.ts";
export { natsOptions } from "./nats-url.ts";
export { contentBytesMax, isLonger, PAYLOAD_BYTES, payloadBytesMax } from "./payload.ts";
export { closeToOthers, exposedOf, makePrivate } from "./private-file.ts";
export { PROBLEM_JSON, problemType } from "./problem.ts";
export { unreadyServices, type DeclaresReadiness } from "./readiness.ts";
export { withoutSecrets } from "./secrets.ts";
export { beginStop, isStopping, stopsFirst, stopTimeLeft } from "./stop-deadline.ts";
export { METRICS } from "./telemetry.ts";
export { foldedText, isPrintable, normalText, trimmed } from "./text.ts";
export type { FromSupervisor, FromWorker, Peer } from "./workers.ts";
