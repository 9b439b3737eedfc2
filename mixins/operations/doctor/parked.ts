// Streams at which consumers have failed, with the events that wait for them.
import { STREAM_LIMITS } from "../../stream/siblings.ts";
import { count, fail, ok, warn, type Result } from "./finding.ts";
import type { Tables } from "./tables.ts";

/** Advice: retry one by its id, or all of a group. */
const RETRY_GROUP = "mend the cause, then POST /ops/dead-letters/:id/retry, or /ops/dead-letters/retry for many";

export async function parkedOf(tables: Tables): Promise<readonly Result[]> {
  if (!tables.names.has("parked_streams")) return [];
  const consumers = await tables.rows(
    `select consumer, source, sum(case when state = 'parked' then 1 else 0 end) as parked, count(*) as failed,
       (select count(*) from dead_letters d join parked_streams s
          on s.consumer = d.consumer and s.actor_stream = d.actor_stream
        where s.consumer = p.consumer and s.source = p.source) as letters
     from parked_streams p group by consumer, source order by consumer, source`,
  );
  if (consumers.length === 0) return [ok("parked", "0 streams, 0 dead letters")];
  const results: Result[] = [];
  for (const { consumer, source, parked, failed, letters } of consumers) {
    const waiting = `${consumer} on ${source}: ${count(parked, "stream")} parked, ${failed - parked} being retried, ${count(letters, "dead letter")}`;
    if (failed >= STREAM_LIMITS.failedStreamsMax)
      results.push(fail("parked", `${waiting}: it reads no further`, RETRY_GROUP));
    else if (parked > 0) results.push(fail("parked", waiting + (await example(tables, consumer, source)), RETRY_GROUP));
    else results.push(warn("parked", waiting, "what they call is away, or busy: see its log"));
  }
  return results;
}

/** Only the type of the error: its message may quote a user's text. */
async function example(tables: Tables, consumer: string, source: string): Promise<string> {
  const [row] = await tables.rows(
    "select actor_stream, error from parked_streams where consumer = $1 and source = $2 and state = 'parked' order by actor_stream limit 1",
    [consumer, source],
  );
  return row ? `, the first ${row.actor_stream} with ${JSON.parse(row.error).type}` : "";
}
