// Which databases make up a service's store. Each says so itself, in a row of its own: so the order of the URLs means
// nothing, and one that is missing, named twice or of another store is found before anything is written.
import type { ClientBase } from "pg";
import { readPostgresUrl } from "../../postgres-url.ts";
import type { PostgresLocation } from "../../location.ts";
import { newId } from "../../../kernel/index.ts";
import { databaseErrors } from "../../errors.ts";
import { connectionOf } from "./connection.ts";
import { prepareDatabase } from "./prepare.ts";
import { Session } from "./session.ts";

export interface Shard {
  readonly url: string;
  /** From 0 on. Shard 0 also holds the service's own tables. */
  readonly number: number;
  /** It was added to a store that had all its buckets elsewhere. */
  readonly isLate: boolean;
  /** How many shards the store has. */
  readonly shards: number;
  /** Host, port and database, for people. */
  readonly place: string;
  /** A pooler stands between: a session's settings and locks do not last. */
  readonly isPooled: boolean;
}

/** The row by which a database knows its shard. */
interface Row {
  readonly store: string;
  readonly number: number;
  readonly shards: number;
  readonly is_late: boolean;
}
interface Named {
  readonly place: string;
  readonly row: Row | undefined;
}
interface Candidate extends Named {
  readonly url: string;
  readonly client: Session;
  row: Row | undefined;
}

/**
 * The service's shards, by number. Databases that are all new are made shards of a new store.
 * @throws Bug `SHARD_MISSING`, `SHARD_UNKNOWN`, `SHARD_TWICE`: the URLs name less than the whole store, or more.
 */
export const shardsOf = (location: PostgresLocation): Promise<readonly Shard[]> =>
  withCandidates(location, async candidates => {
    const known = candidates.filter(({ row }) => row !== undefined);
    const fresh = candidates.filter(({ row }) => row === undefined);
    const [first] = known;
    if (!first) {
      const store = newId();
      for (const [number, candidate] of fresh.entries())
        await become(candidate, { store, number, shards: candidates.length, is_late: false });
    } else {
      checkShards(candidates);
      const { store, shards } = first.row!;
      const free = numbers(shards).filter(number => known.every(({ row }) => row!.number !== number));
      for (const [i, candidate] of fresh.entries())
        await become(candidate, { store, number: free[i]!, shards, is_late: false });
    }
    return toShards(candidates);
  });

/** Makes new databases shards that own nothing yet, and tells all how many they are. A repetition goes on where it was. */
export const addShards = (location: PostgresLocation): Promise<readonly Shard[]> =>
  withCandidates(location, async candidates => {
    const known = candidates.filter(({ row }) => row !== undefined);
    const fresh = candidates.filter(({ row }) => row === undefined);
    if (known.length === 0) throw databaseErrors.SHARD_MISSING();
    check(known);
    const shards = candidates.length;
    const { store } = known[0]!.row!;
    const taken = Math.max(...known.map(({ row }) => row!.number)) + 1;
    if (taken > known.length)
      throw databaseErrors.SHARD_MISSING({
        message: `the store has at least ${taken} shards, but only ${places(known)} are named`,
      });
    for (const [i, candidate] of fresh.entries())
      await become(candidate, { store, number: taken + i, shards, is_late: true });
    for (const candidate of known) {
      await candidate.client.query("update shard set shards = $1", [shards]);
      candidate.row = { ...candidate.row!, shards };
    }
    return toShards(candidates);
  });

/** Connects to every database, one start at a time. */
async function withCandidates<T>(
  location: PostgresLocation,
  work: (candidates: readonly Candidate[]) => Promise<T>,
): Promise<T> {
  const candidates: Candidate[] = [];
  try {
    for (const url of location.shards) {
      await prepareDatabase(url, location);
      const client = new Session(connectionOf(url, location));
      client.on("error", () => {}); // a lost connection rejects the queries that wait for it
      await client.connect();
      candidates.push({ url, place: readPostgresUrl(url).place, client, row: undefined });
    }
    // The same one for all starts, in whatever order they name the databases.
    const guard = candidates.toSorted((a, b) => (a.place < b.place ? -1 : 1))[0]!.client;
    await guard.query("begin");
    await guard.query("select pg_advisory_xact_lock(hashtext('shards ' || current_schema))");
    for (const candidate of candidates) candidate.row = await rowOf(candidate.client);
    const result = await work(candidates);
    await guard.query("commit");
    return result;
  } finally {
    await Promise.all(candidates.map(({ client }) => client.end().catch(() => {})));
  }
}

async function rowOf(client: ClientBase): Promise<Row | undefined> {
  const { rows } = await client.query("select to_regclass('shard') is not null as is_there");
  if (!rows[0].is_there) return undefined;
  return (await client.query<Row>("select store, number, shards, is_late from shard")).rows[0];
}

async function become(candidate: Candidate, row: Row): Promise<void> {
  await candidate.client.query(
    "create table if not exists shard (store uuid not null, number smallint not null, shards smallint not null, is_late boolean not null)",
  );
  const values = [row.store, row.number, row.shards, row.is_late];
  await candidate.client.query("insert into shard (store, number, shards, is_late) values ($1, $2, $3, $4)", values);
  candidate.row = row;
}

/**
 * Throws Bug `SHARD_MISSING`, `SHARD_UNKNOWN` or `SHARD_TWICE` when the URLs name less than the whole store, or more; at
 * least one of them knows the store. A first start that was killed half-way has made only some of them shards: that is no
 * error.
 */
export function checkShards(candidates: readonly Named[]): void {
  const known = candidates.filter(({ row }) => row !== undefined);
  const fresh = candidates.filter(({ row }) => row === undefined);
  check(known);
  const { shards } = known[0]!.row!;
  if (known.length + fresh.length < shards) {
    const missing = numbers(shards).filter(number => known.every(({ row }) => row!.number !== number));
    throw databaseErrors.SHARD_MISSING({
      message: `the store has ${shards} shards, but of them only ${places(known)} ${known.length === 1 ? "is" : "are"} named: missing ${missing.join(", ")}`,
    });
  }
  const isUnfinished = known.length + fresh.length === shards && known.every(({ row }) => !row!.is_late);
  if (fresh.length > 0 && !isUnfinished) throw databaseErrors.SHARD_UNKNOWN({ place: places(fresh) });
}

function check(known: readonly Named[]): void {
  const [first] = known;
  const foreign = known.filter(({ row }) => row!.store !== first!.row!.store);
  if (foreign.length > 0)
    throw databaseErrors.SHARD_UNKNOWN({ message: `${places(foreign)} belongs to another store than ${first!.place}` });
  for (const { row, place } of known)
    if (known.filter(other => other.row!.number === row!.number).length > 1)
      throw databaseErrors.SHARD_TWICE({ number: row!.number, place });
}

const toShards = (candidates: readonly Candidate[]): Shard[] =>
  candidates
    .map(({ url, place, row }) => ({
      url,
      place,
      number: row!.number,
      isLate: row!.is_late,
      shards: row!.shards,
      isPooled: readPostgresUrl(url).isPooled,
    }))
    .sort((a, b) => a.number - b.number);

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const places = (candidates: readonly Named[]): string => candidates.map(({ place }) => place).join(", ");
