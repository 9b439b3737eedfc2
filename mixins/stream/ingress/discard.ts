// Discards messages from outside that nobody will mend. An event of a log is never discarded: its consumer would miss it.
import type { Database } from "../../database/index.ts";
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
