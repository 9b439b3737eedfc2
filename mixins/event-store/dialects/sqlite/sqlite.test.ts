import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { appendOf, event, eventStoreConformance, subjectAt, verdictOf } from "../../event-store.conformance.ts";
import type { EventStore } from "../../event-store.ts";
import { PlaceChecks } from "../../marks.ts";
import { openEventStore, type StoreOptions } from "../../open.ts";
import { Connection } from "./connection.ts";

eventStoreConformance({
  name: "SQLite",
  async open() {
    const folder = await mkdtemp(join(tmpdir(), "event-store-"));
    const location = { kind: "sqlite", filename: join(folder, "new", "things.sqlite") } as const;
    return subjectAt(location, () => rm(folder, { recursive: true }));
  },
});

describe("SQLite alone", () => {
  let folder: string;
  let filename: string;
  const stores: EventStore[] = [];
  const openStore = async (options: StoreOptions = {}) => {
    const store = await openEventStore({ kind: "sqlite", filename }, options);
    stores.push(store);
    return store;
  };
  /** Statements of another program on the file. */
  const raw = <T>(work: (database: DatabaseSync) => T): T => {
    const database = new DatabaseSync(filename, { timeout: 5_000 });
    try {
      return work(database);
    } finally {
      database.close();
    }
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "event-store-"));
    filename = join(folder, "things.sqlite");
  });
  afterEach(async () => {
    await Promise.all(stores.splice(0).map(store => store.close()));
    await rm(folder, { recursive: true });
  });

  test("P4 the position of a removed newest event is not used again", async () => {
    const store = await openStore();
    await verdictOf(store, appendOf("thing.1", 0, { events: [event(1), event(2)] }));
    const { cursor } = await store.head("");
    raw(database => database.exec("delete from events where version = 2; update streams set version = 1"));
    await verdictOf(store, appendOf("thing.1", 1));
    expect((await store.readAll(cursor, 10)).events).toMatchObject([{ stream: "thing.1", version: 2 }]);
  });

  test("P4 of a file that is put back from an older copy, and of a new one, a place in the newer is not in the log", async () => {
    const write = async (store: EventStore, stream: string, count: number) => {
      for (let version = 0; version < count; version++) await verdictOf(store, appendOf(stream, version));
    };
    const first = await openStore();
    await write(first, "thing.1", 5);
    await first.close();
    await copyFile(filename, `${filename}.copy`);
    const newer = await openStore();
    const common = await newer.readAll("", 5);
    await write(newer, "thing.2", 5);
    const place = await newer.readAll("", 100);
    await newer.close();
    await copyFile(`${filename}.copy`, filename);
    const restored = await openStore();
    const checks = () => new PlaceChecks(restored);
    expect(await checks().faultOf(place.cursor, place.mark)).toMatch(/^thing\.2@5, .* is not in the log/);
    expect(await checks().faultOf(place.cursor, undefined)).toMatch(/past the log's end at 5/);
    // It has grown past the place, and once more has a fifth event of that stream.
    await write(restored, "thing.2", 20);
    expect(await checks().faultOf(place.cursor, place.mark)).toMatch(/^thing\.2@5, .* is another one in the log/);
    // The events that it still has are the same log.
    expect(await checks().faultOf(common.cursor, common.mark)).toBeUndefined();
    await restored.close();
    await rm(filename);
    const fresh = await openStore();
    await write(fresh, "thing.1", 5);
    expect(await new PlaceChecks(fresh).faultOf(common.cursor, common.mark)).toMatch(/the log is another one/);
  });

  test("P5 a saga that changed before the clock was put back is in the list, as one that has long been still", async () => {
    const store = await openStore();
    await verdictOf(store, appendOf("thing.1", 0, { saga: { id: "s", state: "running", reason: null } }));
    raw(database =>
      database.exec("update sagas set started_at = started_at + 3600000, updated_at = updated_at + 3600000"),
    );
    expect(await store.sagas({ limit: 10 })).toMatchObject([{ id: "s" }]);
    expect(await store.sagas({ olderThanMs: 60_000, limit: 10 })).toMatchObject([{ id: "s" }]);
  });

  test("its tables live beside others in one file, and are durable in full", async () => {
    raw(database => database.exec("create table checkpoints (name text); insert into checkpoints values ('c')"));
    const store = await openStore();
    await verdictOf(store, appendOf("thing.1", 0));
    await store.close();
    await openStore();
    const pragma = (name: string) => raw(database => Object.values(database.prepare(`pragma ${name}`).get()!)[0]);
    expect([pragma("journal_mode"), pragma("page_size")]).toEqual(["wal", 4096]);
    // These belong to the connection, or are decided when the file is made.
    const own = new Connection(join(folder, "own.sqlite"));
    const ownPragma = (name: string) => Object.values(own.database.prepare(`pragma ${name}`).get()!)[0];
    expect(["synchronous", "wal_autocheckpoint", "page_size"].map(ownPragma)).toEqual([2, 16_000, 4096]);
    own.close();
    expect(raw(database => database.prepare("select name from checkpoints").get())).toEqual({ name: "c" });
  });

  test("a file that is no database, or of a newer release, is refused with its name and the reason", async () => {
    await writeFile(filename, "this is a shopping list, not a database, however long it is".repeat(100));
    await expect(openStore()).rejects.toMatchObject({
      type: "STORE_UNREADABLE",
      message: expect.stringContaining(filename),
    });
    await rm(filename);
    await (await openStore()).close();
    raw(database => database.exec("insert into store_schema (version, applied_at) values (999, 0)"));
    await expect(openStore()).rejects.toMatchObject({
      type: "STORE_SCHEMA_NEWER",
      message: expect.stringContaining("schema 999"),
    });
    raw(database => database.exec("update store_schema set readable_from = 998 where version = 999"));
    await expect(openStore()).rejects.toMatchObject({ type: "STORE_SCHEMA_NEWER" });
  });

  test("a file of a later release that says that this one may go on is opened, and stays as it is", async () => {
    await (await openStore()).close();
    raw(database =>
      database.exec(`
        alter table events add column later text;
        alter table archived_events add column later text;
        insert into store_schema select 999, 0, max(version) from store_schema`),
    );
    const store = await openStore();
    expect(await verdictOf(store, appendOf("thing.1", 0))).toMatchObject({ kind: "ok" });
    expect((await store.load("thing.1", 1)).events).toHaveLength(1);
    expect(raw(database => database.prepare("select max(version) version from store_schema").get())).toEqual({
      version: 999,
    });
  });

  test("P2 two stores that open one new file at once see each other's commits", async () => {
    const [one, two] = await Promise.all([openStore(), openStore()]);
    const first = appendOf("thing.1", 0);
    expect(await verdictOf(one, first)).toMatchObject({ kind: "ok" });
    expect(await verdictOf(two, appendOf("thing.1", 0))).toEqual({ kind: "conflict" });
    expect(await verdictOf(two, first)).toMatchObject({ kind: "duplicate" });
    expect(await verdictOf(two, appendOf("thing.1", 1))).toMatchObject({ kind: "ok", version: 2 });
    expect(await verdictOf(one, appendOf("thing.1", 1))).toEqual({ kind: "conflict" });
  });

  test("P2 unique (stream, version) is the last fence: a head that lies gives no version to a second event", async () => {
    const store = await openStore();
    const setHead = (version: number) => raw(database => database.exec(`update streams set version = ${version}`));
    await verdictOf(store, appendOf("thing.1", 0));
    setHead(0);
    const second = appendOf("thing.1", 0);
    expect((await verdictOf(store, second)).kind).toBe("failed");
    expect(await store.readStream("thing.1", 1, 10)).toHaveLength(1);
    expect(await store.findCommand("thing.1", second.commandId!)).toBeUndefined();
    setHead(1);
    expect(await verdictOf(store, appendOf("thing.1", 1))).toMatchObject({ kind: "ok", version: 2 });
  });

  test("a write lock that another program holds is waited for, off the loop", async () => {
    const store = await openStore();
    const database = new DatabaseSync(filename);
    database.exec("begin immediate");
    let isSettled = false;
    const verdict = verdictOf(store, appendOf("thing.1", 0)).finally(() => (isSettled = true));
    await wait(50);
    expect(isSettled).toBe(false);
    database.exec("commit");
    database.close();
    expect(await verdict).toMatchObject({ kind: "ok", version: 1 });
  });

  test("an idle store moves its write-ahead log into the file", async () => {
    const store = await openStore();
    for (let version = 0; version < 50; version++) await verdictOf(store, appendOf("thing.1", version));
    const walBytes = () => statSync(`${filename}-wal`).size;
    expect(walBytes()).toBeGreaterThan(200_000);
    // The rest of the WAL tells a copy of the file alone.
    const left = 20_000;
    for (const deadline = Date.now() + 10_000; walBytes() > left && Date.now() < deadline;) await wait(50);
    expect(walBytes()).toBeLessThan(left);
  });

  test("P1 a copy of the file alone is refused, of a store that has just been opened and after each pause", async () => {
    const store = await openStore();
    const tornCopy = async () => {
      await copyFile(filename, `${filename}.copy`);
      return expect(openEventStore({ kind: "sqlite", filename: `${filename}.copy` })).rejects.toMatchObject({
        type: "STORE_TORN",
      });
    };
    for (let version = 0; version < 60; version++) await verdictOf(store, appendOf("thing.1", version));
    await tornCopy();
    await wait(1_500);
    for (let version = 60; version < 70; version++) await verdictOf(store, appendOf("thing.1", version));
    await tornCopy();
    await store.close();
    await copyFile(filename, `${filename}.copy`);
    const whole = await openEventStore({ kind: "sqlite", filename: `${filename}.copy` });
    stores.push(whole);
    expect(await whole.readStream("thing.1", 1, 100)).toHaveLength(70);
  });

  test("a write-ahead log that grows past its bound is emptied while commits go on", async () => {
    const own = new Connection(filename, 500_000);
    own.database.exec("create table filler (data text)");
    const fill = own.prepare("insert into filler values (?)");
    let bytesMax = 0;
    // 6 MB in all.
    for (let i = 0; i < 300; i++) {
      own.transaction(() => void fill.run("x".repeat(20_000)));
      own.afterCommit();
      bytesMax = Math.max(bytesMax, statSync(`${filename}-wal`).size);
    }
    own.close();
    expect(bytesMax).toBeGreaterThan(500_000);
    expect(bytesMax).toBeLessThan(3_000_000);
  });

  test("commits go between the chunks of a long stream's load", async () => {
    const store = await openStore();
    const events = Array.from({ length: 5_000 }, (_, i) => event(i));
    for (let version = 0; version < 40_000; version += 5_000)
      await verdictOf(store, appendOf("long.1", version, { events }));
    const load = { isDone: false };
    const loading = store.load("long.1", 1).finally(() => (load.isDone = true));
    let commits = 0;
    while (!load.isDone) {
      await verdictOf(store, appendOf("short.1", commits));
      commits += 1;
    }
    expect((await loading).events).toHaveLength(40_000);
    expect(commits).toBeGreaterThan(20);
  });

  test("the loop turns between commits, however busy callers keep the store", async () => {
    const seen = { commits: 0, sinceTurn: 0, mostInOneTurn: 0, isDone: false };
    const onCommit = () => {
      seen.commits += 1;
      seen.mostInOneTurn = Math.max(seen.mostInOneTurn, ++seen.sinceTurn);
    };
    const store = await openStore({ onCommit });
    const turned = () => {
      seen.sinceTurn = 0;
      if (!seen.isDone) setImmediate(turned);
    };
    turned();
    const until = performance.now() + 500;
    const caller = async (stream: string) => {
      for (let version = 0; performance.now() < until || seen.commits < 20; version++) {
        await verdictOf(store, appendOf(stream, version));
        // The work of a command on the loop, long enough that the next answer arrives within it.
        for (const end = performance.now() + 0.05; performance.now() < end;);
      }
    };
    await Promise.all(Array.from({ length: 256 }, (_, i) => caller(`thing.${i}`)));
    seen.isDone = true;
    expect(seen.mostInOneTurn).toBeLessThanOrEqual(2);
  });

  /** A child under load. Its acknowledgements are gathered until it ends. */
  function load(name: string, { callers = 16, ms = 0, failpoints = "" } = {}) {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, "load.fixture.ts"), filename, name, String(callers), String(ms)],
      { env: { ...process.env, NODE_OPTIONS: "--disable-warning=ExperimentalWarning", FAILPOINTS: failpoints } },
    );
    let [output, complaints] = ["", ""];
    child.stdout.on("data", chunk => (output += chunk));
    child.stderr.on("data", chunk => (complaints += chunk));
    const ended = once(child, "close").then(([code, signal]) => {
      const lines = output.split("\n").map(line => line.split(" "));
      const acknowledged = lines
        .filter(([word]) => word === "ack")
        .map(([, stream, version]) => [stream, Number(version)]);
      return { code, signal, complaints, acknowledged: acknowledged as [string, number][], lines };
    });
    return { child, ended, start: () => child.stdin.write("go\n"), ready: once(child.stdout, "data") };
  }

  /** Every acknowledged append is there, none is torn, no stream has a hole. Returns the number of events. */
  async function expectWhole(acknowledged: readonly [string, number][]): Promise<number> {
    const store = await openStore();
    const heads = new Map<string, number>();
    for (let cursor = ""; ;) {
      const page = await store.readAll(cursor, 5_000);
      for (const { stream, version } of page.events) {
        expect(version).toBe((heads.get(stream) ?? 0) + 1);
        heads.set(stream, version);
      }
      if (page.events.length === 0) break;
      cursor = page.cursor;
    }
    for (const [stream, version] of acknowledged) expect(heads.get(stream)).toBeGreaterThanOrEqual(version);
    for (const head of heads.values()) expect(head % 2).toBe(0);
    return [...heads.values()].reduce((sum, head) => sum + head, 0);
  }

  test.each(["append:before-commit", "append:after-commit"])(
    "P1 a process that is killed at %s under load loses nothing acknowledged and tears nothing",
    async failpoint => {
      for (const pass of [40, 41]) {
        const { ended, ready, start } = load(`pass${pass}`, { failpoints: `${failpoint}=kill#${pass}` });
        await ready;
        start();
        const { signal, acknowledged } = await ended;
        expect(signal).toBe("SIGKILL");
        expect(acknowledged.length).toBeGreaterThan(100);
        await expectWhole(acknowledged);
      }
    },
  );

  test("P1 P3 a writer thread that dies after its commit: the batch is submitted anew and answered as duplicates", async () => {
    const { ended, ready, start } = load("thing", { ms: 500, failpoints: "append:after-commit=throw#20" });
    await ready;
    start();
    const { code, complaints, lines } = await ended;
    expect({ code, complaints }).toEqual({ code: 0, complaints: "" });
    const kinds = Map.groupBy(lines, ([kind]) => kind);
    expect(kinds.get("duplicate")!.length).toBeGreaterThanOrEqual(16);
    expect(new Set(kinds.keys())).toEqual(new Set(["ready", "ack", "duplicate", "longest", ""]));
    const done = ["ack", "duplicate"].flatMap(kind => kinds.get(kind)!);
    const events = await expectWhole(done.map(([, stream, version]) => [stream!, Number(version)]));
    expect(events).toBe(done.length * 2);
  });

  test("P3 a batch that ends every thread it is given to fails with outcome unknown, and had its effect once", async () => {
    const { ended, ready, start } = load("thing", { callers: 1, ms: 1, failpoints: "append:after-commit=throw" });
    await ready;
    start();
    const { code, lines } = await ended;
    expect(code).toBe(0);
    expect(lines.filter(([word]) => word === "failed")).toEqual([["failed", "thing.0-0", "unknown"]]);
    expect(await expectWhole([["thing.0-0", 2]])).toBe(2);
  });

  test("four processes on one file share it: none gets less than 15 % of the commits or waits many times longer than the others", async () => {
    await (await openStore()).close();
    const everything: [string, number][] = [];
    /** The least share of the commits, the longest wait, and the mean of the process that waited longest in the mean. */
    async function round(n: number): Promise<{ share: number; waitMs: number; meanMs: number }> {
      const loads = ["a", "b", "c", "d"].map(name => load(`${name}${n}`, { callers: 8, ms: 2_000 }));
      await Promise.all(loads.map(({ ready }) => ready));
      for (const { start } of loads) start();
      const results = await Promise.all(loads.map(({ ended }) => ended));
      expect(results.map(({ code, complaints }) => ({ code, complaints }))).toEqual(
        loads.map(() => ({ code: 0, complaints: "" })),
      );
      const counts = results.map(({ acknowledged }) => acknowledged.length);
      const waits = results.map(({ lines }) => lines.find(([word]) => word === "longest")!);
      everything.push(...results.flatMap(({ acknowledged }) => acknowledged));
      return {
        share: Math.min(...counts) / counts.reduce((sum, count) => sum + count),
        waitMs: Math.max(...waits.map(([, longest]) => Number(longest))),
        meanMs: Math.max(...waits.map(([, , mean]) => Number(mean))),
      };
    }
    // 250 ms on an idle machine; on one that is shared all waits are longer, and the longest by as much. A starved process
    // would be starved in every round, one that another program robs of the processor in some.
    const isFair = ({ share, waitMs, meanMs }: Awaited<ReturnType<typeof round>>): boolean =>
      share > 0.15 && waitMs < Math.max(250, 15 * meanMs);
    const rounds = [];
    do rounds.push(await round(rounds.length));
    while (rounds.length < 6 && !isFair(rounds.at(-1)!));
    expect(rounds.filter(isFair)).toEqual([rounds.at(-1)]);
    expect(await expectWhole(everything)).toBe(everything.length * 2);
  });
});
