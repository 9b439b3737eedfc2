// Errors of a service's database, and of its shards.
import { defineErrors } from "../kernel/index.ts";

export const databaseErrors = defineErrors({
  DATABASE_BUSY: {
    status: 503,
    retryAfterMs: 200,
    says: "the database is busy",
    todo: "repeat the call; on SQLite the file stayed locked, on Postgres there was no free connection, a lock was held too long, or there was a deadlock",
  },
  DATABASE_UNAVAILABLE: {
    status: 503,
    unknown: 504,
    retryAfterMs: 1_000,
    says: "the database cannot be reached",
    todo: "repeat the call later; see whether Postgres runs",
  },
  FILE_TORN: {
    status: 500,
    says: "{filename} is a copy that was made without its write-ahead log",
    todo: "copy the log, `<file>-wal`, too, or go on with less: `npx valence accept-copy`",
  },
  FILE_UNREADABLE: {
    status: 500,
    says: "{filename}: {reason}",
    todo: "put a database, or nothing, where the service's file is expected",
  },
  SHARD_MISSING: {
    status: 500,
    says: "none of the databases is a shard of a store",
    todo: "name every shard of the store in the service's `DATABASE_URL`",
  },
  SHARD_UNKNOWN: {
    status: 500,
    says: "{place} is no shard of the store: `npx valence reshard` makes it one",
    todo: "run `npx valence reshard`, or take the database out of the service's `DATABASE_URL`",
  },
  SHARD_TWICE: {
    status: 500,
    says: "shard {number} is named twice: {place}",
    todo: "name each shard once in the service's `DATABASE_URL`",
  },
});
