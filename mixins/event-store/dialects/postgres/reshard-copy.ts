// Copies streams and all that belongs to them from one shard to another. To copy again changes nothing.
//
// A stream is copied in order of version, and its place in the target's log is a new one: readers of the log meet it
// twice and know it by its versions.
import type { ClientBase } from "pg";

const limits = {
  /** Rows of one read. */
  rows: 2_000,
  /** Characters of one insert, unless one row has more. */
  statementChars: 16_000_000,
};

/** A row of `streams`. */
export interface StreamRow {
  readonly id: number;
  readonly name: string;
  readonly version: number;
  readonly archived_at: number | null;
}
export const STREAM_COLUMNS = "id, name, bucket, version, archived_at, quarantined_at, quarantine_reason";
/** Ids on the target by id on the source. */
export type Ids = ReadonlyMap<number, number>;

export async function copyStreams(to: ClientBase, streams: readonly StreamRow[]): Promise<Ids> {
  const { rows } = await to.query(
    `insert into streams (name, bucket, version, archived_at, quarantined_at, quarantine_reason)
     select * from jsonb_to_recordset($1) as t(name text, bucket smallint, version integer, archived_at bigint, quarantined_at bigint, quarantine_reason text)
     on conflict (name) do update set version = excluded.version, archived_at = excluded.archived_at,
       quarantined_at = excluded.quarantined_at, quarantine_reason = excluded.quarantine_reason
     returning id, name`,
    [JSON.stringify(streams)],
  );
  const byName = new Map(rows.map(row => [row.name, row.id]));
  // Archived since the first copy: its events lie in the cold part now.
  const archived = streams.filter(({ archived_at }) => archived_at !== null).map(({ name }) => byName.get(name));
  if (archived.length > 0) await to.query("delete from events where stream = any($1)", [archived]);
  return new Map(streams.map(({ id, name }) => [id, byName.get(name)]));
}

/** Events of one stream: those after version `after`, up to `upTo`. */
interface Range {
  readonly stream: number;
  readonly after: number;
  readonly upTo: number;
}

/** Copies the events that the target lacks, up to the streams' versions. Resolves with their number. */
export async function copyEvents(
  from: ClientBase,
  to: ClientBase,
  streams: readonly StreamRow[],
  ids: Ids,
): Promise<number> {
  let copied = 0;
  for (const [table, isCold] of [
    ["events", false],
    ["archived_events", true],
  ] as const) {
    const own = streams.filter(({ archived_at }) => (archived_at !== null) === isCold);
    if (own.length === 0) continue;
    // A look-up each: to group the events of a long stream would read all of them.
    const { rows: heads } = await to.query(
      `select t.stream, (select max(version) from ${table} e where e.stream = t.stream) as version from unnest($1::bigint[]) t(stream)`,
      [own.map(({ id }) => ids.get(id))],
    );
    const known = new Map(heads.map(row => [row.stream, row.version]));
    for (const ranges of inPages(own, stream => known.get(ids.get(stream)) ?? 0))
      copied += await copyRanges(from, to, table, ranges, ids);
  }
  return copied;
}

/** Ranges of all streams, a page of rows at a time. */
function* inPages(streams: readonly StreamRow[], afterOf: (stream: number) => number): Generator<Range[]> {
  let page: Range[] = [];
  let rows = 0;
  for (const { id: stream, version } of streams)
    for (let after = afterOf(stream); after < version;) {
      const upTo = Math.min(version, after + limits.rows - rows);
      page.push({ stream, after, upTo });
      rows += upTo - after;
      after = upTo;
      if (rows < limits.rows) continue;
      yield page;
      page = [];
      rows = 0;
    }
  if (page.length > 0) yield page;
}

async function copyRanges(
  from: ClientBase,
  to: ClientBase,
  table: string,
  ranges: readonly Range[],
  ids: Ids,
): Promise<number> {
  const COLUMNS = "version, type, schema_version, data, metadata, recorded_at";
  const { rows } = await from.query(
    `select e.stream, ${COLUMNS} from unnest($1::bigint[], $2::integer[], $3::integer[]) t(stream, after, up_to)
     join ${table} e on e.stream = t.stream and e.version > t.after and e.version <= t.up_to order by e.stream, e.version`,
    [ranges.map(({ stream }) => stream), ranges.map(({ after }) => after), ranges.map(({ upTo }) => upTo)],
  );
  for (const some of jsonOf(rows, ids))
    await to.query(
      `insert into ${table} (stream, ${COLUMNS}, position, xid) overriding system value
       select stream, ${COLUMNS}, nextval(pg_get_serial_sequence('events', 'position')), pg_current_xact_id() from jsonb_to_recordset($1) as t(stream bigint, version integer, type text,
         schema_version integer, data text, metadata text, recorded_at bigint) order by stream, version
       on conflict (stream, version) do nothing`,
      [some],
    );
  return rows.length;
}

const COMMAND_COLUMNS = "stream, command_id, version, kind, fingerprint, answer";

/** Copies the commands of streams whose count differs: commands are never changed and never removed. */
export async function copyCommands(from: ClientBase, to: ClientBase, ids: Ids): Promise<void> {
  const COUNT = "select stream, count(*) as count from commands where stream = any($1) group by stream";
  const [source, target] = await Promise.all([
    from.query(COUNT, [[...ids.keys()]]),
    to.query(COUNT, [[...ids.values()]]),
  ]);
  const known = new Map(target.rows.map(row => [row.stream, row.count]));
  const differing = source.rows.filter(row => row.count !== known.get(ids.get(row.stream)));
  let page: number[] = [];
  let count = 0;
  for (const [i, row] of differing.entries()) {
    page.push(row.stream);
    count += row.count;
    if (count < limits.rows && i < differing.length - 1) continue;
    // More than a page is one long stream at most, and few others.
    for (let at = { stream: 0, command_id: "" }; ;) {
      const { rows } = await from.query(
        `select ${COMMAND_COLUMNS} from commands
         where stream = any($1) and (stream, command_id) > ($2::bigint, $3::text) order by stream, command_id limit $4`,
        [page, at.stream, at.command_id, limits.rows],
      );
      await insertCommands(to, rows, ids);
      if (rows.length < limits.rows) break;
      at = rows.at(-1);
      page = page.filter(stream => stream >= at.stream);
    }
    page = [];
    count = 0;
  }
}

/** Pairs of a stream and the id of a command on it, as two arrays. */
export function pairsOf(commands: ReadonlyMap<number, readonly string[]>, ids?: Ids): [number[], string[]] {
  const pairs = [...commands].flatMap(([stream, own]) => own.map(id => [ids?.get(stream) ?? stream, id] as const));
  return [pairs.map(([stream]) => stream), pairs.map(([, id]) => id)];
}

/** Copies only these commands. */
export async function copyCommandsOf(
  from: ClientBase,
  to: ClientBase,
  commands: ReadonlyMap<number, readonly string[]>,
  ids: Ids,
): Promise<void> {
  const { rows } = await from.query(
    `select ${COMMAND_COLUMNS} from unnest($1::bigint[], $2::text[]) t(stream, command_id) join commands using (command_id, stream)`,
    pairsOf(commands),
  );
  await insertCommands(to, rows, ids);
}

async function insertCommands(to: ClientBase, rows: readonly { readonly stream: number }[], ids: Ids): Promise<void> {
  for (const some of jsonOf(rows, ids))
    await to.query(
      `insert into commands (${COMMAND_COLUMNS})
       select * from jsonb_to_recordset($1) as t(stream bigint, command_id text, version integer, kind text, fingerprint text, answer text)
       on conflict do nothing`,
      [some],
    );
}

/** Copies tables whose rows change and go: the target gets the source's present rows. */
export async function copyRest(from: ClientBase, to: ClientBase, ids: Ids): Promise<void> {
  const TABLES = {
    snapshots: "version integer, schema integer, state text",
    timers: "id text, command text, params text, due_at bigint, next_at bigint, attempts integer, cause text",
    sagas: "id text, state text, reason text, started_at bigint, updated_at bigint",
  };
  for (const [table, types] of Object.entries(TABLES)) {
    const columns = types.replaceAll(/ (text|integer|bigint)/g, "");
    const { rows } = await from.query(`select stream, ${columns} from ${table} where stream = any($1)`, [
      [...ids.keys()],
    ]);
    await inTransaction(to, async () => {
      await to.query(`delete from ${table} where stream = any($1)`, [[...ids.values()]]);
      for (const some of jsonOf(rows, ids))
        await to.query(
          `insert into ${table} (stream, ${columns}) select stream, ${columns} from jsonb_to_recordset($1) as t(stream bigint, ${types})`,
          [some],
        );
    });
  }
}

/** Rows as JSON, with the target's ids of their streams; in parts, since a jsonb value holds no more than 256 MB. */
function* jsonOf(rows: readonly { readonly stream: number }[], ids: Ids): Generator<string> {
  let part: string[] = [];
  let chars = 0;
  for (const row of rows) {
    const json = JSON.stringify({ ...row, stream: ids.get(row.stream) });
    if (chars > 0 && chars + json.length > limits.statementChars) {
      yield `[${part.join(",")}]`;
      part = [];
      chars = 0;
    }
    part.push(json);
    chars += json.length;
  }
  if (part.length > 0) yield `[${part.join(",")}]`;
}

export async function inTransaction(client: ClientBase, work: () => Promise<unknown>): Promise<void> {
  await client.query("begin");
  try {
    await work();
    await client.query("commit");
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
}
