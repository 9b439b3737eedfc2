export type { Database } from "./database.ts";
export type { Migration } from "./migrate.ts";
export { isForeignKeyViolation, isUniqueViolation } from "./violations.ts";
