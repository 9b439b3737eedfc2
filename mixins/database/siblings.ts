// The door for sibling floors, `broker/` and scripts: connections, shards and pools, which a service leaves to its mixins.
export { connectionOf } from "./dialects/postgres/connection.ts";
export { endsConnection, isContended, isGone, isOfConnection, refused, stateOf } from "./dialects/postgres/failures.ts";
export { prepareDatabase } from "./dialects/postgres/prepare.ts";
export { Session, type SessionConfig } from "./dialects/postgres/session.ts";
export { addShards, checkShards, shardsOf, type Shard } from "./dialects/postgres/shards.ts";
export { isBusy, LockQueue } from "./dialects/sqlite/lock-queue.ts";
export { answerState, type PoolUse } from "./health.ts";
export { databaseOf, leaveCheckpointsOf } from "./service-database.ts";
export { BOOKKEEPING, tracedStatements, type DatabaseSystem } from "./statements.ts";
export { keepsTables, updateTables } from "./tables.ts";
