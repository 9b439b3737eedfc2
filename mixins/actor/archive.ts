// Retention: streams that are finished and old leave the hot tables. A stream goes only when every consumer has taken all of
// its events, since a slow one would have to read the cold part; only when no open saga may still call its actor, since the
// call would be refused; and only if it has got no event since it was looked at. A repeated call finds nothing left to do.
import Type from "typebox";
import { isPromise, isRefusal } from "../kernel/index.ts";
import type { EventStore } from "../event-store/index.ts";
import type { Kept, Released } from "../stream/siblings.ts";
import type { Actor } from "./define-actor.ts";
import { loadState, loadWithoutSnapshot } from "./load.ts";

export interface ArchiveOptions {
  /** Milliseconds since the stream's last event, by the database's clock. */
  readonly olderThanMs: number;
  /** Streams to look at. */
  readonly limit: number;
  /** Goes on after this stream. */
  readonly after?: string | undefined;
  /** Services with consumers or sagas that will not come back, and are no longer waited for. */
  readonly gone?: readonly string[] | undefined;
  /** Moves nothing, and answers the same. `gone` services are still waited for: to forget them is a change. */
  readonly dryRun?: boolean | undefined;
}
/** The same as params of an action; `limit` may be left out. */
export const ARCHIVE_PARAMS = {
  olderThanMs: Type.Integer({ minimum: 0 }),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
  after: Type.Optional(Type.String({ maxLength: 200 })),
  gone: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { maxItems: 100 })),
  dryRun: Type.Optional(Type.Boolean()),
};
export interface Archived {
  /** Streams looked at, and moved. */
  readonly examined: number;
  readonly archived: number;
  /** Finished and old enough, but needed, or perhaps needed: `kept` names the services. */
  readonly waiting: number;
  readonly kept: readonly Kept[];
  /** Where to go on; absent at the end. */
  readonly after?: string;
}
export interface StreamVersion {
  readonly id: string;
  readonly version: number;
}

/** Archives finished streams of an actor. `release` answers which of them no service needs, and why the others stay. */
export async function archiveFinished(
  actor: Actor,
  store: EventStore,
  { olderThanMs, limit, after, dryRun = false }: ArchiveOptions,
  foldChunk: number,
  release: (streams: readonly StreamVersion[]) => Promise<Released>,
): Promise<Archived> {
  const prefix = `${actor.contract.actor}.`;
  const rows = await store.streams(after, limit);
  const before = (await store.now()) - olderThanMs;
  const ready: StreamVersion[] = [];
  for (const { stream, version, archived } of rows)
    if (!archived && stream.startsWith(prefix) && (await isFinished(actor, store, stream, version, before, foldChunk)))
      ready.push({ id: stream.slice(prefix.length), version });
  const { ids, kept } = ready.length === 0 ? { ids: new Set<string>(), kept: [] } : await release(ready);
  const going = ready.filter(({ id }) => ids.has(id));
  if (!dryRun) for (const { id, version } of going) await store.archive(prefix + id, version);
  const last = rows.at(-1)?.stream;
  return {
    examined: rows.length,
    archived: going.length,
    waiting: ready.length - going.length,
    kept,
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
    const finished: unknown = actor.finished?.(loaded.state as never);
    if (isPromise(finished) || finished !== true || loaded.version !== version) return false;
    // The cold part has no snapshots: events that cannot be read, and that a snapshot hides, would be found only there.
    if (loaded.snapshotVersion > 0) await loadWithoutSnapshot(actor, store, stream, foldChunk);
    return true;
  } catch (error) {
    // Damaged, or not readable by this release: an operator repairs it where it is.
    if (isRefusal(error)) throw error;
    return false;
  }
}
