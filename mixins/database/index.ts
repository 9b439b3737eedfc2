export type { Database } from "./database.ts";
export { databaseErrors } from "./errors.ts";
export type { Migration } from "./migrate.ts";
export type { Upsert } from "./upsert.ts";
export { databaseEnvironment, locationOf, locationVariableOf } from "./environment.ts";
export type { DatabaseLocation, PostgresLocation, SqliteLocation } from "./location.ts";
export { certificateFilesOf } from "./location.ts";
export { readPostgresUrl } from "./postgres-url.ts";
export { isForeignKeyViolation, isUniqueViolation } from "./violations.ts";
// For sibling floors only, and not in siblings.ts: the event store's writer thread and the start need these before, or
// without, the clients of the databases that siblings.ts loads.
export { ARM, checkpoint, isTornCopy, restoringOf, SEEN, whyNotWhole } from "./dialects/sqlite/torn.ts";
export { APPLICATION_ID } from "./dialects/sqlite/application-id.ts";
