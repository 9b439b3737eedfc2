// Feeds that share the reader of a log, over a log in memory whose readers are counted.
import { beforeEach, expect, test } from "@jest/globals";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { CursorNotInLog } from "../log/identity.ts";
import { Source } from "../log/source.fixture.ts";
import type { LogEvent } from "../log/source.ts";
import type { Feed, LogBatch, LogFeed, Place } from "./carrier.ts";
import { SharedCarrier } from "./shared.ts";

let source: Source;
/** Readers of the log that are open, and pages with events that they have read. */
let readers: number;
let pages: number;
let failure: Error | undefined;
let carrier: SharedCarrier;

class Reader implements LogFeed {
  #place: number;
  #closed = false;
  constructor({ cursor }: Place) {
    this.#place = Number(cursor);
    readers++;
  }
  async next(limit: number): Promise<LogBatch> {
    await new Promise(setImmediate);
    if (failure) throw failure;
    const events = source.log.slice(this.#place, this.#place + limit);
    if (events.length > 0) pages++;
    this.#place += events.length;
    const bytes = events.reduce((sum, { data }) => sum + JSON.stringify(data).length, 0);
    return { events, cursor: `${this.#place || ""}`, isAtEnd: events.length < limit, bytes };
  }
  close(): void {
    if (!this.#closed) readers--;
    this.#closed = true;
  }
}

beforeEach(() => {
  source = new Source("things", "thing", ["thing.made"]);
  readers = 0;
  pages = 0;
  failure = undefined;
  carrier = new SharedCarrier({ open: (_source, place) => new Reader(place), wake: () => {} });
});

const append = (count: number, data: unknown = {}): void => {
  for (let i = 0; i < count; i++) source.append("a", "thing.made", data);
};
const versions = (events: readonly LogEvent[]): number[] => events.map(({ version }) => version);
const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Everything up to the log's end. */
async function rest(feed: Feed, limit = 10): Promise<LogEvent[]> {
  const events: LogEvent[] = [];
  for (;;) {
    const batch = await feed.next(limit);
    events.push(...batch.events);
    if (batch.isAtEnd) return events;
  }
}
const openAtEnd = async (): Promise<Feed> => {
  const feed = carrier.open("things", { cursor: "" });
  await rest(feed);
  return feed;
};

test("feeds at the end of a log have one reader, which reads each page once", async () => {
  append(25);
  const feeds = [await openAtEnd(), await openAtEnd(), await openAtEnd()];
  expect(readers).toBe(1);
  pages = 0;
  append(30);
  for (const events of await Promise.all(feeds.map(feed => rest(feed)))) expect(versions(events)).toEqual(upTo(55, 26));
  expect(pages).toBe(3);
});

test("an event is decoded once: every feed gets the same object, frozen to its depth", async () => {
  const feeds = [await openAtEnd(), await openAtEnd()];
  append(1, { title: { text: "Dune" } });
  const [one, other] = (await Promise.all(feeds.map(feed => rest(feed)))).flat();
  expect(one).toBe(other);
  expect(Object.isFrozen((one!.data as unknown as { title: object }).title)).toBe(true);
});

test("a feed that is slow falls off the pages, reads on alone, and joins again", async () => {
  const [fast, slow] = [await openAtEnd(), await openAtEnd()];
  append(900, { text: "x".repeat(10_000) });
  expect(await rest(fast)).toHaveLength(900);
  expect(readers).toBe(1);
  const [first] = (await slow.next(10)).events;
  expect([first!.version, readers]).toEqual([1, 2]);
  expect(versions(await rest(slow))).toEqual(upTo(900, 11));
  expect(readers).toBe(1);
});

test("a feed that comes from before the pages reads alone until they cover it", async () => {
  const leader = await openAtEnd();
  append(40);
  await rest(leader);
  const late = carrier.open("things", { cursor: "" });
  await late.next(10);
  expect(readers).toBe(2);
  expect(versions(await rest(late))).toEqual(upTo(40, 11));
  expect(readers).toBe(1);
});

test("a feed that is ahead of the pages at the end of the log leads from there", async () => {
  const behind = await openAtEnd();
  append(20);
  const ahead = await openAtEnd();
  expect(readers).toBe(1);
  append(5);
  expect(versions(await rest(ahead))).toEqual(upTo(25, 21));
  expect(versions(await rest(behind))).toEqual(upTo(25));
  expect(readers).toBe(1);
});

test("a failure of the reader is everyone's who waits for it; then each has one of its own until the end", async () => {
  const feeds = [await openAtEnd(), await openAtEnd()];
  failure = new CursorNotInLog("things", { reason: "it is another log", head: "", actor: "thing" });
  const failed = await Promise.allSettled(feeds.map(feed => feed.next(10)));
  expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  failure = undefined;
  append(3);
  for (const events of await Promise.all(feeds.map(feed => rest(feed)))) expect(versions(events)).toEqual([1, 2, 3]);
  await Promise.all(feeds.map(feed => feed.next(10)));
  expect(readers).toBe(1);
});

test("the reader ends with the last feed, also while one waits", async () => {
  const feeds = [await openAtEnd(), await openAtEnd()];
  const waiting = feeds.map(feed => feed.next(10));
  for (const feed of feeds) feed.close();
  expect((await Promise.all(waiting)).map(({ events }) => events)).toEqual([[], []]);
  expect(readers).toBe(0);
});

test("a feed keeps nothing of its waits for a quiet log", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const heap = (): number => {
    gc();
    return process.memoryUsage().heapUsed;
  };
  const feed = await openAtEnd();
  const wait = async (times: number): Promise<void> => {
    for (let n = 0; n < times; n++) await feed.next(10);
  };
  await wait(1_000);
  const before = heap();
  await wait(10_000);
  expect((heap() - before) / 10_000).toBeLessThan(100);
  feed.close();
});

test("the place after a part of a page is the one before it, and after its end the one after it", async () => {
  const feed = await openAtEnd();
  const other = await openAtEnd();
  append(10);
  await other.next(10);
  expect(await feed.next(4)).toMatchObject({ cursor: "", isAtEnd: false });
  expect(await feed.next(6)).toMatchObject({ cursor: "10" });
});
