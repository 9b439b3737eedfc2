export { closeWithBroker } from "./closing.ts";
export type { Database } from "./database.ts";
export { connectionOf, readUrl } from "./dialects/postgres/connection.ts";
export { endsConnection, isContended, isGone, stateOf } from "./dialects/postgres/failures.ts";
export { addShards, checkShards, shardsOf, type Shard } from "./dialects/postgres/shards.ts";
export { migrate, type Migration } from "./migrate.ts";
export { openDatabase, type DatabaseOptions } from "./open.ts";
export { databaseOf, leaveCheckpointsOf, Sql } from "./service-database.ts";
export { isForeignKeyViolation, isUniqueViolation } from "./violations.ts";
