// The promises of every dialect: the suite that each of them runs. Appends that are made in one tick of an idle store go
// out as one batch; the tests that speak of a batch rely on it.
import { setImmediate as turn, setTimeout as wait } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { DatabaseLocation } from "../database/index.ts";
import { outcomeOf } from "../kernel/index.ts";
import type { Append, EventStore, NewEvent, StoredEvent, Verdict } from "./event-store.ts";
import { bucketOf } from "./buckets.ts";
import { PlaceChecks } from "./marks.ts";
import { openEventStore } from "./open.ts";
import { until } from "../testing/index.ts";

/** An event store under test, on a database of its own. */
export interface Subject {
  readonly store: EventStore;
  /** Closes and opens the same database anew. */
  reopen(): Promise<EventStore>;
  destroy(): Promise<void>;
}

/** A subject at this location; `remove` takes away its databases. */
export async function subjectAt(location: DatabaseLocation, remove: () => Promise<unknown>): Promise<Subject> {
  let store = await openEventStore(location);
  return {
    store,
    async reopen() {
      await store.close();
      return (store = await openEventStore(location));
    },
    async destroy() {
      await store.close();
      await remove();
    },
  };
}

export const event = (n: number): NewEvent => ({ type: "thing.done", schemaVersion: 1, data: `{"n":${n}}` });
let lastId = 0;

/** An append of one event under a new command id, unless said otherwise. */
export function appendOf(stream: string, expectedVersion: number, rest: Partial<Append> = {}): Append {
  const commandId = `test:${++lastId}`;
  const events = [event(expectedVersion + 1)];
  return {
    stream,
    expectedVersion,
    commandId,
    kind: "do",
    fingerprint: "f",
    events,
    metadata: '{"user":"u"}',
    answer: null,
    ...rest,
  };
}

export const verdictOf = (store: EventStore, append: Append): Promise<Verdict> =>
  new Promise(resolve => store.append(append, resolve));
const verdictsOf = (store: EventStore, appends: readonly Append[]): Promise<Verdict[]> =>
  Promise.all(appends.map(append => verdictOf(store, append)));
const ok = (version: number) => expect.objectContaining({ kind: "ok", version });
const conflict = { kind: "conflict" };
const versionsOf = (events: readonly StoredEvent[]) => events.map(event => event.version);

export interface Conformance {
  readonly name: string;
  readonly open: () => Promise<Subject>;
  /** A store on several databases has no order between streams of different ones. Default false. */
  readonly isSharded?: boolean;
}

export function eventStoreConformance({ name, open, isSharded = false }: Conformance): void {
  describe(`event store on ${name}`, () => {
    let subject: Subject;
    let store: EventStore;
    beforeAll(async () => {
      subject = await open();
      store = subject.store;
    });
    afterAll(() => subject.destroy());
    let streams = 0;
    /** Tests share the database: each has streams of its own. */
    const newStream = () => `thing.${++streams}`;
    const append = (...args: Parameters<typeof appendOf>) => verdictOf(store, appendOf(...args));

    describe("verdicts", () => {
      test("P2 an append at the stream's version commits, one at another version is a conflict and writes nothing", async () => {
        const stream = newStream();
        expect(await append(stream, 0, { events: [event(1), event(2)] })).toEqual(ok(2));
        expect(await append(stream, 2)).toEqual(ok(3));
        expect(await append(stream, 2)).toEqual(conflict);
        expect(await append(stream, 4)).toEqual(conflict);
        expect(versionsOf(await store.readStream(stream, 1, 10))).toEqual([1, 2, 3]);
      });

      test("P2 a multi-event append of a stale command is not torn: none of its events is written", async () => {
        const stream = newStream();
        await append(stream, 0, { events: [event(1), event(2), event(3), event(4), event(5)] });
        expect(await append(stream, 4, { events: [event(5), event(6)] })).toEqual(conflict);
        expect(versionsOf(await store.readStream(stream, 1, 10))).toEqual([1, 2, 3, 4, 5]);
      });

      test("P3 a repeated command id gets the first answer, however stale or new the version that it expects", async () => {
        const stream = newStream();
        const first = appendOf(stream, 0, { kind: "open", fingerprint: "abc", answer: '{"id":"1","note":"é"}' });
        await verdictOf(store, first);
        await append(stream, 1);
        const { commandId, kind, fingerprint, answer } = first;
        const duplicate = { kind: "duplicate", first: { commandId, kind, fingerprint, answer, version: 1 } };
        for (const expectedVersion of [0, 1, 2, 9])
          expect(await verdictOf(store, { ...first, expectedVersion, kind: "other", fingerprint: "x" })).toEqual(
            duplicate,
          );
        expect(await store.findCommand(stream, commandId!)).toEqual(duplicate.first);
        expect(versionsOf(await store.readStream(stream, 1, 10))).toEqual([1, 2]);
      });

      test("P3 the same command id on another stream is another command", async () => {
        const first = appendOf(newStream(), 0);
        expect(await verdictOf(store, first)).toEqual(ok(1));
        expect(await verdictOf(store, { ...first, stream: newStream() })).toEqual(ok(1));
      });

      test("P3 a refusal is recorded without an event and repeated word for word", async () => {
        const stream = newStream();
        const refusal = appendOf(stream, 0, { events: [], answer: '{"refusal":"NO_STOCK"}' });
        expect(await verdictOf(store, refusal)).toEqual(ok(0));
        await append(stream, 0);
        const repeated = await verdictOf(store, { ...refusal, expectedVersion: 1, answer: '{"ok":true}' });
        expect(repeated).toMatchObject({ kind: "duplicate", first: { answer: refusal.answer, version: 0 } });
      });

      test("P3 a refusal that was decided on a stale state is a conflict and is not recorded", async () => {
        const stream = newStream();
        await append(stream, 0);
        const refusal = appendOf(stream, 0, { events: [], answer: "{}" });
        expect(await verdictOf(store, refusal)).toEqual(conflict);
        expect(await store.findCommand(stream, refusal.commandId!)).toBeUndefined();
      });

      test("without a command id only the version is checked, and nothing is recorded", async () => {
        const stream = newStream();
        const check = (version: number) => append(stream, version, { commandId: undefined, events: [] });
        expect(await check(0)).toEqual(ok(0));
        expect(await check(1)).toEqual(conflict);
        await append(stream, 0);
        expect(
          await verdictsOf(store, [appendOf(stream, 1), appendOf(stream, 2, { commandId: undefined, events: [] })]),
        ).toEqual([ok(2), ok(2)]);
        expect(await check(1)).toEqual(conflict);
        expect((await store.load(stream, 1)).version).toBe(2);
      });
    });

    describe("one batch", () => {
      test("a chain that fails leaves the neighbours alone", async () => {
        const [a, b, c, fresh] = [newStream(), newStream(), newStream(), newStream()];
        const recorded = appendOf(c, 0);
        await verdictsOf(store, [appendOf(a, 0), appendOf(b, 0), recorded]);
        const verdicts = await verdictsOf(store, [
          appendOf(a, 1, { events: [event(2), event(3)] }),
          appendOf(b, 0),
          appendOf(a, 3),
          appendOf(b, 1),
          recorded,
          appendOf(fresh, 0, { events: [event(1), event(2)] }),
        ]);
        expect(verdicts).toEqual([
          ok(3),
          conflict,
          ok(4),
          conflict,
          expect.objectContaining({ kind: "duplicate" }),
          ok(2),
        ]);
        expect(versionsOf(await store.readStream(b, 1, 10))).toEqual([1]);
      });

      test("after a duplicate in mid-chain the rest conflicts, unless it is recorded itself", async () => {
        const stream = newStream();
        const [first, second] = [appendOf(stream, 0), appendOf(stream, 1)];
        await verdictsOf(store, [first, second]);
        const verdicts = await verdictsOf(store, [
          appendOf(stream, 2),
          { ...first, expectedVersion: 3 },
          appendOf(stream, 3),
          { ...second, expectedVersion: 4 },
          appendOf(stream, 3, { commandId: undefined, events: [] }),
        ]);
        expect(verdicts.map(verdict => verdict.kind)).toEqual(["ok", "duplicate", "conflict", "duplicate", "conflict"]);
        expect((await store.load(stream, 1)).version).toBe(3);
      });

      test("a failed check fails the rest of its chain too", async () => {
        const stream = newStream();
        await append(stream, 0);
        const stale = appendOf(stream, 0, { commandId: undefined, events: [] });
        expect(await verdictsOf(store, [stale, appendOf(stream, 1)])).toEqual([conflict, conflict]);
      });

      test("P3 the same command id twice at once takes effect once, and no neighbour is harmed", async () => {
        const [stream, neighbour] = [newStream(), newStream()];
        const twin = appendOf(stream, 0, { answer: '"first"' });
        const verdicts = await verdictsOf(store, [
          twin,
          { ...twin, expectedVersion: 1, answer: '"second"' },
          appendOf(neighbour, 0),
        ]);
        expect(verdicts).toEqual([
          ok(1),
          expect.objectContaining({
            kind: "duplicate",
            first: expect.objectContaining({ answer: '"first"', version: 1 }),
          }),
          ok(1),
        ]);
        expect((await store.load(stream, 1)).version).toBe(1);
      });

      test("verdicts are settled after `append` has returned, together, in the order of submission", async () => {
        const stream = newStream();
        const settled: string[] = [];
        const done = new Promise<void>(resolve => {
          for (const [i, expectedVersion] of [0, 1, 1, 2].entries())
            store.append(appendOf(stream, expectedVersion), verdict => {
              settled.push(`${i} ${verdict.kind}`);
              if (i === 0) queueMicrotask(() => settled.push("later"));
              if (i === 3) resolve();
            });
        });
        expect(settled).toEqual([]);
        await done;
        expect(settled).toEqual(["0 ok", "1 ok", "2 conflict", "3 conflict", "later"]);
      });

      test("P2 what waits behind a failed append is withdrawn, even if it would fit", async () => {
        const stream = newStream();
        await append(stream, 0);
        const stale = append(stream, 0);
        await turn();
        const fits = append(stream, 1);
        expect(await stale).toEqual(conflict);
        expect(await fits).toEqual(conflict);
        expect((await store.load(stream, 1)).version).toBe(1);
      });

      test("`at` is the store's own time, the same in the verdict and in the events", async () => {
        const stream = newStream();
        const verdict = (await append(stream, 0)) as Extract<Verdict, { kind: "ok" }>;
        const [stored] = await store.readStream(stream, 1, 1);
        expect(stored!.at).toBe(verdict.at);
        expect(new Date(verdict.at).toISOString()).toBe(verdict.at);
        expect(Math.abs((await store.now()) - Date.parse(verdict.at))).toBeLessThan(5_000);
      });

      test("commits are announced with the number of events written, until the listener is taken away", async () => {
        const announced: number[] = [];
        const undo = store.onCommit(events => announced.push(events));
        const stream = newStream();
        await verdictsOf(store, [
          appendOf(stream, 0, { events: [event(1), event(2)] }),
          appendOf(stream, 2),
          appendOf(stream, 0),
        ]);
        await append(stream, 3, { events: [] });
        undo();
        await append(stream, 3);
        expect(announced).toEqual([3]);
      });

      test("a commit is announced with the streams that it wrote to, and before it is answered", async () => {
        const announced: string[] = [];
        const undo = store.onCommit((_events, streams) => announced.push(...streams));
        const [one, other, refused] = [newStream(), newStream(), newStream()];
        await verdictsOf(store, [appendOf(one, 0), appendOf(other, 0), appendOf(refused, 7)]);
        undo();
        expect(announced.sort()).toEqual([one, other].sort());
      });
    });

    describe("reading", () => {
      test("text comes back as it went in", async () => {
        const stream = `thing.${newStream()} 'é"\n%_\u{1f600}`;
        const data = JSON.stringify({ text: "'; drop table events; -- \u0000 \u{1f600}", long: "x".repeat(1_000_000) });
        await append(stream, 0, { events: [{ type: "thing.done", schemaVersion: 7, data }], metadata: '{"u":"é"}' });
        const [stored] = await store.readStream(stream, 1, 1);
        expect(stored).toMatchObject({
          stream,
          version: 1,
          type: "thing.done",
          schemaVersion: 7,
          data,
          metadata: '{"u":"é"}',
        });
      });

      test("a stream is read from a version on, at most as many as wanted", async () => {
        const stream = newStream();
        await append(stream, 0, { events: Array.from({ length: 5 }, (_, i) => event(i + 1)) });
        expect(versionsOf(await store.readStream(stream, 2, 3))).toEqual([2, 3, 4]);
        expect(versionsOf(await store.readStream(stream, 5, 3))).toEqual([5]);
        expect(await store.readStream(stream, 6, 3)).toEqual([]);
        expect(await store.readStream("thing.unknown", 1, 3)).toEqual([]);
      });

      test.each([2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER])("past version %d there is nothing", async version => {
        const stream = newStream();
        await append(stream, 0, { events: [event(1)] });
        expect(await store.readStream(stream, version, 3)).toEqual([]);
      });

      test("a stream of thousands of events loads whole", async () => {
        const stream = newStream();
        for (let version = 0; version < 2_300; version += 100)
          await append(stream, version, { events: Array.from({ length: 100 }, (_, i) => event(version + i + 1)) });
        const expected = Array.from({ length: 2_300 }, (_, i) => i + 1);
        expect(versionsOf((await store.load(stream, 1)).events)).toEqual(expected);
        expect(versionsOf(await store.readStream(stream, 1, 5_000))).toEqual(expected);
      });

      test("a stream that does not exist loads as version 0", async () => {
        expect(await store.load("thing.unknown", 1)).toEqual({
          version: 0,
          snapshot: undefined,
          events: [],
          quarantine: undefined,
          archived: false,
        });
        expect(await store.findCommand("thing.unknown", "test:1")).toBeUndefined();
      });

      // There is no order between streams of different databases.
      const ifOrdered = isSharded ? test.skip : test;
      ifOrdered("streams are listed in the order of their first append; one with refusals only is not", async () => {
        const [a, refused, b] = [newStream(), newStream(), newStream()];
        await append(a, 0);
        await append(refused, 0, { events: [], answer: "{}" });
        await append(b, 0, { events: [event(1), event(2)] });
        const all = (await store.streams(undefined, 10_000)).map(({ stream }) => stream);
        expect(all.slice(-2)).toEqual([a, b]);
        expect(await store.streams(a, 10)).toEqual([{ stream: b, version: 2, archived: false }]);
        expect(await store.streams(all.at(-3), 1)).toEqual([{ stream: a, version: 1, archived: false }]);
      });

      test("streams are listed by name too, from any name on, and counted", async () => {
        const before = await store.streamCount();
        const base = newStream();
        const [b, refused, a] = [`${base}.b`, `${base}.a-`, `${base}.A`];
        for (const stream of [b, a]) await append(stream, 0);
        await append(refused, 0, { events: [], answer: "{}" });
        const named = async (after: string | undefined, limit: number) =>
          (await store.streamsByName(after, limit)).map(({ stream }) => stream);
        expect((await named(base, 2)).slice(0, 2)).toEqual([a, b]);
        expect(await named(`${base}.B`, 1)).toEqual([b]);
        expect(await store.streamsByName(a, 1)).toEqual([{ stream: b, version: 1, archived: false }]);
        const all = await named(undefined, 10_000);
        expect(all).toEqual(all.toSorted());
        expect([all.length, await store.streamCount()]).toEqual([before + 2, before + 2]);
      });

      test("P4 the log gives every event once and each stream in order, while writers append", async () => {
        let { cursor } = await store.head("");
        const writers = Array.from({ length: 8 }, async () => {
          const stream = newStream();
          for (let version = 0; version < 60; version += 2)
            await append(stream, version, { events: [event(version + 1), event(version + 2)] });
          return stream;
        });
        const state = { isDone: false };
        const written = Promise.all(writers).finally(() => (state.isDone = true));
        const heads = new Map<string, number>();
        const read = async () => {
          const page = await store.readAll(cursor, 7);
          cursor = page.cursor;
          for (const { stream, version } of page.events) {
            expect(version).toBe((heads.get(stream) ?? 0) + 1);
            heads.set(stream, version);
          }
          return page.events.length;
        };
        while (!state.isDone) await read();
        const expected = Object.fromEntries((await written).map(stream => [stream, 60]));
        // Transactions of others on the same server may hold the last ones back for a while.
        const isAll = () => heads.size === 8 && [...heads.values()].every(version => version === 60);
        await until(async () => ((await read()) === 0 && isAll() ? true : undefined));
        expect(Object.fromEntries(heads)).toEqual(expected);
      });

      test("lag is counted from a cursor to the newest event", async () => {
        // Transactions of others on the same server may keep the newest events from readers for a while.
        const before = await until(async () => {
          const head = await store.head("");
          return (await store.head(head.cursor)).behind === 0 ? head : undefined;
        });
        expect(before.cursor).not.toBe("");
        await append(newStream(), 0, { events: [event(1), event(2), event(3)] });
        expect((await store.head(before.cursor)).behind).toBe(3);
        const now = await until(async () => {
          const head = await store.head(before.cursor);
          return (await store.head(head.cursor)).behind === 0 ? head : undefined;
        });
        expect(await store.readAll(now.cursor, 10)).toMatchObject({ events: [], cursor: now.cursor });
      });

      test("P4 a place that it gave is in its log, also after a reopening and in the cold part; another is not", async () => {
        const before = await store.head("");
        const stream = newStream();
        await append(stream, 0, { events: [event(1), event(2)] });
        const place = await until(async () => {
          const page = await store.readAll(before.cursor, 10);
          return page.events.some(found => found.stream === stream && found.version === 2) ? page : undefined;
        });
        const faultOf = (cursor: string, mark: string | undefined) => new PlaceChecks(store).faultOf(cursor, mark);
        expect(place.mark).toBeDefined();
        expect(await faultOf(place.cursor, place.mark)).toBeUndefined();
        const first = place.events.findIndex(found => found.stream === stream);
        expect(await faultOf(place.cursorAt(first), place.markAt(first))).toBeUndefined();
        const rest = await store.readAll(place.cursorAt(first), 1_000);
        expect(rest.events.filter(found => found.stream === stream).map(({ version }) => version)).toEqual([2]);
        await store.archive(stream, 2);
        expect(await faultOf(place.cursor, place.mark)).toBeUndefined();
        store = await subject.reopen();
        expect(await faultOf(place.cursor, place.mark)).toBeUndefined();
        // A number that was set by hand, of which nothing or the wrong thing is known.
        const beyond = place.cursor.replaceAll(/\d+(?=,|$)/g, position => `${Number(position) + 1_000}`);
        expect(await faultOf(beyond, place.mark)).toMatch(/another one/);
        expect(await faultOf("nonsense", undefined)).toMatch(/no place/);
        for (const mark of ["nonsense", "null", "5", '{"0":null}', '{"0":[]}', '["0"]'])
          expect(await faultOf(place.cursor, mark)).toMatch(/no mark/);
        if (!beyond.includes("=")) expect(await faultOf(beyond, undefined)).toMatch(/past the log's end/);
        expect(await faultOf(place.cursor, undefined)).toBeUndefined();
        const identities = await store.identities();
        expect(identities[0]).toMatch(/^[0-9a-f-]{32,36}$/);
        const elsewhere = place.mark!.replaceAll(identities.at(-1)!, "another").replaceAll(identities[0]!, "another");
        expect(await faultOf(place.cursor, elsewhere)).toMatch(/the log is another one/);
      });

      test("a cursor that is none is refused", async () => {
        await expect(store.readAll("nonsense", 1)).rejects.toMatchObject({ type: "CURSOR_UNREADABLE" });
      });
    });

    describe("snapshots", () => {
      const snapshot = (version: number, schema = 1) => ({ version, schema, state: `{"v":${version},"s":${schema}}` });
      let stream: string;
      beforeAll(async () => {
        stream = newStream();
        await append(stream, 0, { events: Array.from({ length: 6 }, (_, i) => event(i + 1)) });
      });

      test("a stream loads from its snapshot and the tail after it", async () => {
        await store.saveSnapshot(stream, snapshot(4));
        const loaded = await store.load(stream, 1);
        expect(loaded).toMatchObject({ version: 6, snapshot: snapshot(4) });
        expect(versionsOf(loaded.events)).toEqual([5, 6]);
      });

      test("an older snapshot does not replace a newer one", async () => {
        await store.saveSnapshot(stream, snapshot(2));
        expect((await store.load(stream, 1)).snapshot).toEqual(snapshot(4));
        await store.saveSnapshot(stream, snapshot(5));
        expect((await store.load(stream, 1)).snapshot).toEqual(snapshot(5));
      });

      test("a snapshot of another schema number is ignored", async () => {
        const loaded = await store.load(stream, 2);
        expect(loaded.snapshot).toBeUndefined();
        expect(versionsOf(loaded.events)).toEqual([1, 2, 3, 4, 5, 6]);
        await store.saveSnapshot(stream, snapshot(5, 2));
        expect((await store.load(stream, 2)).snapshot).toEqual(snapshot(5, 2));
      });

      test("a snapshot past the stream's version is not stored", async () => {
        await store.saveSnapshot(stream, snapshot(7, 2));
        expect((await store.load(stream, 2)).snapshot).toEqual(snapshot(5, 2));
      });
    });

    describe("timers", () => {
      const due = async (stream: string) =>
        (await store.dueTimers(1_000)).due.filter(timer => timer.stream === stream).map(timer => timer.id);
      const set = (id: string, afterMs: number) => ({ set: id, afterMs, command: "expire", params: '{"a":1}' });
      // Rows that a test leaves in the table would be due in the others.
      afterEach(async () => {
        for (const timer of (await store.dueTimers(1_000)).due) await store.deleteTimer(timer);
      });

      test("a timer is due once its time on the database's clock has come", async () => {
        const stream = newStream();
        await append(stream, 0, { timers: [set(`${stream}/now`, 0), set(`${stream}/later`, 60_000)] });
        const { due: timers, nextInMs } = await store.dueTimers(10);
        expect(timers).toEqual([
          { id: `${stream}/now`, stream, command: "expire", params: '{"a":1}', dueAt: expect.any(String), attempts: 0 },
        ]);
        expect(nextInMs).toBeGreaterThan(50_000);
        expect(nextInMs).toBeLessThanOrEqual(60_000);
        await append(stream, 1, { timers: [{ cancel: `${stream}/later` }] });
      });

      test("of a part of the streams only its timers are due, and only they are waited for", async () => {
        const streams = Array.from({ length: 12 }, newStream);
        const partOf = (stream: string): number => bucketOf(stream) % 4;
        for (const stream of streams) await append(stream, 0, { timers: [set(`${stream}/now`, 0)] });
        const [first] = streams as [string];
        await append(first, 1, { timers: [set(`${first}/later`, 60_000)] });
        const of = async (...partitions: number[]) => store.dueTimers(100, { count: 4, partitions });
        const mine = [partOf(first), (partOf(first) + 1) % 4];
        const { due: timers, nextInMs } = await of(...mine);
        const expected = streams.filter(stream => mine.includes(partOf(stream)));
        expect(timers.map(({ stream }) => stream).toSorted()).toEqual(expected.toSorted());
        expect(nextInMs).toBeGreaterThan(50_000);
        const others = [0, 1, 2, 3].filter(partition => partition !== partOf(first));
        expect((await of(...others)).nextInMs).toBeUndefined();
        expect(await of()).toEqual({ due: [], nextInMs: undefined });
        // One at a time none is passed over.
        const [oldest] = (await store.dueTimers(1, { count: 4, partitions: mine })).due;
        expect(oldest).toEqual(timers[0]);
        await append(first, 2, { timers: [{ cancel: `${first}/later` }] });
      });

      test("more due timers than wanted leave none to wait for", async () => {
        const stream = newStream();
        await append(stream, 0, { timers: [set(`${stream}/1`, 0), set(`${stream}/2`, 0)] });
        expect(await store.dueTimers(1)).toMatchObject({ due: [{ id: `${stream}/1` }], nextInMs: 0 });
      });

      test("a timer that is set again moves, one that is cancelled is gone", async () => {
        const stream = newStream();
        const id = `${stream}/t`;
        await append(stream, 0, { timers: [set(id, 60_000)] });
        expect(await due(stream)).toEqual([]);
        await append(stream, 1, { timers: [set(id, 0)] });
        expect(await due(stream)).toEqual([id]);
        await append(stream, 2, { timers: [{ cancel: id }] });
        expect(await due(stream)).toEqual([]);
      });

      test("a timer keeps the span that set it last", async () => {
        const stream = newStream();
        const id = `${stream}/t`;
        await append(stream, 0, { timers: [{ ...set(id, 0), cause: "00-1" }] });
        expect((await store.dueTimers(10)).due).toMatchObject([{ id, cause: "00-1" }]);
        await append(stream, 1, { timers: [set(id, 0)] });
        expect((await store.dueTimers(10)).due).toEqual([expect.not.objectContaining({ cause: expect.anything() })]);
      });

      test("all timers are listed in the order of their next tries, page by page, with the database's time", async () => {
        const [a, b] = [newStream(), newStream()];
        await append(a, 0, { timers: [set(`${a}/late`, -5_000), set(`${a}/far`, 60_000)] });
        await append(b, 0, { timers: [set(`${b}/late too`, -4_000)] });
        const first = await store.timers(2);
        expect(first.timers.map(({ id }) => id)).toEqual([`${a}/late`, `${b}/late too`]);
        expect(first.timers[0]).toMatchObject({ stream: a, command: "expire", params: '{"a":1}', attempts: 0 });
        expect(first.now - Date.parse(first.timers[0]!.nextAt)).toBeGreaterThanOrEqual(5_000);
        const second = await store.timers(2, first.timers[1]);
        expect(second.timers.map(({ id }) => id)).toEqual([`${a}/far`]);
        expect((await store.timers(2, second.timers[0])).timers).toEqual([]);
        // One that is postponed is tried at another time than it was set to.
        const [late] = (await store.dueTimers(1)).due;
        await store.postponeTimer(late!, 30_000);
        const moved = (await store.timers(10)).timers.find(({ id }) => id === late!.id)!;
        expect([moved.dueAt, moved.attempts]).toEqual([late!.dueAt, 1]);
        expect(Date.parse(moved.nextAt)).toBeGreaterThan(first.now);
        await append(a, 1, { timers: [{ cancel: `${a}/late` }, { cancel: `${a}/far` }] });
      });

      test("timers change only with their append", async () => {
        const stream = newStream();
        const id = `${stream}/t`;
        await append(stream, 0, { timers: [set(id, 0)] });
        expect(await append(stream, 0, { timers: [{ cancel: id }] })).toEqual(conflict);
        expect(await append(stream, 0, { timers: [set(`${stream}/u`, 0)] })).toEqual(conflict);
        expect(await due(stream)).toEqual([id]);
      });

      test("an answered timer is removed, unless it was set again since", async () => {
        const stream = newStream();
        const id = `${stream}/t`;
        await append(stream, 0, { timers: [set(id, 0)] });
        const [fired] = (await store.dueTimers(10)).due;
        // The time it was set to is told apart by the millisecond.
        while ((await store.now()) <= Date.parse(fired!.dueAt)) await wait(1);
        await append(stream, 1, { timers: [set(id, 0)] });
        await store.deleteTimer(fired!);
        expect(await due(stream)).toEqual([id]);
        await store.deleteTimer((await store.dueTimers(10)).due[0]!);
        expect(await due(stream)).toEqual([]);
      });

      test("P3 a postponed timer comes back later, with one more attempt; its due time, and so its command's id, stays", async () => {
        const stream = newStream();
        const id = `${stream}/t`;
        await append(stream, 0, { timers: [set(id, 0)] });
        const [first] = (await store.dueTimers(10)).due;
        await store.postponeTimer(first!, 30);
        expect(await due(stream)).toEqual([]);
        const again = await until(async () => (await store.dueTimers(10)).due.find(timer => timer.id === id));
        expect(again).toEqual({ ...first, attempts: 1 });
      });

      test("a timer that was set again since is not postponed, and starts anew", async () => {
        const stream = newStream();
        const id = `${stream}/t`;
        await append(stream, 0, { timers: [set(id, 0)] });
        await store.postponeTimer((await store.dueTimers(10)).due[0]!, 0);
        const [fired] = (await store.dueTimers(10)).due;
        while ((await store.now()) <= Date.parse(fired!.dueAt)) await wait(1);
        await append(stream, 1, { timers: [set(id, 0)] });
        await store.postponeTimer(fired!, 60_000);
        expect((await store.dueTimers(10)).due).toMatchObject([{ id, attempts: 0 }]);
      });
    });

    describe("what operators look for", () => {
      const names = ({ events }: { events: readonly StoredEvent[] }) =>
        events.map(({ stream, version }) => `${stream}@${version}`);

      test("a text is found in data and metadata of the newest events, newest first, also in the cold part", async () => {
        const [a, b] = [newStream(), newStream()];
        const text = `trace-${a}`;
        await append(a, 0, { metadata: `{"traceparent":"00-${text}-01"}` });
        await append(b, 0);
        await append(a, 1, { events: [{ ...event(2), data: `{"cause":"${text}"}` }] });
        const found = await store.search(text, 1_000_000, 10);
        expect(names(found).sort()).toEqual([`${a}@1`, `${a}@2`]);
        expect(found.events.find(({ version }) => version === 1)!.metadata).toContain(text);
        expect(found.searched).toBeGreaterThanOrEqual(3);
        await store.archive(a, 2);
        expect(names(await store.search(text, 1_000_000, 10)).sort()).toEqual([`${a}@1`, `${a}@2`]);
        // Signs of a pattern are text like any other.
        expect((await store.search("trace%", 1_000_000, 10)).events).toEqual([]);
      });

      test("a search looks at no more than the newest events, and tells since when", async () => {
        const stream = newStream();
        const metadata = `{"traceparent":"00-${stream}-"}`;
        for (let version = 0; version < 4; version++) await append(stream, version, { metadata });
        const all = await store.search(`00-${stream}-`, 1_000_000, 10);
        expect(names(await store.search(`00-${stream}-`, 1_000_000, 2))).toEqual(names(all).slice(0, 2));
        const { events, searched, since } = await store.search(`00-${stream}-`, 2, 10);
        expect(names({ events })).toEqual([`${stream}@4`, `${stream}@3`]);
        expect(searched).toBeGreaterThanOrEqual(2);
        expect(searched).toBeLessThanOrEqual(2 * (await store.sizes()).length);
        expect(since! <= events.at(-1)!.at).toBe(true);
      });

      test("its databases are told with about as many streams and events as there are, and their bytes", async () => {
        await append(newStream(), 0);
        const sizes = await store.sizes();
        expect(new Set(sizes.map(({ shard }) => shard)).size).toBe(sizes.length);
        for (const { place, bytes } of sizes) {
          expect(place).not.toMatch(/^$|\/\/|@/);
          expect(bytes).toBeGreaterThan(4_096);
        }
        const sum = (of: "streams" | "events") => sizes.reduce((all, size) => all + size[of], 0);
        expect(sum("streams")).toBeGreaterThan(0);
        expect(sum("events")).toBeGreaterThan(0);
        if (sizes[0]!.buckets !== undefined) expect(sizes.reduce((all, { buckets }) => all + buckets!, 0)).toBe(1_024);
      });
    });

    describe("the list of sagas", () => {
      const saga = (id: string, state: "running" | "stuck" | "completed", reason: string | null = null) => ({
        saga: { id, state, reason },
      });
      const ids = async (filter: Partial<Parameters<EventStore["sagas"]>[0]> = {}) =>
        (await store.sagas({ limit: 100, ...filter })).map(({ id }) => id);

      test("P5 a saga's row moves with its append, and only with it", async () => {
        const [a, b] = [newStream(), newStream()];
        await append(a, 0, saga("saga-a", "running"));
        await append(b, 0, saga("saga-b", "running"));
        expect(await append(a, 0, saga("saga-a", "completed"))).toEqual(conflict);
        expect(await ids()).toEqual(["saga-a", "saga-b"]);
        await append(b, 1, saga("saga-b", "stuck", "no answer"));
        expect(await store.sagas({ state: "stuck", limit: 10 })).toEqual([
          {
            id: "saga-b",
            state: "stuck",
            reason: "no answer",
            startedAt: expect.any(String),
            updatedAt: expect.any(String),
          },
        ]);
        await append(a, 1, saga("saga-a", "completed"));
        expect(await ids()).toEqual(["saga-b"]);
        expect(await ids({ state: "completed" })).toEqual(["saga-a"]);
      });

      test("a saga's start stays when its row changes", async () => {
        const stream = newStream();
        await append(stream, 0, saga("saga-s", "running"));
        const [before] = await store.sagas({ state: "running", limit: 10 });
        while ((await store.now()) <= Date.parse(before!.startedAt)) await wait(1);
        await append(stream, 1, saga("saga-s", "completed"));
        const after = (await store.sagas({ state: "completed", limit: 10 })).find(({ id }) => id === "saga-s")!;
        expect(after.startedAt).toBe(before!.startedAt);
        expect(after.updatedAt > after.startedAt).toBe(true);
      });

      test("sagas are listed page by page, oldest first, and by the time since their last change", async () => {
        const stream = newStream();
        for (const i of [1, 2, 3]) await append(stream, i - 1, saga(`saga-${i}`, "running"));
        expect(await ids({ state: "running", limit: 2 })).toEqual(["saga-1", "saga-2"]);
        expect(await ids({ state: "running", limit: 2, after: "saga-2" })).toEqual(["saga-3"]);
        const newestFirst = { limit: 2, newestFirst: true };
        expect(await ids({ state: "running", ...newestFirst })).toEqual(["saga-3", "saga-2"]);
        expect(await ids({ state: "running", ...newestFirst, after: "saga-2" })).toEqual(["saga-1"]);
        expect(await ids({ olderThanMs: 60_000 })).toEqual([]);
      });

      test("open ones of all states are listed in one order, page by page", async () => {
        const before = (await ids()).at(-1);
        const states = ["stuck", "running", "completed", "running", "stuck"] as const;
        for (const [i, state] of states.entries()) await append(newStream(), 0, saga(`saga-${i}-open`, state));
        const open = ["saga-0-open", "saga-1-open", "saga-3-open", "saga-4-open"];
        const pages: string[] = [];
        for (let after = before; ;) {
          const page = await ids({ limit: 3, ...(after !== undefined && { after }) });
          pages.push(...page);
          if (page.length < 3) break;
          after = page.at(-1);
        }
        expect(pages.filter(id => id.endsWith("-open"))).toEqual(open);
        expect(await ids({ after: "no-such-saga" })).toEqual([]);
      });

      test("P5 a saga's row that first comes with a later append is there, beside those that change", async () => {
        const [a, b, c] = [newStream(), newStream(), newStream()];
        await Promise.all([append(a, 0), append(b, 0, saga("saga-y", "running"))]);
        await Promise.all([
          append(a, 1, saga("saga-x", "running")),
          append(b, 1, saga("saga-y", "stuck")),
          append(c, 0, saga("saga-z", "running")),
        ]);
        expect(await ids({ state: "running" })).toEqual(expect.arrayContaining(["saga-x", "saga-z"]));
        expect(await ids({ state: "stuck" })).toContain("saga-y");
      });
    });

    describe("quarantine", () => {
      test("a stream in quarantine takes no append until it is released; its neighbours do", async () => {
        const [stream, neighbour] = [newStream(), newStream()];
        const first = appendOf(stream, 0);
        await verdictOf(store, first);
        await store.quarantine(stream, "fold failed at 1");
        expect((await store.load(stream, 1)).quarantine).toBe("fold failed at 1");
        expect(await store.quarantined(10)).toEqual([{ stream, reason: "fold failed at 1", at: expect.any(String) }]);
        expect(await verdictsOf(store, [appendOf(stream, 1), first, appendOf(neighbour, 0)])).toEqual([
          conflict,
          expect.objectContaining({ kind: "duplicate" }),
          ok(1),
        ]);
        expect(await append(stream, 1, { commandId: undefined, events: [] })).toEqual(conflict);
        await store.release(stream);
        expect((await store.load(stream, 1)).quarantine).toBeUndefined();
        expect(await store.quarantined(10)).toEqual([]);
        expect(await append(stream, 1)).toEqual(ok(2));
      });

      test("pages neither repeat nor skip, also where streams came at once and some are released meanwhile", async () => {
        const streams = Array.from({ length: 7 }, () => newStream());
        for (const stream of streams) await verdictOf(store, appendOf(stream, 0));
        await Promise.all(streams.map(stream => store.quarantine(stream, "torn")));
        const seen: string[] = [];
        for (let after: { stream: string; at: string } | undefined; ;) {
          const page = await store.quarantined(3, after);
          seen.push(...page.map(({ stream }) => stream));
          if (page.length < 3) break;
          after = page.at(-1)!;
          await store.release(after.stream);
        }
        expect(seen.toSorted()).toEqual(streams.toSorted());
        await Promise.all(streams.map(stream => store.release(stream)));
      });
    });

    describe("the cold part", () => {
      const archived = async (versions = 3) => {
        const stream = newStream();
        const first = appendOf(stream, 0, { answer: '"first"' });
        await verdictOf(store, first);
        for (let version = 1; version < versions; version++) await append(stream, version);
        await store.saveSnapshot(stream, { version: 1, schema: 1, state: "{}" });
        await store.archive(stream, versions);
        return { stream, first };
      };

      test("an archived stream is read as before, by its actor and by readers of everything", async () => {
        const { cursor } = await store.head("");
        const { stream } = await archived();
        const neighbour = newStream();
        await append(neighbour, 0);
        expect(await store.load(stream, 1)).toMatchObject({ version: 3, archived: true, snapshot: undefined });
        expect(versionsOf((await store.load(stream, 1)).events)).toEqual([1, 2, 3]);
        expect(versionsOf(await store.readStream(stream, 2, 9))).toEqual([2, 3]);
        const seen: string[] = [];
        let place = cursor;
        await until(async () => {
          const page = await store.readAll(place, 2);
          place = page.cursor;
          seen.push(...page.events.map(event => `${event.stream}@${event.version}`));
          return seen.length >= 4 || undefined;
        });
        expect(seen.filter(id => id.startsWith(`${stream}@`))).toEqual(
          [1, 2, 3].map(version => `${stream}@${version}`),
        );
        expect(seen).toContain(`${neighbour}@1`);
        const listed = await store.streams(undefined, 10_000);
        expect(listed.find(row => row.stream === stream)).toEqual({ stream, version: 3, archived: true });
      });

      test("P3 its command ids stay: a repetition gets the first answer, a new command is a conflict and writes nothing", async () => {
        const { stream, first } = await archived();
        expect(await verdictOf(store, { ...first, expectedVersion: 3 })).toMatchObject({
          kind: "duplicate",
          first: { answer: '"first"', version: 1 },
        });
        expect(await store.findCommand(stream, first.commandId!)).toMatchObject({ answer: '"first"' });
        expect(await append(stream, 3)).toEqual(conflict);
        expect(await append(stream, 3, { events: [], answer: "{}" })).toEqual(conflict);
        expect(await append(stream, 3, { commandId: undefined, events: [] })).toEqual(ok(3));
        expect((await store.load(stream, 1)).version).toBe(3);
      });

      test("a stream that has moved on since is left where it is", async () => {
        const stream = newStream();
        await append(stream, 0);
        await store.archive(stream, 2);
        await append(stream, 1);
        await store.archive(stream, 1);
        expect(await store.load(stream, 1)).toMatchObject({ version: 2, archived: false });
        expect(await append(stream, 2)).toEqual(ok(3));
      });
    });

    describe("under load and at its end", () => {
      test("P2 P3 with repeated, stale and concurrent appends versions have no hole, and each command has one effect", async () => {
        const mine = Array.from({ length: 5 }, newStream);
        const answered = new Map<string, number>();
        const caller = async (seed: number) => {
          for (let i = 0; i < 40; i++) {
            const stream = mine[(seed * 7 + i) % mine.length]!;
            const command = appendOf(stream, 0, { commandId: `load:${(seed >> 1) * 40 + i}` });
            for (;;) {
              const { version } = await store.load(stream, 1);
              const verdict = await verdictOf(store, { ...command, stream, expectedVersion: version });
              if (verdict.kind === "conflict") continue;
              const effect =
                verdict.kind === "ok" ? verdict.version : verdict.kind === "duplicate" && verdict.first.version;
              const key = `${stream} ${command.commandId}`;
              expect(answered.get(key) ?? effect).toBe(effect);
              answered.set(key, effect as number);
              break;
            }
          }
        };
        await Promise.all(Array.from({ length: 12 }, (_, seed) => caller(seed)));
        let events = 0;
        for (const stream of mine) {
          const versions = versionsOf(await store.readStream(stream, 1, 10_000));
          expect(versions).toEqual(versions.map((_, i) => i + 1));
          events += versions.length;
        }
        expect(events).toBe(answered.size);
      });

      test("P1 closing finishes what is queued; later appends fail without effect; everything is there afterwards", async () => {
        const stream = newStream();
        const queued = [0, 1, 2].map(version => append(stream, version));
        const reopened = subject.reopen();
        const late = await append(stream, 3);
        expect(await Promise.all(queued)).toEqual([ok(1), ok(2), ok(3)]);
        expect(late.kind).toBe("failed");
        expect(late.kind === "failed" && outcomeOf(late.error)).toBe("none");
        store = await reopened;
        expect((await store.load(stream, 1)).version).toBe(3);
        expect(await append(stream, 3)).toEqual(ok(4));
      });
    });
  });
}

/** The first value that is there, or an error after five seconds. */
