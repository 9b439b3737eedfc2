// Resets a consumer that has stopped because its cursor is not in the owner's log. An operator chooses where it goes on:
//
//   start  it forgets which events of that owner it has handled and reads the log from its start. A reactor calls again,
//          under the same command ids; a saga that exists is not started again. A projection is built anew beside the
//          live rows.
//   head   it handles none of the events that the log has now, and goes on with the next ones.
//
// Both only change rows; the consumer's reader, on whichever node it runs, finds them changed. Dead letters of that owner
// are deleted: they hold events that the log may no longer have.
import type { Knex } from "knex";
import { streamErrors } from "../index.ts";
import type { Database } from "../../database/index.ts";
import { stoppedOf } from "../log/identity.ts";
import type { CheckpointRow } from "./checkpoint.ts";
import { presentRows, reachedBy } from "../sharing/partitions.ts";

export interface Reset {
  readonly to: "head" | "start";
  /** Only reports what it would do. */
  readonly dryRun: boolean;
}
/** The checkpoint in one owner's log that a reset changes, or would change. */
export interface ResetCheckpoint {
  readonly source: string;
  readonly reason: string;
  readonly stoppedAt: string;
  /** The cursor that is given up. */
  readonly cursor: string;
  /** Streams whose last version is forgotten, and dead letters that are deleted. */
  readonly streams: number;
  readonly deadLetters: number;
}
export interface ResetReport extends Reset {
  readonly consumer: string;
  readonly places: readonly ResetCheckpoint[];
  /** Its rows are built anew beside the live ones, which they replace once they have caught up. */
  readonly rebuild?: true;
}

/** @throws Refusal `CONSUMER_NOT_FOUND`, `CONSUMER_NOT_STOPPED` */
export function resetConsumer(database: Database, consumer: string, { to, dryRun }: Reset): Promise<ResetReport> {
  return database.transaction(async trx => {
    const rows: CheckpointRow[] = await trx("checkpoints")
      .where({ consumer })
      .orderBy(["source", "partition"])
      .forUpdate();
    if (rows.length === 0) throw streamErrors.CONSUMER_NOT_FOUND({ field: "name", consumer });
    const places: ResetCheckpoint[] = [];
    for (const [source, all] of Map.groupBy(rows, row => row.source)) {
      // A node notes the stop in the rows of its partitions; the versions of all of them are those of the other log.
      const stopped = all.map(stoppedOf).find(found => found !== undefined);
      if (!stopped) continue;
      const own = (table: string) => ofActor(trx(table).where({ consumer }), stopped.actor);
      places.push({
        source,
        reason: stopped.reason,
        stoppedAt: stopped.at,
        cursor: reachedBy(presentRows(all)),
        streams: await countOf(own("consumer_versions")),
        deadLetters: await countOf(own("dead_letters")),
      });
      if (dryRun) continue;
      for (const table of ["consumer_versions", "dead_letters", "parked_streams"]) await own(table).delete();
      await trx("checkpoints")
        .where({ consumer, source })
        .update({
          cursor: "",
          mark: null,
          stopped: null,
          passes_over: to === "head" ? 1 : 0,
          revision: trx.raw("revision + 1"),
        });
    }
    if (places.length === 0) throw streamErrors.CONSUMER_NOT_STOPPED({ field: "name", consumer });
    return { consumer, to, dryRun, places };
  });
}

/** Narrows to the rows of an actor type's streams, `loan.…`. */
const ofActor = (rows: Knex.QueryBuilder, actor: string): Knex.QueryBuilder =>
  rows.where("actor_stream", ">=", `${actor}.`).where("actor_stream", "<", `${actor}/`);

async function countOf(rows: Knex.QueryBuilder): Promise<number> {
  const [{ n }] = await rows.count({ n: "*" });
  return Number(n);
}
