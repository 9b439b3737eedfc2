// Two nodes publish a part of a log each, and a feed puts their pages together: on one database and on two, before and after
// pages of a node that publishes all.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { cursorOf, placesOf } from "../../event-store/index.ts";
import { digestOfMark, receivedFrom } from "../carriers/message.ts";
import { Ordered } from "../carriers/ordered.ts";
import { RelayedFeed, type Tail } from "../carriers/relayed-feed.ts";
import type { LogEntry } from "../log/part.ts";
import { leastPlace, partOf, withPart, type Place } from "../log/places.ts";
import type { LogEvent } from "../log/source.ts";
import { partitionOf } from "../sharing/partitions.ts";
import { PartPages } from "./part-pages.ts";
import type { Sent } from "./relay.ts";

const ORIGIN = "log-1/shape-1";
const COUNT = 16;

/** A log of the events of 20 actors, on so many databases, which nodes read each in an order of its own. */
class Log {
  readonly #shards: LogEvent[][];
  readonly versions = new Map<string, number>();

  constructor(shards: number) {
    this.#shards = Array.from({ length: shards }, () => []);
  }

  append(count: number): void {
    for (let i = 0; i < count; i++) {
      const stream = `${(this.size * 7) % 20}`;
      const version = (this.versions.get(stream) ?? 0) + 1;
      this.versions.set(stream, version);
      const event = { eventId: `thing.${stream}@${version}`, actor: "thing", stream, version };
      this.#shards[Number(stream) % this.#shards.length]!.push(event as unknown as LogEvent);
    }
  }

  get size(): number {
    return this.#shards.reduce((sum, events) => sum + events.length, 0);
  }

  /** The place after so many events of a database. */
  #part(shard: number, count: number): Place {
    const of = this.#shards.length > 1 ? shard : 0;
    const cursor = this.#shards.length > 1 ? cursorOf(new Map([[shard, `${count}`]])) : `${count}`;
    const { eventId } = this.#shards[shard]![count - 1]!;
    return { cursor, mark: JSON.stringify({ [of]: ["log-1", eventId, count, `digest-${eventId}`] }) };
  }

  /** The next events, of which a node decodes those of its partitions; it reads `first` of the databases first. */
  read(from: Place, limit: number, first = 0, takes: (stream: string) => boolean = () => true) {
    const entries: LogEntry[] = [];
    let place = from;
    for (let i = 0; i < this.#shards.length; i++) {
      const shard = (first + i) % this.#shards.length;
      const known = placesOf(from.cursor).get(shard);
      for (const event of this.#shards[shard]!.slice(Number(known ?? 0))) {
        if (entries.length === limit) break;
        const part = this.#part(shard, this.#shards[shard]!.indexOf(event) + 1);
        const stream = `thing.${event.stream}`;
        entries.push({
          stream,
          event: takes(stream) ? event : undefined,
          cursor: part.cursor,
          mark: () => part.mark,
        });
        place = this.#shards.length > 1 ? withPart(place, part) : part;
      }
    }
    return { entries, place, events: entries.flatMap(({ event }) => event ?? []) };
  }
}

let log: Log;
let tail: Ordered & { state: Tail["state"] };
let feed: RelayedFeed;
let reads: number;
let counted: { redelivered: number; gaps: number };
const seen: LogEvent[] = [];

beforeEach(() => seen.splice(0));
afterEach(() => feed.close());

/** A feed that follows the messages from the log's end on. */
async function follow(shards: number): Promise<Place> {
  log = new Log(shards);
  log.append(40);
  reads = 0;
  counted = { redelivered: 0, gaps: 0 };
  const read = async (cursor: string, limit: number, mark?: string) => {
    if (limit > 0) reads++;
    const { events, place } = log.read({ cursor, mark }, limit);
    return { ...place, events: limit > 0 ? events : [], origin: ORIGIN };
  };
  const openTail = (onChange: () => void): Tail => {
    tail = Object.assign(new Ordered(onChange), { state: "flowing" as const });
    return tail;
  };
  const count = { redelivered: { add: () => counted.redelivered++ }, gaps: { add: () => counted.gaps++ } };
  feed = new RelayedFeed("things", "", undefined, read, openTail, { count, onClose() {} });
  let place: Place = { cursor: "" };
  for (let before = -1; before !== reads;) {
    before = reads;
    const batch = await feed.next(100);
    seen.push(...batch.events);
    place = batch;
  }
  reads = 0;
  return place;
}

/** A node that publishes some partitions, from a place on. */
function node(begin: Place, first: number, isOwn: (partition: number) => boolean) {
  const pages = new PartPages(ORIGIN, begin);
  const takes = (stream: string): boolean => isOwn(partitionOf(stream, COUNT));
  let place = begin;
  return {
    get place() {
      return place;
    },
    publish(limit = 10): Sent[] {
      const page = log.read(place, limit, first, takes);
      place = page.place;
      return pages.messagesOf(page.entries, () => true);
    },
  };
}

/** A page of a node that publishes all, as a release without parts does it too. */
function wholePage(after: Place, limit: number): { messages: Sent[]; place: Place } {
  const { events, place } = log.read(after, limit);
  const messages = events.map((event, i) => ({
    origin: ORIGIN,
    after: after.cursor,
    upTo: place.cursor,
    index: i + 1,
    count: events.length,
    ...(after.mark !== undefined && { follows: digestOfMark(after.mark)! }),
    ...(i + 1 === events.length && { mark: place.mark! }),
    event,
  }));
  return { messages, place };
}

const send = (...messages: Sent[]): void => tail.add(messages.map(message => receivedFrom(JSON.stringify(message))));

/** Everything that was published has come once, one actor's events in order, and the log was not read. */
async function expectAll(): Promise<void> {
  for (let looks = 0; (seen.length < log.size || tail.size > 0) && looks < 100; looks++)
    seen.push(...(await feed.next(7)).events);
  expect(seen.map(({ eventId }) => eventId).sort()).toEqual(
    [...log.versions]
      .flatMap(([stream, last]) => Array.from({ length: last }, (_, i) => `thing.${stream}@${i + 1}`))
      .sort(),
  );
  const byStream = Map.groupBy(seen, ({ stream }) => stream);
  for (const events of byStream.values())
    expect(events.map(({ version }) => version)).toEqual(events.map((_, i) => i + 1));
  expect([reads, counted.gaps]).toEqual([0, 0]);
}

test.each([1, 2])("P4 pages of two nodes join, whichever come first: a log on %d databases", async shards => {
  const begin = await follow(shards);
  const nodes = [node(begin, 0, partition => partition % 2 === 0), node(begin, 1, partition => partition % 2 === 1)];
  for (let round = 0; round < 10; round++) {
    log.append(25);
    const [even, odd] = nodes.map(each => [...each.publish(), ...each.publish(30)]) as [Sent[], Sent[]];
    if (round % 2 === 0) send(...odd, ...even);
    else
      for (let i = 0; i < Math.max(even.length, odd.length); i++) send(...even.slice(i, i + 1), ...odd.slice(i, i + 1));
    await expectAll();
  }
  expect((await feed.next(1)).cursor).toBe(leastPlace(nodes.map(({ place }) => place)).cursor);
});

test.each([1, 2])(
  "P4 pages of one node that publishes all, of two that share, and of one again: nothing is lost, doubled or read from the log, on %d databases",
  async shards => {
    let place = await follow(shards);
    log.append(20);
    let whole = wholePage(place, 100);
    send(...whole.messages);
    await expectAll();
    const nodes = [node(whole.place, 0, partition => partition < 5), node(whole.place, 0, partition => partition >= 5)];
    log.append(30);
    send(...nodes[1]!.publish(100), ...nodes[0]!.publish(100));
    await expectAll();
    place = nodes[0]!.place;
    log.append(20);
    whole = wholePage(place, 100);
    send(...whole.messages);
    await expectAll();
  },
);

test("P4 a node that was overtaken publishes older events, and one that takes over publishes some again: each comes once", async () => {
  const begin = await follow(1);
  const lower = (partition: number): boolean => partition < 8;
  const nodes = [node(begin, 0, lower), node(begin, 0, partition => !lower(partition))];
  log.append(30);
  const late = nodes[0]!.publish(100);
  send(...late, ...nodes[1]!.publish(100));
  const taker = node(begin, 0, lower);
  send(...taker.publish(12), ...taker.publish(100));
  log.append(30);
  send(...nodes[1]!.publish(100), ...late, ...taker.publish(100));
  await expectAll();
  expect(counted.redelivered).toBeGreaterThan(late.length);
});

test("P4 the pages of a node that has died are read from the log, and later ones of the others are not lost", async () => {
  const begin = await follow(1);
  const alive = node(begin, 0, partition => partition < 8);
  log.append(50);
  send(...alive.publish(100));
  while (seen.length < log.size) seen.push(...(await feed.next(100)).events);
  expect(reads).toBeGreaterThan(0);
  expect(new Set(seen.map(({ eventId }) => eventId)).size).toBe(log.size);
});

test("the parts of a place, and the least of several", () => {
  const mark = (over: object): string => JSON.stringify(over);
  const part = (n: number) => ["log", `s${n}`, n, `d${n}`];
  const place = { cursor: "0=1:2,1=3:4", mark: mark({ 0: part(1), 1: part(2) }) };
  expect(partOf(place, 1)).toEqual({ cursor: "1=3:4", mark: mark({ 1: part(2) }) });
  expect(partOf(place, 2)).toEqual({ cursor: "", mark: undefined });
  const further = withPart(place, { cursor: "1=5:6", mark: mark({ 1: part(3) }) });
  expect(further).toEqual({ cursor: "0=1:2,1=5:6", mark: mark({ 0: part(1), 1: part(3) }) });
  const other = withPart(place, { cursor: "0=9:9", mark: mark({ 0: part(4) }) });
  expect(leastPlace([further, other, further])).toEqual(place);
});
