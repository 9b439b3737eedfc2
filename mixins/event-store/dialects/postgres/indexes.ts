/**
 * The indexes that the schema makes, by table, as `npm run doctor` looks for them: columns as Postgres writes them. A test
 * compares the list with a database that is new.
 */
export const STORE_INDEXES: Readonly<Record<string, readonly string[]>> = {
  streams: ["unique (id)", "unique (name)", "(quarantined_at) WHERE (quarantined_at IS NOT NULL)"],
  events: ["unique (stream, version)", '(xid, "position")'],
  archived_events: ["unique (stream, version)", '(xid, "position")'],
  commands: ["unique (command_id, stream)"],
  snapshots: ["unique (stream)"],
  timers: ["unique (id)", "(next_at, id)"],
  sagas: ["unique (id)", "(state, started_at, id)"],
  buckets: ["unique (bucket)"],
  store_schema: ["unique (version)"],
};
