// Compares the copy with its source: by content, not only by count. Each database sums up its own rows, by stream and
// independent of their order, and only the sums travel.
import type { ClientBase } from "pg";
import { pairsOf, STREAM_COLUMNS, type Ids, type StreamRow } from "./reshard-copy.ts";

/** Rows of a table that differ. */
export interface Difference {
  /** The source's id. */
  readonly stream: number;
  readonly name: string;
  readonly table: string;
  readonly source: Sum;
  readonly target: Sum;
}
interface Sum {
  readonly count: number;
  readonly sum: string;
}
const NONE: Sum = { count: 0, sum: "0" };

const sumOf = (columns: string): string =>
  `count(*)::integer as count, sum(('x' || left(md5(row(${columns})::text), 15))::bit(60)::bigint)::text as sum`;
const EVENT = "version, type, schema_version, data, metadata, recorded_at";
const COMMAND = "command_id, version, kind, fingerprint, answer";
const REST: Readonly<Record<string, string>> = {
  snapshots: "version, schema, state",
  timers: "id, command, params, due_at, next_at, attempts, cause",
  sagas: "id, state, reason, started_at, updated_at",
};

interface Sides {
  readonly from: ClientBase;
  readonly to: ClientBase;
}
/** Sums by stream. */
type Sums = ReadonlyMap<number, Sum>;
const sumsIn = (rows: readonly ({ readonly stream: number } & Sum)[]): Map<number, Sum> =>
  new Map(rows.map(({ stream, count, sum }) => [stream, { count, sum }]));

/** Compares a table's rows of these streams: `sums` runs on either side, with that side's ids. */
async function compare(
  { from, to }: Sides,
  table: string,
  { streams, ids }: { streams: readonly StreamRow[]; ids: Ids },
  sums: (client: ClientBase, streams: readonly number[], isTarget: boolean) => Promise<Sums>,
): Promise<Difference[]> {
  if (streams.length === 0) return [];
  const [ours, theirs] = await Promise.all([
    sums(
      from,
      streams.map(({ id }) => id),
      false,
    ),
    sums(
      to,
      streams.map(({ id }) => ids.get(id)!),
      true,
    ),
  ]);
  return streams.flatMap(({ id, name }) => {
    const [source, target] = [ours.get(id) ?? NONE, theirs.get(ids.get(id)!) ?? NONE];
    return source.count === target.count && source.sum === target.sum
      ? []
      : [{ stream: id, name, table, source, target }];
  });
}

export interface Compared {
  readonly streams: readonly StreamRow[];
  readonly ids: Ids;
  /** The version up to which each stream's events are known to be equal; none for a stream that was not compared. */
  readonly equalUpTo: Map<number, number>;
}

/**
 * Streams, events, snapshots, timers, sagas. Of events only those after the version that is known to be equal, which
 * then rises.
 */
export async function compareStreams(sides: Sides, compared: Compared): Promise<Difference[]> {
  const { streams, equalUpTo } = compared;
  const differences = await compare(sides, "streams", compared, async (client, ids) => {
    const columns = STREAM_COLUMNS.replace("id, ", "");
    const { rows } = await client.query(
      `select id as stream, ${sumOf(columns)} from streams where id = any($1) group by id`,
      [ids],
    );
    return sumsIn(rows);
  });
  for (const table of ["events", "archived_events"]) {
    // The events of a stream that was archived meanwhile lie in another table than the one that was compared.
    const after = streams.map(({ id, archived_at }) => (archived_at === null ? (equalUpTo.get(id) ?? 0) : 0));
    // The source goes on meanwhile; events beyond these on the target come from another writer.
    const upTo = streams.map(({ version }) => version);
    const found = await compare(sides, table, compared, async (client, ids, isTarget) => {
      const { rows } = await client.query(
        `select e.stream, ${sumOf(EVENT.replaceAll(/\w+/g, "e.$&"))}
         from unnest($1::bigint[], $2::integer[], $3::integer[]) t(stream, after, up_to)
         join ${table} e on e.stream = t.stream and e.version > t.after and e.version <= t.up_to group by e.stream`,
        [ids, after, isTarget ? upTo.map(() => MAX_INTEGER) : upTo],
      );
      return sumsIn(rows);
    });
    differences.push(...found);
  }
  for (const [table, columns] of Object.entries(REST))
    differences.push(
      ...(await compare(sides, table, compared, async (client, ids) => {
        const { rows } = await client.query(
          `select stream, ${sumOf(columns)} from ${table} where stream = any($1) group by stream`,
          [ids],
        );
        return sumsIn(rows);
      })),
    );
  const unequal = new Set(differences.filter(({ table }) => table.endsWith("events")).map(({ stream }) => stream));
  for (const { id, version } of streams)
    if (unequal.has(id)) equalUpTo.delete(id);
    else equalUpTo.set(id, version);
  return differences;
}
const MAX_INTEGER = 2_147_483_647;

/**
 * All commands of these streams except those that are noted as added: they are compared when they are copied. The
 * source reads notes and commands in one statement, so that it sees both of a transaction or neither.
 */
export async function compareCommands(
  { from, to }: Sides,
  compared: Omit<Compared, "equalUpTo">,
): Promise<Difference[]> {
  const { ids } = compared;
  const { rows } = await from.query(
    `with noted as (select stream, command_id from reshard_changes where stream = any($1) and command_id is not null),
     sums as (
       select stream, ${sumOf(COMMAND)} from commands
       where stream = any($1) and (stream, command_id) not in (select stream, command_id from noted) group by stream
     )
     select (select coalesce(jsonb_agg(noted), '[]') from noted) as noted, (select coalesce(jsonb_agg(sums), '[]') from sums) as sums`,
    [[...ids.keys()]],
  );
  const { noted, sums } = rows[0] as {
    noted: { stream: number; command_id: string }[];
    sums: ({ stream: number } & Sum)[];
  };
  return compare({ from, to }, "commands", compared, async (client, streams, isTarget) => {
    if (!isTarget) return sumsIn(sums);
    const { rows: theirs } = await client.query(
      `select stream, ${sumOf(COMMAND)} from commands
       where stream = any($1) and (stream, command_id) not in (select * from unnest($2::bigint[], $3::text[])) group by stream`,
      [streams, noted.map(({ stream }) => ids.get(stream)), noted.map(({ command_id: id }) => id)],
    );
    return sumsIn(theirs);
  });
}

/** These commands only. */
export async function compareCommandsOf(
  sides: Sides,
  compared: Omit<Compared, "equalUpTo">,
  commands: ReadonlyMap<number, readonly string[]>,
): Promise<Difference[]> {
  return compare(sides, "commands", compared, async (client, _streams, isTarget) => {
    const { rows } = await client.query(
      `select c.stream, ${sumOf(COMMAND.replaceAll(/\w+/g, "c.$&"))}
       from unnest($1::bigint[], $2::text[]) t(stream, command_id)
       join commands c on c.stream = t.stream and c.command_id = t.command_id group by c.stream`,
      pairsOf(commands, isTarget ? compared.ids : undefined),
    );
    return sumsIn(rows);
  });
}
