export type { Database } from "./database.ts";
export { databaseErrors } from "./errors.ts";
export type { Migration } from "./migrate.ts";
export { isForeignKeyViolation, isUniqueViolation } from "./violations.ts";
export { ARM, checkpoint, isTornCopy, SEEN, tornCopyMessage } from "./dialects/sqlite/torn.ts";
export { APPLICATION_ID } from "./dialects/sqlite/application-id.ts";
