// Loads of streams. All loads of one turn of the loop go out as one statement: to load 64 new streams one by one costs
// twenty times as much as one statement, and a busy gateway makes as many new actors at once.
import { bucketOf, moved } from "../../buckets.ts";
import type { LoadedStream, StoredEvent } from "../../event-store.ts";
import { limits } from "../../limits.ts";
import { intArray, smallintArray, textArray } from "./arrays.ts";
import { eventOf, type EventRow, type Read } from "./rows.ts";

interface Waiting {
  readonly stream: string;
  readonly schema: number;
  readonly resolve: (loaded: LoadedStream | Promise<LoadedStream>) => void;
  readonly reject: (error: Error) => void;
}
/** The head of a stream, or one of its events; `n` counts the streams of the statement from 1. */
type Row = { n: number } & (Head | (EventRow & { bucket_state: null }));
interface Head {
  readonly bucket_state: string;
  readonly head: number | null;
  readonly quarantine: string | null;
  readonly archived: boolean;
  readonly snapshot_version: number | null;
  readonly snapshot_state: string;
}
type ReadStream = (stream: string, from: number, limit: number) => Promise<readonly StoredEvent[]>;

export class Loads {
  readonly #read: Read;
  readonly #readStream: ReadStream;
  #waiting: Waiting[] = [];

  constructor(read: Read, readStream: ReadStream) {
    this.#read = read;
    this.#readStream = readStream;
  }

  /** See `EventStore.load`. */
  load(stream: string, schema: number): Promise<LoadedStream> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ stream, schema, resolve, reject }) === 1) setImmediate(() => this.#send());
    });
  }

  #send(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let from = 0; from < waiting.length; from += limits.streamsOfLoad)
      void this.#loadAll(waiting.slice(from, from + limits.streamsOfLoad));
  }

  async #loadAll(waiting: readonly Waiting[]): Promise<void> {
    try {
      const rows = await this.#read<Row>("select * from load_streams($1, $2, $3, $4)", [
        textArray(waiting.map(({ stream }) => stream)),
        smallintArray(waiting.map(({ stream }) => bucketOf(stream))),
        intArray(waiting.map(({ schema }) => schema)),
        limits.eventsOfLoad,
      ]);
      const byStream = Map.groupBy(rows, ({ n }) => n);
      for (const [i, { stream, schema, resolve, reject }] of waiting.entries())
        try {
          resolve(this.#loadedFrom(stream, schema, byStream.get(i + 1)!));
        } catch (error) {
          reject(error as Error);
        }
    } catch (error) {
      for (const { reject } of waiting) reject(error as Error);
    }
  }

  #loadedFrom(stream: string, schema: number, rows: readonly Row[]): LoadedStream | Promise<LoadedStream> {
    const head = rows[0] as Head;
    if (head.bucket_state !== "owned") throw moved(stream);
    const { head: version, quarantine, archived, snapshot_version: at, snapshot_state: state } = head;
    if (version === null)
      return { version: 0, snapshot: undefined, events: [], quarantine: undefined, archived: false };
    const events = (rows.slice(1) as unknown as EventRow[]).map(row => eventOf(stream, row));
    const snapshot = at === null ? undefined : { version: at, schema, state };
    const loaded = { version, snapshot, events, quarantine: quarantine ?? undefined, archived };
    const last = events.at(-1)?.version ?? version;
    if (last >= version || events.length < limits.eventsOfLoad) return loaded;
    return this.#readStream(stream, last + 1, version - last).then(rest => ({
      ...loaded,
      events: [...events, ...rest],
    }));
  }
}
