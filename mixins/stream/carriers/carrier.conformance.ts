// The suite that every carrier passes: the promises of carrier.ts. A carrier's test calls it with a function that makes one.
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Cursor, LogEvent } from "../index.ts";
import { until } from "../../testing/index.ts";
import { Source } from "../log/source.fixture.ts";
import type { Carrier, Feed } from "./carrier.ts";

export interface CarrierUnderTest {
  readonly carrier: Carrier;
  end(): Promise<void>;
}

export function carrierConformance(name: string, make: (source: Source) => Promise<CarrierUnderTest>): void {
  describe(`${name} keeps the promises of a carrier`, () => {
    let source: Source;
    let made: CarrierUnderTest;
    const feeds: Feed[] = [];
    beforeEach(async () => {
      source = new Source("things", "thing", ["thing.made", "thing.used"]);
      made = await make(source);
    });
    afterEach(async () => {
      for (const feed of feeds.splice(0)) feed.close();
      await made.end();
    });

    const open = (cursor: Cursor = "", takes?: (event: LogEvent) => boolean): Feed => {
      const opened = made.carrier.open("things", { cursor }, takes);
      feeds.push(opened);
      return opened;
    };
    /** Reads all feeds until so many events have come. */
    async function read(from: Feed[], count: number, limit = 100): Promise<LogEvent[]> {
      const seen: LogEvent[] = [];
      await Promise.all(
        from.map(async feed => {
          await until(
            async () => {
              const { events } = await feed.next(limit);
              expect(events.length).toBeLessThanOrEqual(limit);
              seen.push(...events);
              return seen.length;
            },
            length => length >= count,
          );
        }),
      );
      return seen;
    }
    const versionsOf = (events: readonly LogEvent[], stream: string): number[] =>
      events.filter(event => event.stream === stream).map(event => event.version);

    test("delivers every event of all types, a stream's in order, in batches of at most the limit", async () => {
      for (let i = 0; i < 250; i++) source.append(`${i % 5}`, i % 2 ? "thing.made" : "thing.used", { i });
      const seen = await read([open()], 250, 40);
      expect(seen).toHaveLength(250);
      for (let stream = 0; stream < 5; stream++)
        expect(versionsOf(seen, `${stream}`)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    });

    test("delivers again, whole, to a feed that starts at the beginning: it remembers nothing", async () => {
      for (let i = 0; i < 20; i++) source.append("a", "thing.used");
      expect(await read([open()], 20)).toHaveLength(20);
      expect(await read([open()], 20)).toHaveLength(20);
    });

    test("goes on after a cursor that it delivered", async () => {
      for (let i = 0; i < 30; i++) source.append("a", "thing.used");
      const { events, cursor } = await open().next(10);
      const rest = await read([open(cursor)], 30 - events.length);
      expect([...events, ...rest].map(event => event.version)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    });

    test("delivers to a feed the events that it takes, and to each of several feeds its own", async () => {
      const takes = [0, 1].map(own => (event: LogEvent) => Number(event.stream) % 2 === own);
      const feeds = takes.map(own => open("", own));
      for (let i = 0; i < 60; i++) source.append(`${i % 3}`, "thing.used");
      const [even, odd] = await Promise.all(feeds.map((feed, i) => read([feed], i === 0 ? 40 : 20)));
      expect(versionsOf(even!, "0")).toEqual(versionsOf(even!, "2"));
      expect(versionsOf(odd!, "1")).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
      expect(even).toHaveLength(40);
    });

    /** Reads until the feed is idle: several looks have found nothing. */
    async function idle(feed: Feed): Promise<void> {
      for (let empty = 0; empty < 8;) empty = (await feed.next(10)).events.length === 0 ? empty + 1 : 0;
    }

    test("delivers an event that is committed while it waits, at once after a hint", async () => {
      const feed = open();
      await idle(feed);
      const reading = read([feed], 1);
      const began = performance.now();
      source.append("a", "thing.made");
      made.carrier.wake("things");
      expect(await reading).toHaveLength(1);
      expect(performance.now() - began).toBeLessThan(300);
    });

    test("delivers it without a hint as well", async () => {
      source.hints = false;
      const feed = open();
      await idle(feed);
      source.append("a", "thing.made");
      expect(await read([feed], 1)).toHaveLength(1);
    });

    test("an event that is committed and hinted at during a read comes at once afterwards", async () => {
      const feed = open();
      await idle(feed);
      let committed = 0;
      source.tamper = events => {
        source.tamper = later => later;
        committed = performance.now();
        source.append("a", "thing.made");
        made.carrier.wake("things");
        return events;
      };
      expect(await read([feed], 1)).toHaveLength(1);
      expect(performance.now() - committed).toBeLessThan(300);
    });

    test("answers with an empty batch after a while, and ends at once when it is closed", async () => {
      const feed = open();
      expect((await feed.next(10)).events).toEqual([]);
      const waiting = feed.next(10);
      feed.close();
      expect((await waiting).events).toEqual([]);
    });

    test("passes the owner's failure on and works again afterwards", async () => {
      source.append("a", "thing.made");
      source.tamper = () => {
        throw new Error("the owner is away");
      };
      const feed = open();
      await expect(feed.next(10)).rejects.toThrow("away");
      source.tamper = events => events;
      expect(await read([feed], 1)).toHaveLength(1);
    });
  });
}
