// Streams of which a consumer has handled more than their log has: what is lost after a restore, as far as others know it.
// A reset of the consumer forgets this.
import type { Service, Tables } from "./tables.ts";

const limits = {
  /** Streams that are compared at once. */
  page: 1_000,
};

export interface LostEvents {
  /** The service whose consumer knows the events. */
  readonly service: string;
  readonly consumer: string;
  /** `loan.4711`. */
  readonly stream: string;
  /** Last version that the consumer has handled. */
  readonly handled: number;
  /** Last version in the log; 0 when the stream is not in it. */
  readonly version: number;
}

interface Handled {
  readonly consumer: string;
  readonly actor_stream: string;
  readonly version: number;
}

/** `actor`: the first part of the names of the owner's streams. */
export async function lostEventsOf(
  service: string,
  tables: Tables,
  owner: Service,
  actor: string,
): Promise<LostEvents[]> {
  if (!tables.names.has("consumer_versions")) return [];
  const lost: LostEvents[] = [];
  const consumers = await tables.rows<{ consumer: string }>("select distinct consumer from consumer_versions");
  for (const { consumer } of consumers)
    for (let after = ""; ;) {
      const page = await tables.rows<Handled>(
        `select consumer, actor_stream, version from consumer_versions
         where consumer = $1 and actor_stream > $2 and actor_stream like $3 order by actor_stream limit ${limits.page}`,
        [consumer, after, `${actor}.%`],
      );
      if (page.length === 0) break;
      after = page.at(-1)!.actor_stream;
      const versions = await versionsIn(owner, page[0]!.actor_stream, after);
      for (const { actor_stream: stream, version: handled } of page) {
        const version = versions.get(stream) ?? 0;
        if (handled > version) lost.push({ service, consumer, stream, handled, version });
      }
    }
  return lost;
}

/** Versions of the owner's streams from one name to another. */
async function versionsIn({ databases }: Service, from: string, to: string): Promise<ReadonlyMap<string, number>> {
  const versions = new Map<string, number>();
  for (const log of databases.filter(({ names }) => names.has("streams")))
    for (const { name, version } of await log.rows<{ name: string; version: number }>(
      `select s.name, s.version from ${log.ownStreams} where s.name >= $1 and s.name <= $2`,
      [from, to],
    ))
      versions.set(name, version);
  return versions;
}
