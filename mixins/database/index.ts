export type { Database } from "./database.ts";
export type { Migration } from "./migrate.ts";
export { databaseEnvironment, locationOf, locationVariableOf } from "./environment.ts";
export type { DatabaseLocation, PostgresLocation, SqliteLocation } from "./location.ts";
export { readPostgresUrl } from "./postgres-url.ts";
export { isForeignKeyViolation, isUniqueViolation } from "./violations.ts";
export { ARM, checkpoint, isTornCopy, SEEN, tornCopyMessage } from "./dialects/sqlite/torn.ts";
export { APPLICATION_ID } from "./dialects/sqlite/application-id.ts";
