export { abandon, isAbandoned } from "./abandoned.ts";
export { listensAt, urlOf } from "./addresses.ts";
export { announce, announcedText, takeAnnouncements, type Announcement } from "./announcements.ts";
export { backoffMs } from "./backoff.ts";
export {
  callAtHand,
  logFor,
  callTimeLeftMs,
  hasQueriesInCalls,
  openCall,
  queriesInCalls,
  spanAtHand,
  workFor,
  workForNobody,
  workInSpan,
} from "./call-at-hand.ts";
export { certificateEnd, certificateFilesIn, certificateState, type CertificateFile } from "./certificates.ts";
export { inChunks } from "./chunks.ts";
export {
  ALL_SERVICES,
  mayBeCalled,
  mayOwn,
  mayRun,
  newClusterKeys,
  secretOfRole,
  rolesIn,
  type ClusterKeys,
  type Role,
} from "./cluster-keys.ts";
export {
  dependencyReports,
  dependsOn,
  type Condition,
  type DependencyReport,
  type DependencyState,
} from "./dependencies.ts";
export { diskSpace, diskState } from "./disk.ts";
export { msOf, type Duration } from "./duration.ts";
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
export {
  catalogueOf,
  defineMetrics,
  isMetrics,
  OTHER,
  SECONDS_BUCKETS,
  SERVICE_NAMES,
  unitOf,
  type LabelValues,
  type MetricCatalogue,
  type MetricDefinition,
  type MetricDefinitions,
  type MetricType,
} from "./define-metrics.ts";
export { elapsedMs, minutes, rfc3339, seconds, systemClock, type Clock } from "./clock.ts";
export {
  declaredVariables,
  defineEnvironment,
  Environment,
  EnvironmentError,
  isDeclaration,
  readEnvironment,
  type Declaration,
  type Declared,
} from "./environment.ts";
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
export { defineFailpoints, isFailpoint, type Failpoint } from "./failpoints.ts";
export { fnv1a } from "./fnv1a.ts";
export { deepFreeze } from "./freeze.ts";
export { CALL_CHAIN, COMMAND_ID, IMPATIENT, REPEATED, REPLAYED } from "./headers.ts";
export {
  autoCommandId,
  clientCommandId,
  eventCommandId,
  messageCommandId,
  eventIdOf,
  idFrom,
  isAutoCommandId,
  isClientCommandId,
  newId,
  sagaCommandId,
  timerCommandId,
  type CommandId,
} from "./ids.ts";
export { InFlight } from "./in-flight.ts";
export { internalRoutesOf, serveInternally, type InternalRoutes } from "./internal-routes.ts";
export { canonicalJson, fingerprintOf, storableJson } from "./json.ts";
export { nearestName } from "./misspelt.ts";
export { inboxPrefix, natsOptions } from "./nats-url.ts";
export { configurationOf, type Setting } from "./configuration.ts";
export { clusterKeysIn, nodeEnvironment } from "./node-environment.ts";
export { Pause } from "./pause.ts";
export { contentBytesMax, isLonger, PAYLOAD_BYTES, payloadBytesMax } from "./payload.ts";
export { closeToOthers, exposedOf, makePrivate, makePrivateFolder } from "./private-file.ts";
export { PROBLEM_JSON, problemType } from "./problem.ts";
export { unreadyServices, type DeclaresReadiness } from "./readiness.ts";
export { PersonalFields, type PersonalField } from "./personal.ts";
export { withoutSecrets } from "./secrets.ts";
export { settledWithin } from "./settled-within.ts";
export { Semaphore } from "./semaphore.ts";
export { beginStop, isStopping, stopsFirst, stopTimeLeft } from "./stop-deadline.ts";
export { decoded, foldedText, isPrintable, normalText, trimmed } from "./text.ts";
export { Turns } from "./turns.ts";
export {
  checked,
  file,
  flag,
  hidden,
  integer,
  list,
  matching,
  oneOf,
  perService,
  secret,
  serverUrl,
  text,
  url,
  variableOf,
  type Variable,
} from "./variables.ts";
export { version } from "./version.ts";
export type { FromSupervisor, FromWorker, Peer } from "./workers.ts";
export { WakeableLoop } from "./wakeable-loop.ts";
