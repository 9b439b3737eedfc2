// Retention: what is finished and old leaves the hot tables. A stream goes only when every consumer of its events has
// taken all of it, so that a slow one is not made to read the cold part; and only if it has not moved since it was
// looked at. A repetition finds nothing left to do.
import { isRefusal } from "../kernel/index.ts";
import type { EventStore } from "../event-store/index.ts";
import type { Actor } from "./define-actor.ts";
import { loadState } from "./load.ts";

export interface ArchiveOptions {
  /** Milliseconds since the stream's last event, by the database's clock. */
  readonly olderThanMs: number;
  /** Streams to look at. */
  readonly limit: number;
  /** Goes on after this stream. */
  readonly after?: string | undefined;
}
export interface Archived {
  /** Streams looked at, and moved. */
  readonly examined: number;
  readonly archived: number;
  /** Finished and old enough, but not taken by every consumer yet. */
  readonly waiting: number;
  /** Where to go on; absent at the end. */
  readonly after?: string;
}
export interface StreamVersion {
  readonly id: string;
  readonly version: number;
}

/** Archives finished streams of an actor. `taken` answers which of them every consumer has taken in full. */
export async function archiveFinished(
  actor: Actor,
  store: EventStore,
  { olderThanMs, limit, after }: ArchiveOptions,
  foldChunk: number,
  taken: (streams: readonly StreamVersion[]) => Promise<ReadonlySet<string>>,
): Promise<Archived> {
  const prefix = `${actor.contract.actor}.`;
  const rows = await store.streams(after, limit);
  const before = (await store.now()) - olderThanMs;
  const ready: StreamVersion[] = [];
  for (const { stream, version, archived } of rows)
    if (!archived && stream.startsWith(prefix) && (await isFinished(actor, store, stream, version, before, foldChunk)))
      ready.push({ id: stream.slice(prefix.length), version });
  const free = ready.length === 0 ? new Set<string>() : await taken(ready);
  const going = ready.filter(({ id }) => free.has(id));
  for (const { id, version } of going) await store.archive(prefix + id, version);
  const last = rows.at(-1)?.stream;
  return {
    examined: rows.length,
    archived: going.length,
    waiting: ready.length - going.length,
    ...(last !== undefined && rows.length === limit && { after: last }),
  };
}

async function isFinished(
  actor: Actor,
  store: EventStore,
  stream: string,
  version: number,
  before: number,
  foldChunk: number,
): Promise<boolean> {
  const [newest] = await store.readStream(stream, version, 1);
  if (!newest || Date.parse(newest.at) > before) return false;
  try {
    const loaded = await loadState(actor, store, stream, foldChunk);
    return loaded.version === version && actor.finished?.(loaded.state as never) === true;
  } catch (error) {
    // In quarantine: whoever mends it needs it where it is.
    if (isRefusal(error)) throw error;
    return false;
  }
}
