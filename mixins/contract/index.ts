export { badCursor, Cursor, cursorOf, oneOfPageAndCursor, readCursor, type CursorValue } from "./cursor.ts";
export { inCallersWords, refusedOf, type Refused, type Words } from "./callers-words.ts";
export {
  asyncApi,
  keyOf as channelKeyOf,
  type CataloguedEvent,
  type EventChannel,
  type EventVersion,
} from "./asyncapi/document.ts";
export type { InboundChannel } from "./asyncapi/inbound.ts";
export { publicData, publicShape, type KeptFields } from "./asyncapi/public-shape.ts";
export { announceChange, CHANGED, surrogateKeyOf, type Changed } from "./changes.ts";
export { CALL_FAILURES, isCallFailure, type CallFailure } from "./call-failures.ts";
export { behalfOf, floating, personBehind, typedCall, type Behalf, type Call, type CallOptions } from "./call.ts";
export {
  assertConditions,
  conditionFailed,
  Conditions,
  encodedTag,
  entityTag,
  formTag,
  type Current,
} from "./conditions.ts";
export {
  ActorId,
  contractOf,
  defineContract,
  EntityId,
  ReadToken,
  strictObject,
  type ActionName,
  type ActionShape,
  type AnyContract,
  type Contract,
  type Data,
  type DeepReadonly,
  type EventData,
  type EventMetadata,
  type EventName,
  type HistoryEntry,
  type ParamsOf,
  type Recorded,
  type RefusalsOf,
  type Reply,
  type ResultOf,
  type Snapshot,
  type WhatIf,
} from "./contract.ts";
export { callErrors } from "./errors.ts";
export {
  defineService,
  paramsOf,
  callersOf,
  permissionOf,
  returnsOf,
  type ActionOptions,
  type Context,
  type Meta,
  type Mixin,
  type User,
} from "./define-service.ts";
export { defineFormat, exampleOf, type FormatDefinition } from "./formats.ts";
export {
  describeErrors,
  errorsOf,
  type DescribedError,
  type DescribedErrors,
  type RefusalOf,
  type Refuse,
} from "./refusals.ts";
export { listedServices, type ListedService } from "./registry.ts";
export { PERSONAL, personalFieldsOf } from "./personal.ts";
export { jsonWithoutSecrets, secretsOf, withoutSecrets } from "./secrets.ts";
export {
  HEADERS,
  openApi,
  type CommonParameter,
  type DocumentInfo,
  type HeaderName,
  type Operation,
  type Surroundings,
} from "./openapi/document.ts";
export { actsFor, assertOwned, seesAll } from "./ownership.ts";
export { compileParams } from "./params.ts";
export { omit, pick } from "./pick.ts";
export { isAllowed, isGrant, isPermission, type Grant, type Permission } from "./permissions.ts";
export { defineRoles, isRole, RoleName, rolesDefined, type Role, type RoleDefinition } from "./roles.ts";
export {
  brokenPromises,
  RELEASED_FILE,
  releasedIn,
  releasedWith,
  shapeOf,
  tellBroken,
  unreleased,
  versionOf,
  type BrokenPromise,
  type ReleasedEvents,
} from "./released-events.ts";
export { sampleOf, type Extent, type Wanted } from "./sample.ts";
export { compileSchema, type Check } from "./schema.ts";
export { EmailAddress, KnownEmailAddress, NewPassword, PhoneNumber, TextLine, TextLines } from "./text.ts";
