// Where a consumer stands, whichever node runs it: from its rows in the database and the ends of the logs that it reads.
import type { Knex } from "knex";
import type { Database } from "../../database/index.ts";
import { minutes, seconds, type DependencyState } from "../../kernel/index.ts";
import { stoppedOf } from "../log/identity.ts";
import type { StreamLimits } from "../limits.ts";
import type { PartitionReader } from "./partition-reader.ts";

export interface ConsumerStatus {
  readonly name: string;
  /**
   * `waiting`: for an owner, or for the lease, which another node may hold; `stopped`: at a poison event, or because its
   * cursor is not in a log, which `stopped` tells; `full`: as many streams of a source have failed as may, and it reads no
   * further until some are through.
   */
  readonly state: PartitionReader["state"] | "full";
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
}

/** The node's knowledge of a consumer beside its rows. */
export interface Running {
  /** States of its readers here. */
  readonly states: readonly PartitionReader["state"][];
  readonly limits: Pick<StreamLimits, "failedStreamsMax">;
  /** Events of a source after a cursor; null when the source does not answer. */
  readonly lagOf: (source: string, cursor: string) => Promise<number | null>;
}

export async function statusOf(
  database: Database,
  name: string,
  { states, limits, lagOf }: Running,
): Promise<ConsumerStatus> {
  const { knex } = database;
  const rows = await knex("checkpoints").where({ consumer: name });
  const failed = await failedStreams(knex, name);
  const partitions = Map.groupBy(failed, ({ source, partition }) => `${source}/${partition}`);
  const isFull = [...partitions.values()].some(own => streamsIn(own) >= limits.failedStreamsMax);
  const stopped = rows.flatMap(row => {
    const { reason, at } = stoppedOf(row) ?? {};
    return reason === undefined ? [] : [{ source: row.source as string, reason, since: at! }];
  });
  // No owner can tell how many events lie after a cursor that is not in its log.
  const lags = await Promise.all(rows.map(async row => (stoppedOf(row) ? null : lagOf(row.source, row.cursor))));
  const now = await database.now();
  const ages = rows.filter((row, i) => lags[i] !== 0 && row.event_at).map(row => now - Date.parse(row.event_at));
  return {
    name,
    state: stopped.length > 0 ? "stopped" : isFull ? "full" : stateOf(states),
    ...(stopped.length > 0 && { stopped }),
    lagEvents: lags.includes(null) ? null : lags.reduce<number>((sum, lag) => sum + lag!, 0),
    lagMs: Math.max(0, ...ages),
    events: rows.reduce((sum, row) => sum + Number(row.events), 0),
    parkedStreams: streamsIn(failed.filter(({ state }) => state === "parked")),
    retryingStreams: streamsIn(failed.filter(({ state }) => state === "retrying")),
    sources: rows.map(row => row.source),
  };
}

const stateOf = (states: Running["states"]): PartitionReader["state"] =>
  (["stopped", "following"] as const).find(state => states.includes(state)) ?? "waiting";

interface FailedCount {
  readonly source: string;
  readonly partition: string;
  readonly state: string;
  readonly streams: number | string;
}
const failedStreams = (knex: Knex, consumer: string): Promise<FailedCount[]> =>
  knex("parked_streams")
    .where({ consumer })
    .groupBy("source", "partition", "state")
    .select("source", "partition", "state", knex.raw("count(*) as streams"));
const streamsIn = (counts: readonly FailedCount[]): number =>
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
