// Streams that wait for a person, as groups: a bug that is mended by a deploy has parked many, and nobody sends a thousand
// back one by one. They go back at a bounded rate, so that live events do not wait behind them, each in its own order.
import { hash } from "node:crypto";
import type { Knex } from "knex";
import { rfc3339 } from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";
import { inChunks } from "../chunks.ts";
import { STREAM_LIMITS } from "../limits.ts";

/** Which parked streams are meant; what is left out does not narrow. */
export interface ParkedFilter {
  readonly consumer?: string | undefined;
  /** The type of the error with which they failed last. */
  readonly error?: string | undefined;
  /** Milliseconds since the event that failed was set aside, at least; on the database's clock. */
  readonly olderThanMs?: number | undefined;
}

/**
 * Sends parked streams back to work, those that failed longest ago first, `unparkedPerSecond` of them a second. Answers
 * how many of each consumer. `charged` is the number of attempts that count as made; default 0, so that each gets all.
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
      // Another one may have been quicker, and the stream is tried already.
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

/** Those that an operator means. */
export async function unparkGroup(
  database: Database,
  { consumer, error, olderThanMs }: ParkedFilter,
): Promise<Map<string, number>> {
  const before = olderThanMs === undefined ? undefined : rfc3339((await database.now()) - olderThanMs);
  // As plainError writes it, the type first.
  const begins = error === undefined ? undefined : `{"type":${JSON.stringify(error)},`;
  return unpark(database, parked => {
    if (consumer !== undefined) parked.where({ consumer });
    if (begins !== undefined) parked.whereRaw("substr(error, 1, ?) = ?", [Array.from(begins).length, begins]);
    if (before !== undefined)
      parked.whereExists(
        database
          .knex("dead_letters as d")
          .whereRaw("d.consumer = parked_streams.consumer and d.actor_stream = parked_streams.actor_stream")
          .where("d.at", "<=", before),
      );
    return parked;
  });
}

/** The name under which a release is remembered: of what was deployed, and of the consumer's own code. */
export const releaseName = (release: string, definition: string): string =>
  hash("sha256", `${release}\n${definition}`, "hex").slice(0, 16);

/** Whether the stream was parked by this release, which then need not try it again by itself. */
export const notParkedBy = (release: string, parked: Knex.QueryBuilder): Knex.QueryBuilder =>
  parked.whereRaw("',' || releases || ',' not like ?", [`%,${release},%`]);

/** The releases that have parked a stream, with this one as the latest. */
export const parkedBy = (release: string, releases: string): string =>
  [...releases.split(",").filter(other => other !== "" && other !== release), release]
    .slice(-STREAM_LIMITS.releasesKept)
    .join(",");
