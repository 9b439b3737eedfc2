// One store on several databases. A stream lies on the shard that owns its bucket. Only the databases decide which one
// that is: our map is a hint, and every append and read is checked against it there. When a bucket has moved, the
// append is fenced and the read refused; we read the map again, and the activation loads the stream from its new owner.
//
// A bucket that is sealed is owned nowhere for the moment that its last rows need: a read waits for its new owner, an
// append stays fenced until the actor has loaded from there.
//
// A stream's verdicts come in the order of its appends, also while the map changes. The appends that a stream has in
// flight (its flight) are all at one shard. One that belongs elsewhere by now, or comes after a `fenced` one, is fenced
// without being sent, once the flight has landed: sent to the new owner, it would overtake the appends that the old one
// still has.
import { setTimeout as sleep } from "node:timers/promises";
import { BUCKETS, bucketOf, moved } from "./buckets.ts";
import { cursorOf, placesOf } from "./cursors.ts";
import type { Dialect } from "./dialect.ts";
import { storeErrors } from "./errors.ts";
import type {
  Append,
  CommitListener,
  Cursor,
  EventStore,
  OpenSaga,
  StoredEvent,
  StoredPage,
  StoreSize,
  Verdict,
} from "./event-store.ts";
import { limits } from "./limits.ts";
import { markOfShards, type Mark } from "./marks.ts";

export interface StoreShard {
  readonly number: number;
  /** Host, port and database, for people. */
  readonly place: string;
  readonly store: EventStore;
  readonly dialect: Required<Pick<Dialect, "buckets" | "sagaStart">>;
}

/**
 * Opens the map. Throws Bug `STORE_INCOMPLETE` when a bucket is on none of the shards. One that is sealed is no reason: its
 * move may have been killed, and the others' commands need not wait until an operator goes on with it.
 */
export async function shardedStore(shards: readonly StoreShard[]): Promise<EventStore> {
  let map = await readMap(shards);
  // The shards are not asked at the same instant: one that is handed over in between is on neither of them.
  for (let looks = 0; map.includes(NOWHERE) && looks < limits.ownerLooks; looks++) {
    await sleep(limits.ownerLookMs);
    map = await readMap(shards);
  }
  const missing = map.filter(owner => owner === NOWHERE).length;
  if (missing > 0) {
    await Promise.all(shards.map(({ store }) => store.close()));
    throw storeErrors.STORE_INCOMPLETE({ missing, buckets: BUCKETS });
  }
  return new ShardedStore(shards, map);
}

const NOWHERE = -1;
const SEALED = -2;

/** Index of the owner by bucket, or why there is none. */
async function readMap(shards: readonly StoreShard[]): Promise<Int16Array> {
  const held = await Promise.all(shards.map(({ dialect }) => dialect.buckets()));
  const map = new Int16Array(BUCKETS).fill(NOWHERE);
  for (const [index, buckets] of held.entries())
    for (const { bucket, isOwned } of buckets)
      if (isOwned) map[bucket] = index;
      else if (map[bucket] === NOWHERE) map[bucket] = SEALED;
  return map;
}

/** The appends that a stream has in flight, and those that wait until they have landed. */
interface Flight {
  readonly shard: number;
  appends: number;
  isFenced: boolean;
  readonly waiting: ((verdict: Verdict) => void)[];
}
const UNSENT: Verdict = { kind: "fenced", unsent: true };

class ShardedStore implements EventStore {
  readonly #shards: readonly StoreShard[];
  readonly #flights = new Map<string, Flight>();
  #map: Int16Array;
  #looking: Promise<void> | undefined;

  constructor(shards: readonly StoreShard[], map: Int16Array) {
    this.#shards = shards;
    this.#map = map;
  }

  /** Reads the map anew; calls meanwhile share the reading. */
  #lookAgain(): Promise<void> {
    return (this.#looking ??= readMap(this.#shards)
      .then(map => void (this.#map = map))
      .finally(() => (this.#looking = undefined)));
  }

  #shardOf(stream: string): StoreShard | undefined {
    return this.#shards[this.#map[bucketOf(stream)]!];
  }

  append(append: Append, settle: (verdict: Verdict) => void): void {
    const { stream } = append;
    const bucket = bucketOf(stream);
    const owner = this.#map[bucket]!;
    let flight = this.#flights.get(stream);
    if (flight && (flight.isFenced || flight.shard !== owner)) {
      flight.isFenced = true;
      flight.waiting.push(settle);
      return;
    }
    if (owner < 0) return queueMicrotask(() => settle(UNSENT));
    if (!flight) this.#flights.set(stream, (flight = { shard: owner, appends: 0, isFenced: false, waiting: [] }));
    const own = flight;
    own.appends += 1;
    this.#shards[owner]!.store.append(append, verdict => {
      own.appends -= 1;
      if (own.appends === 0) this.#flights.delete(stream);
      if (verdict.kind === "fenced") {
        own.isFenced = true;
        // The activation loads the stream next, which finds the new owner, unless the map knows it already.
        if (this.#map[bucket] === owner) this.#map[bucket] = NOWHERE;
      }
      try {
        settle(verdict);
      } finally {
        // Not at once: an error here must not keep the others from their verdict.
        if (own.appends === 0) for (const waiting of own.waiting.splice(0)) queueMicrotask(() => waiting(UNSENT));
      }
    });
  }

  /** Asks the stream's owner, and its new one when it has moved; waits while it is moving. */
  async #ask<T>(stream: string, ask: (store: EventStore) => Promise<T>): Promise<T> {
    for (let looks = 0; ; looks++) {
      const shard = this.#shardOf(stream);
      try {
        if (shard) return await ask(shard.store);
      } catch (error) {
        if ((error as { type?: unknown }).type !== "BUCKET_MOVED") throw error;
      }
      if (looks === limits.ownerLooks) throw moved(stream);
      if (looks > 0) await sleep(limits.ownerLookMs);
      await this.#lookAgain();
    }
  }

  load(stream: string, snapshotSchema: number): ReturnType<EventStore["load"]> {
    return this.#ask(stream, store => store.load(stream, snapshotSchema));
  }
  readStream(stream: string, from: number, limit: number): ReturnType<EventStore["readStream"]> {
    return this.#ask(stream, store => store.readStream(stream, from, limit));
  }
  findCommand(stream: string, commandId: string): ReturnType<EventStore["findCommand"]> {
    return this.#ask(stream, store => store.findCommand(stream, commandId));
  }
  saveSnapshot(...args: Parameters<EventStore["saveSnapshot"]>): Promise<void> {
    return this.#ask(args[0], store => store.saveSnapshot(...args));
  }
  archive(stream: string, version: number): Promise<void> {
    return this.#ask(stream, store => store.archive(stream, version));
  }
  quarantine(stream: string, reason: string): Promise<void> {
    return this.#ask(stream, store => store.quarantine(stream, reason));
  }
  release(stream: string): Promise<void> {
    return this.#ask(stream, store => store.release(stream));
  }
  deleteTimer(timer: Parameters<EventStore["deleteTimer"]>[0]): Promise<void> {
    return this.#ask(timer.stream, store => store.deleteTimer(timer));
  }
  postponeTimer(...args: Parameters<EventStore["postponeTimer"]>): Promise<void> {
    return this.#ask(args[0].stream, store => store.postponeTimer(...args));
  }

  /**
   * There is no order between shards, so a place is one a shard. A stream that has moved is read once more, from its
   * new owner's log: consumers know its versions.
   */
  async readAll(cursor: Cursor, limit: number): ReturnType<EventStore["readAll"]> {
    const places = placesOf(cursor);
    const events: StoredEvent[] = [];
    const marks = new Map<number, Mark>();
    const parts: { readonly from: number; readonly shard: number; readonly page: StoredPage }[] = [];
    // Equal shares, then the rest to shards that have more: a page that is not full says that there is no more.
    let having = this.#shards;
    while (having.length > 0 && events.length < limit) {
      const left = limit - events.length;
      const share = Math.max(1, Math.floor(left / having.length));
      const asked = having.slice(0, left);
      const pages = await Promise.all(asked.map(({ number, store }) => store.readAll(places.get(number) ?? "", share)));
      for (const [i, page] of pages.entries()) {
        parts.push({ from: events.length, shard: asked[i]!.number, page });
        events.push(...page.events);
        places.set(asked[i]!.number, page.cursor);
        if (page.mark !== undefined) marks.set(asked[i]!.number, page.mark);
      }
      having = having.filter(shard => (pages[asked.indexOf(shard)]?.events.length ?? share) === share);
    }
    const partAt = (index: number) => parts.findLast(({ from }) => from <= index)!;
    return {
      events,
      cursor: cursorOf(places),
      mark: markOfShards(marks),
      cursorAt(index) {
        const { from, shard, page } = partAt(index);
        return cursorOf(new Map([[shard, page.cursorAt(index - from)]]));
      },
      markAt(index) {
        const { from, shard, page } = partAt(index);
        return markOfShards(new Map([[shard, page.markAt(index - from)]]))!;
      },
    };
  }

  async head(cursor: Cursor): ReturnType<EventStore["head"]> {
    const places = placesOf(cursor);
    const heads = await Promise.all(this.#shards.map(({ number, store }) => store.head(places.get(number) ?? "")));
    return {
      cursor: cursorOf(new Map(heads.map((head, i) => [this.#shards[i]!.number, head.cursor]))),
      behind: heads.reduce((sum, { behind }) => sum + behind, 0),
    };
  }

  async identities(): Promise<readonly string[]> {
    return (await Promise.all(this.#shards.map(({ store }) => store.identities()))).flat();
  }

  onCommit(listener: CommitListener): () => void {
    const undo = this.#shards.map(({ store }) => store.onCommit(listener));
    return () => {
      for (const end of undo) end();
    };
  }

  /** Shard by shard: within each in order of first append. */
  async streams(after: string | undefined, limit: number): ReturnType<EventStore["streams"]> {
    const found: Awaited<ReturnType<EventStore["streams"]>>[number][] = [];
    const from = after === undefined ? undefined : this.#shardOf(after);
    let skipping = from !== undefined;
    for (const shard of this.#shards) {
      if (skipping && shard !== from) continue;
      found.push(...(await shard.store.streams(skipping ? after : undefined, limit - found.length)));
      skipping = false;
      if (found.length >= limit) break;
    }
    return found;
  }

  /** Each shard has its share of the names. */
  async streamsByName(after: string | undefined, limit: number): ReturnType<EventStore["streamsByName"]> {
    const all = await Promise.all(this.#shards.map(({ store }) => store.streamsByName(after, limit)));
    return all
      .flat()
      .sort((a, b) => compare(a.stream, b.stream))
      .slice(0, limit);
  }

  async streamCount(): Promise<number> {
    const counts = await Promise.all(this.#shards.map(({ store }) => store.streamCount()));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async dueTimers(...[limit, part]: Parameters<EventStore["dueTimers"]>): ReturnType<EventStore["dueTimers"]> {
    const all = await Promise.all(this.#shards.map(({ store }) => store.dueTimers(limit, part)));
    const due = all.flatMap(timers => timers.due).sort((a, b) => compare(a.dueAt, b.dueAt));
    const next = all.map(({ nextInMs }) => nextInMs).filter(ms => ms !== undefined);
    return {
      due: due.slice(0, limit),
      nextInMs: due.length > limit ? 0 : next.length > 0 ? Math.min(...next) : undefined,
    };
  }

  async timers(...[limit, after]: Parameters<EventStore["timers"]>): ReturnType<EventStore["timers"]> {
    const all = await Promise.all(this.#shards.map(({ store }) => store.timers(limit, after)));
    const timers = all
      .flatMap(page => page.timers)
      .sort((a, b) => compare(a.nextAt, b.nextAt) || compare(a.id, b.id))
      .slice(0, limit);
    return { now: Math.max(...all.map(({ now }) => now)), timers };
  }

  /** A stream that has moved may still lie on the shard that it came from: its events are told once. */
  async search(...[text, newest, limit]: Parameters<EventStore["search"]>): ReturnType<EventStore["search"]> {
    const all = await Promise.all(this.#shards.map(({ store }) => store.search(text, newest, limit)));
    const found = all
      .flatMap(({ events }) => events)
      .map(event => [`${event.stream}@${event.version}`, event] as const);
    const events = [...new Map(found).values()].sort((a, b) => compare(b.at, a.at)).slice(0, limit);
    // The newest of the places up to which each was searched: before it, a shard may hold more.
    const since = all.flatMap(({ since }) => (since === undefined ? [] : [since])).sort(compare);
    return { events, searched: all.reduce((sum, { searched }) => sum + searched, 0), since: since.at(-1) };
  }

  async sizes(): Promise<readonly StoreSize[]> {
    return (await Promise.all(this.#shards.map(({ store }) => store.sizes()))).flat();
  }

  async sagas(filter: Parameters<EventStore["sagas"]>[0]): Promise<OpenSaga[]> {
    const { after } = filter;
    const starts = after === undefined ? [] : await Promise.all(this.#shards.map(s => s.dialect.sagaStart(after)));
    const afterStart = starts.find(start => start !== undefined);
    const page = afterStart === undefined ? filter : { ...filter, afterStart };
    const all = await Promise.all(this.#shards.map(({ store }) => store.sagas(page)));
    const sign = filter.newestFirst === true ? -1 : 1;
    return all
      .flat()
      .sort((a, b) => sign * (compare(a.startedAt, b.startedAt) || compare(a.id, b.id)))
      .slice(0, filter.limit);
  }

  async quarantined(...[limit, after]: Parameters<EventStore["quarantined"]>): ReturnType<EventStore["quarantined"]> {
    const all = await Promise.all(this.#shards.map(({ store }) => store.quarantined(limit, after)));
    return all
      .flat()
      .sort((a, b) => compare(a.at, b.at) || compare(a.stream, b.stream))
      .slice(0, limit);
  }

  now(): Promise<number> {
    return this.#shards[0]!.store.now();
  }

  async close(): Promise<void> {
    await Promise.all(this.#shards.map(({ store }) => store.close()));
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
