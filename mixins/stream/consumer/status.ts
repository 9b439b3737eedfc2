// Where a consumer stands, whichever node runs it: from its rows in the database and the ends of the logs that it reads.
import type { Knex } from "knex";
import type { Database } from "../../database/index.ts";
import { minutes, seconds, type DependencyState } from "../../kernel/index.ts";
import { stoppedOf } from "../log/identity.ts";
import { isAtOrPast, leastOf, type Cursor } from "../log/source.ts";
import type { StreamLimits } from "../limits.ts";
import type { CheckpointRow } from "./checkpoint.ts";
import { partitionIn, presentRows } from "../sharing/partitions.ts";
import type { SourceReader } from "./source-reader.ts";

export interface ConsumerStatus {
  readonly name: string;
  /**
   * `waiting`: for an owner, or for the lease, which another node may hold; `stopped`: at a poison event, or because its
   * cursor is not in a log, which `stopped` tells; `full`: as many streams of a source have failed as may, and it reads no
   * further until some are through. Of an ingress also `paused`, by an operator, and `off`: its bus is not configured.
   */
  readonly state: SourceReader["state"] | "full" | "paused" | "off";
  /** Logs in which its cursor is not: it reads nothing there until an operator resets it. */
  readonly stopped?: readonly { readonly source: string; readonly reason: string; readonly since: string }[];
  /** Events of its sources that lie after its checkpoints, of all types; null when a source does not answer. */
  readonly lagEvents: number | null;
  /** Milliseconds since the newest event that it has handled was recorded; 0 when nothing lies ahead. */
  readonly lagMs: number;
  /** Events that it has handled. */
  readonly events: number;
  /** Streams that wait for a person, and streams that are retried by themselves. */
  readonly parkedStreams: number;
  readonly retryingStreams: number;
  readonly sources: readonly string[];
  /** The parts in which nodes share the consumer, where they were asked for. */
  readonly partitions?: readonly PartitionStatus[];
}
export interface PartitionStatus {
  readonly partition: number;
  /** The node that reads it; null while none does. */
  readonly owner: string | null;
  /** Events of all types, of this partition and others, after its checkpoints; null when a source does not answer. */
  readonly lagEvents: number | null;
}

export interface SharedPartition {
  readonly partition: number;
  readonly owner: string | undefined;
}

/** The node's knowledge of a consumer beside its rows. */
export interface Running {
  readonly readers: readonly Pick<SourceReader, "key" | "state" | "reached">[];
  /** Number of partitions. */
  readonly count: number;
  readonly limits: Pick<StreamLimits, "failedStreamsMax">;
  /** Events of a source after a cursor; null when the source does not answer. */
  readonly lagOf: (source: string, cursor: string) => Promise<number | null>;
  /** The partitions that are to be told too, with the nodes that hold them. */
  readonly shared?: readonly SharedPartition[];
}

export async function statusOf(database: Database, name: string, running: Running): Promise<ConsumerStatus> {
  const { knex } = database;
  const { readers, limits, shared } = running;
  // Read before the rows: a reader writes why it has stopped before its state says so, and the rows follow it.
  const states = readers.map(({ state }) => state);
  const reached = new Map(readers.map(({ key, reached }) => [key.source, reached]));
  const rows: CheckpointRow[] = presentRows(await knex("checkpoints").where({ consumer: name }));
  const at = (row: CheckpointRow): Cursor => {
    const { partitions, cursor } = reached.get(row.source) ?? {};
    const isOurs = partitions?.has(partitionIn(row.partition, running.count)) ?? false;
    return isOurs && isAtOrPast(cursor!, row.cursor) ? cursor! : row.cursor;
  };
  const lags = new Lags(running);
  const sources = await Promise.all(
    [...Map.groupBy(rows, ({ source }) => source)].map(async ([source, own]) => {
      const { reason, at: since } = own.map(stoppedOf).find(stopped => stopped !== undefined) ?? {};
      return {
        source,
        ...(reason !== undefined && { stopped: { source, reason, since: since! } }),
        // No owner can tell how many events lie after a cursor that is not in its log.
        lag: reason === undefined ? await lags.of(source, leastOf(own.map(at))) : null,
        // RFC 3339 in UTC, of one length: the newest is the last.
        eventAt: own
          .map(row => row.event_at ?? "")
          .sort()
          .at(-1),
      };
    }),
  );
  const failed = await failedStreams(knex, name);
  const isFull = [...Map.groupBy(failed, ({ source }) => source).values()].some(
    own => streamsIn(own) >= limits.failedStreamsMax,
  );
  const now = await database.now();
  const ages = sources
    .filter(({ lag, eventAt }) => lag !== 0 && eventAt)
    .map(({ eventAt }) => now - Date.parse(eventAt!));
  const stopped = sources.flatMap(source => source.stopped ?? []);
  return {
    name,
    state: stopped.length > 0 ? "stopped" : isFull ? "full" : stateOf(states),
    ...(stopped.length > 0 && { stopped }),
    lagEvents: sumOf(sources.map(({ lag }) => lag)),
    lagMs: Math.max(0, ...ages),
    events: rows.reduce((sum, row) => sum + Number(row.events), 0),
    parkedStreams: streamsIn(failed.filter(({ state }) => state === "parked")),
    retryingStreams: streamsIn(failed.filter(({ state }) => state === "retrying")),
    sources: sources.map(({ source }) => source),
    ...(shared && {
      partitions: await Promise.all(
        shared.map(async ({ partition, owner }) => {
          const own = rows.filter(row => partitionIn(row.partition, running.count) === partition);
          const behind = own.map(async row => (stoppedOf(row) ? null : lags.of(row.source, at(row))));
          return { partition, owner: owner ?? null, lagEvents: sumOf(await Promise.all(behind)) };
        }),
      ),
    }),
  };
}

/** Sum of the lags; null if one of them is not known. */
const sumOf = (lags: readonly (number | null)[]): number | null =>
  lags.includes(null) ? null : lags.reduce<number>((sum, lag) => sum + lag!, 0);

/** Asks an owner once about each cursor. */
class Lags {
  readonly #ask: Running["lagOf"];
  readonly #asked = new Map<string, Promise<number | null>>();
  constructor({ lagOf }: Running) {
    this.#ask = lagOf;
  }
  of(source: string, cursor: Cursor): Promise<number | null> {
    const key = `${source} ${cursor}`;
    const asked = this.#asked.get(key) ?? this.#ask(source, cursor);
    this.#asked.set(key, asked);
    return asked;
  }
}

const stateOf = (states: readonly SourceReader["state"][]): SourceReader["state"] =>
  (["stopped", "following"] as const).find(state => states.includes(state)) ?? "waiting";

interface FailedCount {
  readonly source: string;
  readonly state: string;
  readonly streams: number | string;
}
export const failedStreams = (knex: Knex, consumer: string): Promise<FailedCount[]> =>
  knex("parked_streams")
    .where({ consumer })
    .groupBy("source", "state")
    .select("source", "state", knex.raw("count(*) as streams"));
export const streamsIn = (counts: readonly FailedCount[]): number =>
  counts.reduce((sum, { streams }) => sum + Number(streams), 0);

/** Milliseconds that the oldest event may wait for its consumer: at the first people notice, at the second it stands. */
export const LAG_LIMITS_MS = { warn: seconds(10), fail: minutes(10) } as const;

/** How a consumer stands, for operators. */
export function consumerState(consumer: ConsumerStatus): DependencyState {
  const { state, stopped, lagEvents, lagMs, parkedStreams } = consumer;
  const figures = { lagEvents, lagMs, parkedStreams };
  const events = lagEvents === null ? "an unknown number of" : lagEvents.toLocaleString("en");
  const message = `${events} events behind, ${Math.round(lagMs / 1_000)} s, ${parkedStreams} streams parked`;
  if (stopped !== undefined)
    return {
      status: "FAIL",
      message: `it stands still: its place is not in the log of ${stopped.map(({ source }) => source).join(", ")}`,
      advice: "bring the newer log back, or reset it: docs/restore.md",
      figures,
    };
  if (state === "stopped" || state === "full" || parkedStreams > 0)
    return {
      status: "FAIL",
      message: state === "full" ? `${message}: it reads no further` : message,
      advice: "mend the cause, then retry its dead letters",
      figures,
    };
  if (lagMs >= LAG_LIMITS_MS.fail || lagMs >= LAG_LIMITS_MS.warn || lagEvents === null)
    return {
      status: lagMs >= LAG_LIMITS_MS.fail ? "FAIL" : "warn",
      message,
      advice:
        lagEvents === null
          ? "a service whose events it takes does not answer"
          : "see its log, and whether transactions hold up the readers",
      figures,
    };
  return { status: "ok", message, figures };
}
