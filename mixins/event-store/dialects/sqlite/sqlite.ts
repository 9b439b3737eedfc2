// The SQLite dialect: the reads of the port on the writer thread of one file.
import type { Dialect } from "../../dialect.ts";
import { storeErrors } from "../../errors.ts";
import type { DueTimer, StoredEvent, StoredSnapshot } from "../../event-store.ts";
import { limits } from "../../limits.ts";
import { whyNotWhole } from "../../../database/index.ts";
import { rfc3339 } from "../../../kernel/index.ts";
import { WriterThread, type DeathObserver } from "./thread.ts";
import { decodeVerdicts, encodeAppends, recordedCommand, type Row } from "./wire.ts";

const OPEN = ["running", "compensating", "stuck"] as const;

/** Opens the file, creating folder, file and tables as needed. Throws Bug `STORE_UNREADABLE`, `STORE_TORN` or `STORE_SCHEMA_NEWER`. */
export async function openSqlite(filename: string, onDeath: DeathObserver = () => {}): Promise<Dialect> {
  const reason = whyNotWhole(filename);
  if (reason !== undefined) throw storeErrors.STORE_TORN({ message: reason });
  const thread = new WriterThread(filename, onDeath);
  await thread.open();

  async function readStream(stream: string, from: number, limit: number): Promise<StoredEvent[]> {
    const read = (after: StoredEvent | undefined, limit: number) =>
      thread.request("readStream", stream, after ? after.version + 1 : from, limit);
    return inChunks(limit, read, row => eventOf(stream, row));
  }

  return {
    system: "sqlite",
    lanes: 1,
    async commit(appends, upkeep) {
      const committed = await thread.request("commit", encodeAppends(appends), upkeep);
      return { verdicts: decodeVerdicts(committed), fencedUpkeep: [] };
    },
    async load(stream, snapshotSchema) {
      const loaded = await thread.request("load", stream, snapshotSchema, limits.chunkEvents);
      if (!loaded) return { version: 0, snapshot: undefined, events: [], quarantine: undefined, archived: false };
      const { version, archived } = loaded;
      const events = loaded.events.map(row => eventOf(stream, row));
      // The rest up to the head seen first: a later event is found out by the next append's expected version.
      const last = events.at(-1)?.version ?? version;
      if (last < version && events.length === limits.chunkEvents)
        for (const event of await readStream(stream, last + 1, version - last)) events.push(event);
      const quarantine = loaded.quarantine ?? undefined;
      return { version, snapshot: snapshotOf(loaded.snapshot), events, quarantine, archived };
    },
    readStream,
    async findCommand(stream, commandId) {
      const row = await thread.request("findCommand", stream, commandId);
      return row && recordedCommand(row);
    },
    async readAll(cursor, limit) {
      const start = positionOf(cursor);
      const read = (after: StoredEvent | undefined, limit: number) =>
        thread.request("readAll", after ? after.position : start, limit);
      const events = await inChunks(limit, read, row => eventOf(row[7] as string, row));
      const cursorAt = (index: number): string => String(events[index]!.position);
      return { events, cursor: events.length > 0 ? cursorAt(events.length - 1) : cursor, cursorAt };
    },
    async head(cursor) {
      const position = await thread.request("head");
      return { cursor: position === 0 ? "" : String(position), behind: Math.max(0, position - positionOf(cursor)) };
    },
    identity: () => thread.request("identity"),
    async streams(after, limit) {
      return (await thread.request("streams", after ?? null, limit)).map(listedOf);
    },
    async streamsByName(after, limit) {
      return (await thread.request("streamsByName", after ?? "", limit)).map(listedOf);
    },
    streamCount: () => thread.request("streamCount"),
    async dueTimers(limit, part) {
      const { now, rows } = await thread.request("dueTimers", limit + 1, part ?? null);
      const timers = rows.map(timerOf);
      const due = timers.slice(0, limit).filter(({ nextAt }) => nextAt <= now);
      const next = timers[due.length];
      return { due: due.map(({ timer }) => timer), nextInMs: next && Math.max(0, next.nextAt - now) };
    },
    async timers(limit, after) {
      const nextAt = after === undefined ? null : Date.parse(after.nextAt);
      const { now, rows } = await thread.request("timers", limit, nextAt, after?.id ?? null);
      return { now, timers: rows.map(timerOf).map(({ timer, nextAt }) => ({ ...timer, nextAt: rfc3339(nextAt) })) };
    },
    async search(text, newest, limit) {
      const events: StoredEvent[] = [];
      let below = (await thread.request("head")) + 1;
      let [searched, since] = [0, undefined as string | undefined];
      while (below > 1 && searched < newest && events.length < limit) {
        // A chunk a request, so that commits go between.
        const found = await thread.request("search", text, below, Math.min(newest - searched, limits.chunkEvents));
        for (const row of found.rows) events.push(eventOf(row[7] as string, row));
        searched += found.seen;
        if (found.at !== null) since = rfc3339(found.at);
        below = found.from;
      }
      return { events: events.slice(0, limit), searched, since };
    },
    size: () => thread.request("size"),
    async sagas({ state = "open", olderThanMs = 0, limit, after, newestFirst = false }) {
      const states = state === "open" ? OPEN : [state];
      const rows = await thread.request("sagas", states, olderThanMs, after ?? null, limit, newestFirst);
      return rows.map(row => {
        const [id, state, reason, startedAt, updatedAt] = row as [
          string,
          (typeof OPEN)[number],
          string,
          number,
          number,
        ];
        return { id, state, reason, startedAt: rfc3339(startedAt), updatedAt: rfc3339(updatedAt) };
      });
    },
    async quarantined(limit, after) {
      const at = after === undefined ? null : Date.parse(after.at);
      const rows = await thread.request("quarantined", limit, at, after?.stream ?? null);
      return rows.map(row => ({ stream: row[0] as string, reason: row[1] as string, at: rfc3339(row[2] as number) }));
    },
    now: () => thread.request("now"),
    close: () => thread.close(),
  };
}

/** Reads until `limit` or the end, one chunk a request, so that commits go between. */
async function inChunks<T>(
  limit: number,
  read: (after: T | undefined, limit: number) => Promise<readonly Row[]>,
  itemOf: (row: Row) => T,
): Promise<T[]> {
  const items: T[] = [];
  while (items.length < limit) {
    const wanted = Math.min(limit - items.length, limits.chunkEvents);
    const rows = await read(items.at(-1), wanted);
    for (const row of rows) items.push(itemOf(row));
    if (rows.length < wanted) break;
  }
  return items;
}

function eventOf(stream: string, row: Row): StoredEvent {
  const [position, version, type, schemaVersion, data, metadata, at] = row as [
    number,
    number,
    string,
    number,
    string,
    string,
    number,
  ];
  return { position, stream, version, type, schemaVersion, data, metadata, at: rfc3339(at) };
}

function timerOf(row: Row): { timer: DueTimer; nextAt: number } {
  const [id, stream, command, params, dueAt, attempts, nextAt, cause] = row as [
    string,
    string,
    string,
    string,
    number,
    number,
    number,
    string | null,
  ];
  const timer = { id, stream, command, params, dueAt: rfc3339(dueAt), attempts, cause: cause ?? undefined };
  return { timer, nextAt };
}

function snapshotOf(row: Row | undefined): StoredSnapshot | undefined {
  return row && { version: row[0] as number, schema: row[1] as number, state: row[2] as string };
}

function positionOf(cursor: string): number {
  const position = Number(cursor);
  if (!Number.isSafeInteger(position) || position < 0) throw storeErrors.CURSOR_UNREADABLE({ cursor });
  return position;
}

const listedOf = ([stream, version, archived]: Row) => ({
  stream: stream as string,
  version: version as number,
  archived: archived === 1,
});
