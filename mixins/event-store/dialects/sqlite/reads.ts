// Every read of the store, as prepared statements in the writer thread. Each is bounded by its limit: the callers ask
// in chunks, so that a long stream does not keep commits waiting.
import { bucketOf } from "../../buckets.ts";
import type { Connection } from "./connection.ts";
import type { LoadedRows, Row } from "./wire.ts";

/** A start that no saga has: later than any. */
const LATEST = "9223372036854775807";

const EVENT = "position, version, type, schema_version, data, metadata, recorded_at";

export function reader(connection: Connection) {
  connection.database.function("bucket_of", { deterministic: true }, name => bucketOf(name as string));
  const rows = (sql: string) => {
    const statement = connection.prepare(sql);
    return (...args: (string | number | null)[]) => statement.all(...args) as unknown as Row[];
  };
  const row = (sql: string) => {
    const statement = connection.prepare(sql);
    return (...args: (string | number | null)[]) => statement.get(...args) as unknown as Row | undefined;
  };
  const stream = row("select id, version, quarantine_reason, archived_at from streams where name = ?");
  const snapshot = row("select version, schema, state from snapshots where stream = ? and schema = ?");
  const inStream = (table: string) =>
    rows(`select ${EVENT} from ${table} where stream = ? and version >= ? order by version limit ?`);
  const [hotFrom, coldFrom] = [inStream("events"), inStream("archived_events")];
  const afterPosition = (table: string) =>
    `select * from (select * from ${table} where position > ?1 order by position limit ?2)`;
  const newestPosition = row("select coalesce((select seq from sqlite_sequence where name = 'events'), 0)");
  const streamCount = row("select count(*) from streams where version > 0");
  const highestStream = row("select coalesce(max(id), 0) from streams");
  const inRange = (table: string) => `select * from ${table} where position < ?1 and position >= ?2`;
  const bothInRange = `(${inRange("events")} union all ${inRange("archived_events")})`;
  const looked = row(`select count(*), min(recorded_at) from ${bothInRange}`);
  const holding = rows(
    `select position, e.version, type, schema_version, data, metadata, recorded_at, s.name
     from ${bothInRange} e join streams s on s.id = e.stream
     where instr(metadata, ?3) > 0 or instr(data, ?3) > 0 order by position desc`,
  );
  const identity = row("select identity from log_identity");

  return {
    load(name: string, snapshotSchema: number, limit: number): LoadedRows | undefined {
      const found = stream(name) as [number, number, string | null, number | null] | undefined;
      if (!found) return undefined;
      const [id, version, quarantine, archivedAt] = found;
      const eventsFrom = archivedAt === null ? hotFrom : coldFrom;
      const usable = snapshot(id, snapshotSchema);
      const from = usable ? (usable[0] as number) + 1 : 1;
      const events = version < from ? [] : eventsFrom(id, from, limit);
      return { version, quarantine, archived: archivedAt !== null, snapshot: usable, events };
    },
    readStream(name: string, from: number, limit: number): Row[] {
      const [id, , , archivedAt] = stream(name) ?? [];
      return id === undefined ? [] : (archivedAt === null ? hotFrom : coldFrom)(id, from, limit);
    },
    findCommand: row(
      `select command_id, kind, fingerprint, c.version, answer
       from streams s join commands c on c.stream = s.id where s.name = ?1 and command_id = ?2`,
    ),
    /** One writer at a time makes the order of positions the order of commits: nothing appears later before a position. */
    readAll: rows(
      `select position, e.version, type, schema_version, data, metadata, recorded_at, s.name
       from (${afterPosition("events")} union all ${afterPosition("archived_events")}) e
       join streams s on s.id = e.stream order by position limit ?2`,
    ),
    head: (): number => newestPosition()![0] as number,
    identity: (): string => identity()![0] as string,
    streams: rows(
      `select name, version, archived_at is not null from streams
       where version > 0 and id > coalesce((select id from streams where name = ?1), 0) order by id limit ?2`,
    ),
    streamsByName: rows(
      `select name, version, archived_at is not null from streams
       where version > 0 and name > ?1 order by name limit ?2`,
    ),
    streamCount: (): number => streamCount()![0] as number,
    timers: rows(
      `select t.id, s.name, command, params, due_at, attempts, next_at, cause
       from timers t join streams s on s.id = t.stream order by next_at, t.id limit ?`,
    ),
    timersOfPart: rows(
      `select t.id, s.name, command, params, due_at, attempts, next_at, cause
       from timers t join streams s on s.id = t.stream
       where bucket_of(s.name) % ?2 in (select value from json_each(?3)) order by next_at, t.id limit ?1`,
    ),
    listedTimers: rows(
      `select t.id, s.name, command, params, due_at, attempts, next_at, cause
       from timers t join streams s on s.id = t.stream
       where ?2 is null or (next_at, t.id) > (?2, ?3) order by next_at, t.id limit ?1`,
    ),
    search(text: string, below: number, positions: number) {
      const from = Math.max(1, below - positions);
      const [seen, at] = looked(below, from) as [number, number | null];
      return { from, seen, at, rows: holding(below, from, text) };
    },
    /** Ids and positions have hardly a gap, and cost nothing to look up. */
    size: () => ({ streams: highestStream()![0] as number, events: newestPosition()![0] as number }),
    /** One state, so that a page is a range of the index: with several, each page would sort all of them. */
    sagas: rows(
      `select id, state, reason, started_at, updated_at from sagas
       where state = ?1 and (updated_at <= ?2 - ?3 or updated_at > ?2)
         and (started_at, id) > (case ?4 when '' then -1 else (select started_at from sagas where id = ?4) end, ?4)
       order by started_at, id limit ?5`,
    ),
    newestSagas: rows(
      `select id, state, reason, started_at, updated_at from sagas
       where state = ?1 and (updated_at <= ?2 - ?3 or updated_at > ?2)
         and (started_at, id) < (case ?4 when '' then ${LATEST} else (select started_at from sagas where id = ?4) end, ?4)
       order by started_at desc, id desc limit ?5`,
    ),
    quarantined: rows(
      `select name, quarantine_reason, quarantined_at from streams
       where quarantined_at is not null and (?2 is null or (quarantined_at, name) > (?2, ?3))
       order by quarantined_at, name limit ?1`,
    ),
  };
}
