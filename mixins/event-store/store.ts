import type { Dialect } from "./dialect.ts";
import type { CommitListener, EventStore } from "./event-store.ts";
import { GroupCommit, type CommitObserver } from "./group-commit.ts";
import { markOf } from "./marks.ts";

/** The place of a database that nobody looks for. */
const NAMELESS = { number: 0, place: "" };

/** An event store on a dialect: its reads, with every write through group commit. */
export function storeOn(
  dialect: Dialect,
  observe: CommitObserver = () => {},
  { number, place }: { readonly number: number; readonly place: string } = NAMELESS,
): EventStore {
  const listeners = new Set<CommitListener>();
  const commits = new GroupCommit(dialect, commit => {
    observe(commit);
    if (commit.events > 0) for (const listener of listeners) listener(commit.events, commit.streams);
  });
  let known: Promise<string> | undefined;
  const identity = (): Promise<string> => {
    known ??= dialect.identity();
    known.catch(() => (known = undefined));
    return known;
  };
  return {
    append: (append, settle) => commits.append(append, settle),
    load: (stream, snapshotSchema) => dialect.load(stream, snapshotSchema),
    readStream: (stream, from, limit) => dialect.readStream(stream, from, limit),
    findCommand: (stream, commandId) => dialect.findCommand(stream, commandId),
    async readAll(cursor, limit) {
      const { events, cursor: reached, cursorAt } = await dialect.readAll(cursor, limit);
      const log = await identity();
      const markAt = (index: number) => markOf(log, cursorAt(index), events[index]!);
      const mark = events.length === 0 ? undefined : markAt(events.length - 1);
      return { events, cursor: reached, mark, cursorAt, markAt };
    },
    identities: async () => [await identity()],
    head: cursor => dialect.head(cursor),
    onCommit(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    saveSnapshot: (stream, snapshot) => commits.write({ kind: "snapshot", stream, snapshot }),
    streams: (after, limit) => dialect.streams(after, limit),
    streamsByName: (after, limit) => dialect.streamsByName(after, limit),
    streamCount: () => dialect.streamCount(),
    archive: (stream, version) => commits.write({ kind: "archive", stream, version }),
    dueTimers: (...asked) => dialect.dueTimers(...asked),
    timers: (limit, after) => dialect.timers(limit, after),
    deleteTimer: ({ stream, id, dueAt }) => commits.write({ kind: "delete-timer", stream, id, dueAt }),
    postponeTimer: ({ stream, id, dueAt }, byMs) => commits.write({ kind: "postpone-timer", stream, id, dueAt, byMs }),
    sagas: filter => dialect.sagas(filter),
    quarantine: (stream, reason) => commits.write({ kind: "quarantine", stream, reason }),
    release: stream => commits.write({ kind: "release", stream }),
    quarantined: (limit, after) => dialect.quarantined(limit, after),
    search: (text, newest, limit) => dialect.search(text, newest, limit),
    async sizes() {
      const [size, held] = await Promise.all([dialect.size(), dialect.buckets?.()]);
      const buckets = held?.filter(({ isOwned }) => isOwned).length;
      return [{ shard: number, place, ...(buckets !== undefined && { buckets }), ...size }];
    },
    now: () => dialect.now(),
    async close() {
      await commits.close();
      await dialect.close();
    },
  };
}
