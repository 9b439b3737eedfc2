// Errors of the event store: of appends and reads, of stored events, of opening and of resharding.
import { defineErrors } from "../kernel/index.ts";

export const storeErrors = defineErrors({
  STORE_UNAVAILABLE: {
    status: 503,
    unknown: 504,
    says: "the event store cannot be reached",
    todo: "repeat the command later; see whether the service's database runs",
  },
  STORE_CLOSED: {
    status: 503,
    says: "the event store is closed",
    todo: "repeat the command: this node is stopping, another one answers",
  },
  COMMIT_FAILED: {
    status: 503,
    unknown: 504,
    says: "the commit failed",
    todo: "repeat the command; see whether the database's disk is full",
  },
  BUCKET_MOVED: {
    status: 503,
    retryAfterMs: 500,
    says: "{stream} is on its way to another shard",
    todo: "repeat the command in a moment",
  },
  UNREADABLE_HERE: {
    status: 503,
    retryAfterMs: 1_000,
    says: "the release that runs on this node cannot read the record",
    todo: "wait for the roll-out to end; if it goes on, start the release that wrote the record",
  },
  CURSOR_UNREADABLE: {
    status: 500,
    says: '"{cursor}" is not a cursor of this event store',
    todo: "find out where the cursor comes from: another store or another dialect made it",
  },
  EVENT_NEWER: {
    status: 500,
    says: "{type}: stored in version {stored}, this code knows {known}",
    todo: "start the release that wrote the event",
  },
  UPCASTER_MISSING: {
    status: 500,
    says: "{type}: no upcaster from version {version} to {next}",
    todo: "add the upcaster to the actor's definition",
  },
  UPCASTER_WRONG: {
    status: 500,
    says: "{type}: the upcaster from version {version} gave no object that JSON can hold",
    todo: "mend the upcaster",
  },
  STORE_TORN: {
    status: 500,
    says: "{filename} is a copy that was made without its write-ahead log",
    todo: "copy the log, `<file>-wal`, too, or go on with less: `npx valence accept-copy`",
  },
  STORE_UNREADABLE: {
    status: 500,
    says: "{place} cannot be opened as an event store: {reason}",
    todo: "see the cause in the log: rights, a damaged file, or another program's database",
  },
  STORE_SCHEMA_NEWER: {
    status: 500,
    says: "{place}: the event store has schema {version}, this code knows {known}; start the newer release",
    todo: "start the newer release",
  },
  STORE_INCOMPLETE: {
    status: 500,
    says: "{missing} of {buckets} buckets have no owner: is a shard missing?",
    todo: "name every shard of the store in the service's `DATABASE_URL`",
  },
  RESHARD_POOLED: {
    status: 500,
    says: "{place}: resharding needs a session of its own, not a pooler's",
    todo: "run `npx valence reshard` with URLs that lead past the pooler",
  },
  RESHARD_RUNNING: {
    status: 500,
    says: "another reshard is at work on this store, at {place}",
    todo: "wait for its end, then run `npx valence reshard` again",
  },
  RESHARD_DIFFERS: {
    status: 500,
    says: "buckets {buckets} stay at {place}: {why}",
    todo: "find the program that writes to the target; the buckets are the source's again",
  },
});
