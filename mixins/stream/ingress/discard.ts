// Discards messages from outside that nobody will mend. An event of a log is never discarded: its consumer would miss it.
import type { Database } from "../../database/index.ts";
import { narrowing, type ParkedFilter } from "../consumer/parked.ts";
import { streamErrors } from "../errors.ts";

/**
 * Removes a dead letter of one of these ingresses; behind it, the messages of its key go on. A repetition is refused.
 * @throws Refusal `DEAD_LETTER_NOT_FOUND`, `DEAD_LETTER_OF_LOG`
 */
export async function discard(database: Database, ingresses: readonly string[], id: string): Promise<void> {
  await database.transaction(async trx => {
    const letter = await trx("dead_letters")
      .where({ id: Number(id) })
      .first("consumer", "actor_stream");
    if (!letter) throw streamErrors.DEAD_LETTER_NOT_FOUND({ field: "id", id });
    if (!ingresses.includes(letter.consumer)) throw streamErrors.DEAD_LETTER_OF_LOG({ field: "id", id });
    await trx("dead_letters")
      .where({ id: Number(id) })
      .delete();
    // Its reader finds the stream without this letter: it removes one that is empty, and tries one that is not.
    await trx("parked_streams")
      .where({ consumer: letter.consumer, actor_stream: letter.actor_stream })
      .update({ state: "retrying", attempts: 0, charged: 0, next_at: 0 });
  });
}

/** Letters that one request discards: each is a transaction. */
const DISCARDED_MAX = 500;
/** Ids of an answer that are named. */
const NAMED = 20;

export interface Discarded {
  readonly consumer: string;
  readonly letters: number;
  /** Ids of the first of them, the oldest first. */
  readonly sample: readonly string[];
}

/**
 * Removes the dead letters of these ingresses that a filter means, the oldest first; with `dryRun` only tells which. `hasMore`: it
 * was as many as one request may have.
 */
export async function discardGroup(
  database: Database,
  ingresses: readonly string[],
  { dryRun = false, ...filter }: ParkedFilter & { readonly dryRun?: boolean },
): Promise<{ discarded: Discarded[]; hasMore: boolean }> {
  const narrow = await narrowing(database, filter);
  const rows: { id: number; consumer: string }[] = await narrow(
    database
      .knex("parked_streams")
      .join("dead_letters as letter", join => {
        join
          .on("letter.consumer", "parked_streams.consumer")
          .andOn("letter.actor_stream", "parked_streams.actor_stream");
      })
      .where("state", "parked")
      .whereIn("parked_streams.consumer", ingresses)
      .orderBy("letter.id")
      .limit(DISCARDED_MAX)
      .select("letter.id", "letter.consumer"),
  );
  if (!dryRun) for (const { id } of rows) await discard(database, ingresses, `${id}`);
  const discarded = [...Map.groupBy(rows, ({ consumer }) => consumer)].map(([consumer, group]) => ({
    consumer,
    letters: group.length,
    sample: group.slice(0, NAMED).map(({ id }) => `${id}`),
  }));
  return { discarded, hasMore: rows.length === DISCARDED_MAX };
}
