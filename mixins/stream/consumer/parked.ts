// Parked streams go back to work as groups: a bug that is mended by a deploy has parked a thousand of them. They go back at
// a bounded rate, so that live events do not wait behind them, each in its own order.
import { hash } from "node:crypto";
import type { Knex } from "knex";
import { inChunks, rfc3339 } from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";
import { STREAM_LIMITS } from "../limits.ts";

/** Narrows the parked streams of a service: a field that is left out does not narrow. */
export interface ParkedFilter {
  readonly consumer?: string | undefined;
  /** Type of the error with which they failed last. */
  readonly error?: string | undefined;
  /** Milliseconds since their event failed first, at least; on the database's clock. */
  readonly olderThanMs?: number | undefined;
}

/**
 * Sends parked streams back to work, the one that failed longest ago first, `perSecond` of them a second. Answers how many
 * of each consumer. `charged` is the number of attempts that count as made; default 0, so that each stream gets all.
 */
export async function unpark(
  database: Database,
  narrow: (parked: Knex.QueryBuilder) => Knex.QueryBuilder,
  { charged = 0, perSecond = STREAM_LIMITS.unparkedPerSecond } = {},
): Promise<Map<string, number>> {
  const { knex } = database;
  const rows: { consumer: string; actor_stream: string }[] = await narrow(
    knex("parked_streams").where("state", "parked").orderBy("next_at").select("consumer", "actor_stream"),
  );
  const counts = new Map<string, number>();
  const now = await database.now();
  for (const [second, some] of inChunks(rows, perSecond).entries())
    for (const [consumer, own] of Map.groupBy(some, row => row.consumer)) {
      // Another call may have sent the stream back meanwhile.
      const sent = await knex("parked_streams")
        .where({ consumer, state: "parked" })
        .whereIn(
          "actor_stream",
          own.map(row => row.actor_stream),
        )
        .update({ state: "retrying", attempts: 0, charged, next_at: now + second * 1_000 });
      counts.set(consumer, (counts.get(consumer) ?? 0) + sent);
    }
  return counts;
}

/** Streams of an answer that are named. */
const NAMED = 20;

export interface Unparked {
  readonly consumer: string;
  readonly streams: number;
  /** The first of them, the one that failed longest ago first. */
  readonly sample: readonly string[];
}

/** Sends back the parked streams that an operator names by a filter; with `dryRun` only tells which. */
export async function unparkGroup(
  database: Database,
  { dryRun = false, ...filter }: ParkedFilter & { readonly dryRun?: boolean },
): Promise<Unparked[]> {
  const narrow = await narrowing(database, filter);
  const rows: { consumer: string; actor_stream: string }[] = await narrow(
    database.knex("parked_streams").where("state", "parked").orderBy("next_at").select("consumer", "actor_stream"),
  );
  const groups = Map.groupBy(rows, ({ consumer }) => consumer);
  const sent = dryRun ? undefined : await unpark(database, narrow);
  const consumers = [...new Set([...groups.keys(), ...(sent?.keys() ?? [])])];
  return consumers.map(consumer => {
    const group = groups.get(consumer) ?? [];
    return {
      consumer,
      streams: sent === undefined ? group.length : (sent.get(consumer) ?? 0),
      sample: group.slice(0, NAMED).map(row => row.actor_stream),
    };
  });
}

/** What narrows a query of parked streams to those that a filter means. */
export async function narrowing(
  database: Database,
  { consumer, error, olderThanMs }: ParkedFilter,
): Promise<(parked: Knex.QueryBuilder) => Knex.QueryBuilder> {
  const before = olderThanMs === undefined ? undefined : rfc3339((await database.now()) - olderThanMs);
  return parked => {
    if (consumer !== undefined) parked.where("parked_streams.consumer", consumer);
    if (error !== undefined) withError(parked, "parked_streams.error", error);
    if (before !== undefined)
      parked.whereExists(
        database
          .knex("dead_letters as d")
          .whereRaw("d.consumer = parked_streams.consumer and d.actor_stream = parked_streams.actor_stream")
          .where("d.at", "<=", before),
      );
    return parked;
  };
}

/** Only rows whose column has an error of this type: it holds JSON as plainError makes it, with the type first. */
export function withError(rows: Knex.QueryBuilder, column: string, type: string): Knex.QueryBuilder {
  const begins = `{"type":${JSON.stringify(type)},`;
  return rows.whereRaw("substr(??, 1, ?) = ?", [column, Array.from(begins).length, begins]);
}

/** The name under which a row remembers a release: a digest of the deployed release and of the consumer's own code. */
export const releaseName = (release: string, definition: string): string =>
  hash("sha256", `${release}\n${definition}`, "hex").slice(0, 16);

/** Only streams that this release has not parked: it need not try its own again by itself. */
export const notParkedBy = (release: string, parked: Knex.QueryBuilder): Knex.QueryBuilder =>
  parked.whereRaw("',' || releases || ',' not like ?", [`%,${release},%`]);

/** The releases that have parked a stream, with this one as the latest. */
export const parkedBy = (release: string, releases: string): string =>
  [...releases.split(",").filter(other => other !== "" && other !== release), release]
    .slice(-STREAM_LIMITS.releasesKept)
    .join(",");
