// The feed over a log in memory and messages that the test publishes by hand: the faults that may occur between the two.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { natsOptions } from "../../../kernel/index.ts";
import type { LogEvent } from "../../index.ts";
import { until } from "../../../testing/index.ts";
import { Nats } from "../../../testing/servers.ts";
import { Source } from "../../log/source.fixture.ts";
import { CursorNotInLog } from "../../log/identity.ts";
import { digestOfMark, sealed, type Carried } from "../message.ts";
import { RelayedFeed } from "../relayed-feed.ts";
import { Channel } from "./channel.ts";
import { Connection, type JetStream } from "./connection.ts";
import { JetStreamTail } from "./tail.ts";

const ORIGIN = "log-1/shape-1";
let nats: Nats;
let connection: Connection;
let jetStream: JetStream;
let channel: Channel;
let source: Source;
let feed: RelayedFeed;
let reads: number;
let channels = 0;
/** The secret that the owner tells; undefined where nodes have no keys. */
let secret: string | undefined;

beforeAll(async () => {
  nats = await Nats.start();
  connection = new Connection(natsOptions(nats.url));
  jetStream = (await until(
    () => connection.jetStream,
    made => made !== undefined,
  ))!;
});
afterAll(async () => {
  await connection.close();
  await nats.stop();
});

beforeEach(async () => {
  channel = new Channel(`library-${++channels}`, "things");
  source = new Source("things", "thing", ["thing.made"]);
  reads = 0;
  counted = { redelivered: 0, gaps: 0 };
  secret = undefined;
  await channel.ensure(jetStream.manager);
});
afterEach(() => feed.close());

let counted: Record<"redelivered" | "gaps", number>;
const count = { redelivered: { add: () => counted.redelivered++ }, gaps: { add: () => counted.gaps++ } };

/** A feed at the end of a log of so many events, fed by JetStream from now on. */
async function openAt(events: number): Promise<void> {
  for (let i = 0; i < events; i++) source.append("a", "thing.made");
  const read = async (cursor: string, limit: number, mark?: string) => {
    // Without events it is asked whether a place is in its log.
    if (limit > 0) reads++;
    if (mark === undefined ? Number(cursor) > source.log.length : mark !== source.markAt(cursor))
      throw new CursorNotInLog("things", { reason: "it is another log", head: "", actor: "thing" });
    const page = source.log.slice(Number(cursor), Number(cursor) + limit);
    const next = `${Number(cursor) + page.length}`;
    return { events: page, cursor: next, mark: source.markAt(next), origin: ORIGIN, ...(secret && { seal: secret }) };
  };
  const openTail = (onChange: () => void) =>
    connection.jetStream && new JetStreamTail(connection.jetStream, channel, onChange);
  feed = new RelayedFeed("things", "", undefined, read, openTail, { count, onClose() {} });
  await take(events);
  await until(
    async () => {
      const before = reads;
      await feed.next(10);
      return reads === before;
    },
    isOnTail => isOnTail,
  );
  reads = 0;
}

/** The events that the feed brings, until there are so many. */
async function take(count: number): Promise<number[]> {
  const events: LogEvent[] = [];
  await until(
    async () => events.push(...(await feed.next(100)).events),
    length => length >= count,
  );
  return events.map(event => event.version);
}

/** Writes an event to the log; answers its message, alone on its page. */
function written(over: Partial<Carried> = {}): Carried {
  const event = source.append("a", "thing.made");
  const place = source.log.length;
  return { origin: ORIGIN, ...between(place - 1, place), index: 1, count: 1, event, ...over };
}
/** Two cursors, with what a page between them says of the log. */
function between(after: number, upTo: number): Pick<Carried, "after" | "upTo" | "follows" | "mark"> {
  const [follows, mark] = [digestOfMark(source.markAt(`${after}`)), source.markAt(`${upTo}`)];
  return { after: `${after}`, upTo: `${upTo}`, ...(follows && { follows }), ...(mark && { mark }) };
}
/** One page of several. */
function page(count: number): Carried[] {
  const after = source.log.length;
  const events = Array.from({ length: count }, () => source.append("a", "thing.made"));
  const place = between(after, source.log.length);
  return events.map((event, i) => ({ origin: ORIGIN, ...place, index: i + 1, count, event }));
}
const publish = (...messages: Carried[]): Promise<void> => send(...messages.map(message => JSON.stringify(message)));
async function send(...texts: string[]): Promise<void> {
  for (const text of texts) await jetStream.client.publish(channel.subjectOf({ actor: "thing", stream: "a" }), text);
}

test("P4 where the owner seals its messages, one that it has not sealed puts nothing into the log", async () => {
  secret = "s".repeat(43);
  await openAt(2);
  const seal = (message: Carried, by = secret!) => sealed(JSON.stringify(message), by);
  await send(seal(written()), seal(written()));
  expect(await take(2)).toEqual([3, 4]);
  expect(reads).toBe(0);
  const last = { origin: ORIGIN, ...between(4, 4), index: 1, count: 1 };
  const event = { ...source.log[3]!, version: 5, data: { by: "a stranger" } };
  const forged = { ...last, after: "4", upTo: "5", event };
  const far = { ...forged, upTo: "900000000" };
  const changed = seal(forged).replace("a stranger", "somebody");
  await send(JSON.stringify(forged), seal(forged, "t".repeat(43)), changed, seal(far, ""), JSON.stringify(far));
  await sleep(200);
  const batches = [await feed.next(10), await feed.next(10)];
  expect(batches.flatMap(({ events }) => events)).toEqual([]);
  expect(batches.at(-1)!.cursor).toBe("4");
  await send(seal(written()), seal(written()));
  const versions = await take(2);
  expect(versions).toEqual([5, 6]);
  expect(source.log[4]!.data).not.toMatchObject({ by: "a stranger" });
});

test.each([
  ["beyond the log's end", { upTo: "900000000" }],
  ["with the mark of no log", { upTo: "4", mark: "5/7" }],
])("P4 without seals, a message that leads to a place %s is not taken, and hides no event", async (_where, forged) => {
  await openAt(2);
  await publish(written());
  expect(await take(1)).toEqual([3]);
  const { mark: _, ...place } = between(3, 3);
  const event = { ...source.log[2]!, version: 4, data: { by: "a stranger" } };
  await publish({ origin: ORIGIN, ...place, index: 1, count: 1, event, ...forged });
  await sleep(100);
  const { events, cursor } = await feed.next(10);
  expect([events, cursor]).toEqual([[], "3"]);
  await publish(written(), written());
  expect(await takeAll(4, 2)).toEqual([4, 5]);
  expect((await feed.next(10)).cursor).toBe("5");
});

test("later events come from JetStream alone, the log is not read", async () => {
  await openAt(3);
  await publish(written(), ...page(3), written());
  expect(await take(5)).toEqual([4, 5, 6, 7, 8]);
  expect(reads).toBe(0);
});

test("history is read from the log, however much of it there is", async () => {
  await openAt(1_000);
  await publish(written());
  expect(await take(1)).toEqual([1_001]);
});

test("P4 the event of a lost message is found in the log, and later ones come by JetStream again", async () => {
  await openAt(1);
  written();
  await publish(written());
  expect(await take(2)).toEqual([2, 3]);
  expect(counted.gaps).toBe(1);
  await feedOnTail();
  await publish(written());
  expect(await take(1)).toEqual([4]);
  expect(reads).toBe(0);
});

test("P4 the first message of a page is missing, one in the middle, or the last", async () => {
  await openAt(1);
  for (const missing of [0, 2, 3]) {
    const messages = page(4);
    await publish(...messages.filter((_, i) => i !== missing), written());
    const next = Number(messages[0]!.after) + 1;
    expect(await takeAll(next, 5)).toHaveLength(5);
    await feedOnTail();
  }
});

test("P4 messages out of order come in the order of the log", async () => {
  await openAt(1);
  const [first, second, third] = [written(), written(), written()];
  await publish(second, third, first, written());
  expect(await takeAll(2, 4)).toEqual([2, 3, 4, 5]);
});

test("a message that comes again is dropped, also one of another relay with other pages", async () => {
  await openAt(1);
  const messages = page(3);
  const theirs = messages.map((message, i) => ({
    ...message,
    upTo: `${i + 2}`,
    after: `${i + 1}`,
    index: 1,
    count: 1,
  }));
  await publish(messages[0]!, messages[0]!, messages[1]!, messages[2]!, ...theirs, ...messages, written());
  expect(await take(4)).toEqual([2, 3, 4, 5]);
  expect(reads).toBe(0);
  // The second one of the first message came into the page, where it is dropped.
  expect(counted).toEqual({ redelivered: 6, gaps: 0 });
});

test("two relays at once, each with pages of its own: nothing is lost", async () => {
  await openAt(1);
  const ours = page(4);
  const theirs = ours.slice(2).map((message, i) => ({ ...message, after: "3", index: i + 1, count: 2 }));
  await publish(ours[0]!, ours[1]!, ...theirs, written());
  expect(await takeAll(2, 5)).toEqual([2, 3, 4, 5, 6]);
});

test("P4 an event of another log, or in the shape of another version of its owner, is read from the log instead", async () => {
  await openAt(1);
  const told = written({ origin: "log-0/shape-1" });
  await publish({ ...told, event: { ...told.event!, data: { from: "another log" } } });
  const event = await next();
  expect(event.version).toBe(2);
  expect(event.data).toEqual({});
});

/** The events that the feed brings until it throws. */
async function untilThrown(): Promise<unknown> {
  const events: LogEvent[] = [];
  try {
    for (let i = 0; i < 20; i++) events.push(...(await feed.next(100)).events);
  } catch (error) {
    expect(events).toEqual([]);
    return error;
  }
  return events;
}

test.each([
  ["event by event", () => [written(), written(), written(), written(), written()]],
  ["event by event, of which some come late", () => [written(), written(), written(), written(), written()].slice(3)],
  ["in one page past our place", () => page(5)],
  ["up to our place", () => page(3)],
])("P4 nothing is taken from a log that was put back from a copy and has grown: %s", async (_how, grow) => {
  await openAt(5);
  source.restore(2);
  await publish(...grow());
  expect(await untilThrown()).toBeInstanceOf(CursorNotInLog);
});

test("P4 an event of a log that was put back is not taken behind a message of the log before", async () => {
  secret = "s".repeat(43);
  await openAt(5);
  const last = written();
  source.restore(2);
  await send(...[last, ...page(6)].map(message => sealed(JSON.stringify(message), secret!)));
  expect(await take(1)).toEqual([6]);
  expect(await untilThrown()).toBeInstanceOf(CursorNotInLog);
});

test("P4 without seals, nor is that message", async () => {
  await openAt(5);
  const last = written();
  source.restore(2);
  await publish(last, ...page(6));
  expect(await untilThrown()).toBeInstanceOf(CursorNotInLog);
});

test("a page that begins before our cursor is taken once the owner has looked our cursor up", async () => {
  await openAt(3);
  const [, , third] = source.log;
  const rest = page(2);
  const ours = between(2, 5);
  await publish(
    ...[third!, ...rest.map(({ event }) => event!)].map((event, i) => ({
      ...rest[0]!,
      ...ours,
      index: i + 1,
      count: 3,
      event,
    })),
  );
  await publish(written());
  expect(await takeAll(4, 3)).toEqual([4, 5, 6]);
  expect(reads).toBe(1);
});

test("a page that does not name the event that it follows is read from the log", async () => {
  await openAt(1);
  const { follows: _, ...older } = written();
  await publish(older);
  expect(await take(1)).toEqual([2]);
  expect(reads).toBeGreaterThan(0);
});

test("a message of another log whose cursors are not past ours is passed over", async () => {
  await openAt(1);
  await publish({ ...written(), origin: "log-0/shape-1", after: "900", upTo: "901" });
  expect(await takeAll(2, 1)).toEqual([2]);
  await feedOnTail();
  await publish(written());
  expect(await take(1)).toEqual([3]);
  expect(reads).toBe(0);
});

test("an event that was too large for a message is read from the log", async () => {
  await openAt(1);
  const { event: _, ...place } = written();
  await publish(place, written());
  expect(await takeAll(2, 2)).toEqual([2, 3]);
});

test("P4 an event that is not published at all is found in the log, without a hint", async () => {
  await openAt(1);
  written();
  expect(await take(1)).toEqual([2]);
});

test("P4 the stream is deleted, and again when it has been made anew", async () => {
  await openAt(1);
  for (let round = 0; round < 2; round++) {
    const next = source.log.length + 1;
    await publish(written());
    await jetStream.manager.streams.delete(channel.name);
    await channel.ensure(jetStream.manager);
    await publish(written());
    expect(await takeAll(next, 2)).toEqual([next, next + 1]);
    await until(
      async () => {
        await feed.next(10);
        return (await jetStream.manager.streams.info(channel.name)).state.consumer_count;
      },
      consumers => consumers === 1,
    );
    await feedOnTail();
    reads = 0;
  }
  await publish(written());
  await take(1);
  expect(reads).toBe(0);
});

test("a tail that the server has lost unnoticed is replaced", async () => {
  await openAt(1);
  const consumer = async () => (await jetStream.manager.consumers.list(channel.name).next())[0];
  // More than is kept: the feed asks for no more, so the server has no open request to answer.
  for (let pages = 0; pages < 4; pages++) await publish(...page(500));
  await until(consumer, info => info?.num_waiting === 0 && info.num_pending > 0);
  await jetStream.manager.consumers.delete(channel.name, (await consumer())!.name);
  expect(await takeAll(2, 1_000)).toHaveLength(1_000);
  await until(
    async () => {
      const next = source.log.length + 1;
      await publish(written());
      const before = reads;
      await until(
        async () => (await feed.next(3_000)).events.some(({ version }) => version === next),
        came => came,
      );
      return reads === before;
    },
    isOnTail => isOnTail,
  );
});

/** Resolves when the feed has changed over to JetStream: two calls in a row did not read the log. */
async function feedOnTail(): Promise<void> {
  await until(
    async () => {
      const before = reads;
      await feed.next(10);
      await feed.next(10);
      return reads === before;
    },
    isOnTail => isOnTail,
  );
  reads = 0;
}

async function next(): Promise<LogEvent> {
  for (;;) {
    const [event] = (await feed.next(1)).events;
    if (event) return event;
  }
}

/** The versions from `from` on, without repetitions: a feed brings no gap. */
async function takeAll(from: number, count: number): Promise<number[]> {
  const taken: number[] = [];
  while (taken.length < count)
    for (const version of await take(1)) {
      expect(version).toBeLessThanOrEqual(from + taken.length);
      if (version === from + taken.length) taken.push(version);
    }
  return taken;
}
