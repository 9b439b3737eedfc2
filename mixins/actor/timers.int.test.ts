import { setTimeout as sleep } from "node:timers/promises";
import { openEventStore } from "../event-store/siblings.ts";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Errors } from "moleculer";
import type { DueTimer, EventStore } from "../event-store/index.ts";
import { until } from "../testing/index.ts";
import { newDatabases, type Databases } from "../testing/servers.ts";
import { locationOf } from "../database/index.ts";
import { readEnvironment, Unavailable } from "../kernel/index.ts";
import { partitionOf } from "../stream/siblings.ts";
import { Purse } from "./account.fixture.ts";
import { ActorHost } from "./host.ts";
import type { Actor } from "./index.ts";
import { ACTOR_LIMITS } from "./limits.ts";
import { TimerRunner } from "./timers.ts";

let databases: Databases;
let store: EventStore;
let host: ActorHost;
const runners: TimerRunner[] = [];
const logger = { error: () => {} };

type Send = ConstructorParameters<typeof TimerRunner>[1];
const toHost: Send = (id, command, params, commandId) => host.execute(id, command, params, { commandId });

/** A node that fires the timers of these partitions of two, or all. */
function fire(
  send: Send = toHost,
  limits: Partial<typeof ACTOR_LIMITS> = {},
  partitions: readonly number[] = [0, 1],
): TimerRunner {
  const fail = (error: Error): void => void failures.push(error);
  const runner = new TimerRunner(store, send, { ...ACTOR_LIMITS, timerPollMs: 10, ...limits }, fail);
  void runner.serve(new Set(partitions), 2);
  runners.push(runner);
  return runner;
}
const failures: Error[] = [];
const balance = async (id = "a"): Promise<number> => (await host.get(id)).state.balance;
const noneLeft = async (): Promise<boolean> => {
  const { due, nextInMs } = await store.dueTimers(10);
  return due.length === 0 && nextInMs === undefined;
};

beforeEach(async () => {
  databases = await newDatabases();
  store = await openEventStore(locationOf(readEnvironment(databases.env), "purses"));
  host = new ActorHost(Purse, store, { logger });
  failures.length = 0;
});
afterEach(async () => {
  for (const runner of runners.splice(0)) await runner.stop();
  await host.drain();
  await store.close();
  await databases.remove();
  expect(failures).toEqual([]);
});

test("a timer sends its command once it is due, under an id of its own, and is gone once it was answered", async () => {
  const ids: string[] = [];
  fire((id, command, params, commandId) => (ids.push(commandId), toHost(id, command, params, commandId)));
  await host.execute("a", "later", { amount: 5 });
  expect(await balance()).toBe(0);
  await until(noneLeft);
  expect(await balance()).toBe(5);
  expect(ids).toEqual([expect.stringMatching(/^timer:purse\.a\/earn@/)]);
});

test.each([
  ["a time that is none", { afterMs: Number.NaN }],
  ["a time without end", { afterMs: Infinity }],
  ["a name with a NUL", { set: "\0" }],
  ["a name that no command id can hold", { set: "x".repeat(300) }],
])("%s is a bug of one decision, and fails no neighbour", async (_what, wrong) => {
  const timers = [{ set: "earn", afterMs: 20, command: "earn", params: { amount: 1 }, ...wrong }];
  const Wrong = { ...Purse, decide: { ...Purse.decide, later: () => ({ events: [], timers }) } } as unknown as Actor;
  const other = new ActorHost(Wrong, store, { logger });
  const neighbour = other.execute("b", "earn", { amount: 1 });
  await expect(other.execute("a", "later", { amount: 5 })).rejects.toMatchObject({ type: "DECISION_FAILED" });
  expect(await neighbour).toEqual({ id: "b", version: 1 });
  expect(await noneLeft()).toBe(true);
  await other.drain();
});

test("a refusal is an answer: the timer is gone", async () => {
  await host.execute("a", "later", { amount: 5 });
  let sent = 0;
  fire(() => (sent++, host.execute("a", "spend", { amount: 1 })));
  await until(noneLeft);
  expect(sent).toBe(1);
});

test("params that a node of another release refuses are no answer: the timer stays, and is told", async () => {
  await host.execute("a", "later", { amount: 5 });
  let sent = 0;
  fire(async (...timer) => {
    if (++sent === 1) throw new Errors.ValidationError("Parameters validation error!", "VALIDATION_ERROR", []);
    return toHost(...timer);
  });
  await until(noneLeft);
  expect(await balance()).toBe(5);
  expect(failures.splice(0)).toMatchObject([{ message: expect.stringContaining("VALIDATION_ERROR") }]);
});

test("P3 unavailable backs off, and the id stays: what took effect though its answer was lost takes none again", async () => {
  await host.execute("a", "later", { amount: 5 });
  const sent: { commandId: string; at: number }[] = [];
  fire(async (id, command, params, commandId) => {
    sent.push({ commandId, at: performance.now() });
    await toHost(id, command, params, commandId);
    if (sent.length < 3) throw new Unavailable("REQUEST_TIMEOUT", { outcome: "unknown" });
  });
  await until(noneLeft);
  expect(await balance()).toBe(5);
  expect(new Set(sent.map(({ commandId }) => commandId)).size).toBe(1);
  // Told once for a while: an outage fails all timers.
  expect(failures.splice(0).map(({ message }) => message)).toEqual([
    expect.stringMatching(/purse\.a\/earn .*attempt 1: REQUEST_TIMEOUT/),
  ]);
  const [first, second, third] = sent.map(({ at }) => at) as [number, number, number];
  expect(second - first).toBeGreaterThan(200);
  expect(third - second).toBeGreaterThan(450);
});

test("P3 two nodes that fire the same timer do it once", async () => {
  await host.execute("a", "later", { amount: 5 });
  const other = new ActorHost(Purse, store, { logger });
  let sent = 0;
  const arrived = Promise.withResolvers<void>();
  const together = async (): Promise<void> => {
    if (++sent === 2) arrived.resolve();
    await arrived.promise;
  };
  fire(async (...timer) => (await together(), toHost(...timer)));
  fire(async (id, command, params, commandId) => {
    await together();
    return other.execute(id, command, params, { commandId });
  });
  await until(noneLeft);
  expect(sent).toBe(2);
  expect(await balance()).toBe(5);
  await other.drain();
});

test("a timer that its own command sets again fires again, under another id", async () => {
  await host.execute("a", "later", { amount: 5 });
  const ids: string[] = [];
  fire((id, command, params, commandId) =>
    ids.push(commandId) < 3
      ? host.execute(id, "later", params, { commandId })
      : host.execute(id, command, params, { commandId }),
  );
  await until(noneLeft);
  expect(new Set(ids).size).toBe(3);
  expect(await balance()).toBe(5);
});

test("after an outage what is due is caught up at a bounded rate, all of it", async () => {
  const ids = Array.from({ length: 10 }, (_, i) => `p${i}`);
  await Promise.all(ids.map(id => host.execute(id, "later", { amount: 1 })));
  await until(async () => (await store.dueTimers(10)).due.length === 10);
  let firing = 0;
  let most = 0;
  const send: Send = async (...timer) => {
    most = Math.max(most, ++firing);
    await sleep(5);
    firing--;
    return toHost(...timer);
  };
  // Timers that are left after a full round do not wait for the next look.
  fire(send, { timersAtOnce: 3, timerPollMs: 60_000 });
  await until(noneLeft);
  expect(most).toBe(3);
  expect(await Promise.all(ids.map(balance))).toEqual(ids.map(() => 1));
});

test("and no more of them in a second than the limit says, so that live commands come first", async () => {
  const ids = Array.from({ length: 45 }, (_, i) => `p${i}`);
  await Promise.all(ids.map(id => host.execute(id, "later", { amount: 1 })));
  await until(async () => (await store.dueTimers(45)).due.length === 45);
  const sent: number[] = [];
  const send: Send = (...timer) => (sent.push(performance.now()), toHost(...timer));
  fire(send, { timersPerSecond: 50 });
  await until(noneLeft);
  expect(sent).toHaveLength(45);
  // With five in each tenth of a second the last begin in the ninth.
  expect(sent.at(-1)! - sent[0]!).toBeGreaterThan(700);
  expect(sent.filter(at => at - sent[0]! < 90)).toHaveLength(5);
});

test("an actor that hangs holds up its own timers, in order, and nobody else's", async () => {
  const hang = Promise.withResolvers<void>();
  const sent: string[] = [];
  const Twice = {
    ...Purse,
    decide: {
      ...Purse.decide,
      later: (_state: unknown, { amount }: { amount: number }) => ({
        events: [],
        timers: [1, 2, 3].map(n => ({
          set: `earn-${n}`,
          afterMs: 10 + n,
          command: "earn",
          params: { amount: amount * n },
        })),
      }),
    },
  } as unknown as Actor;
  const other = new ActorHost(Twice, store, { logger });
  await other.execute("hung", "later", { amount: 1 });
  await until(async () => (await store.dueTimers(10)).due.length === 3);
  const send: Send = async (id, command, params, commandId) => {
    sent.push(`${id} ${String(params["amount"])}`);
    if (id === "hung") await hang.promise;
    return host.execute(id, command, params, { commandId });
  };
  // All that is read first is the hung one's.
  fire(send, { timersAtOnce: 2, timersRead: 100 });
  await until(() => sent.length === 1);
  await host.execute("fine", "later", { amount: 9 });
  await until(async () => (await balance("fine")) === 9);
  expect(sent).toEqual(["hung 1", "fine 9"]);
  hang.resolve();
  await until(noneLeft);
  expect(sent).toEqual(["hung 1", "fine 9", "hung 2", "hung 3"]);
  expect(await balance("hung")).toBe(6);
  await other.drain();
});

test("a timer that fails while its node leaves is left as it was: the next node fires it at once", async () => {
  await host.execute("a", "later", { amount: 5 });
  const leaving = Promise.withResolvers<void>();
  let sent = 0;
  fire(async () => {
    sent++;
    await leaving.promise;
    throw new Unavailable("MOVED");
  });
  await until(() => sent === 1);
  const [runner] = runners.splice(0);
  const stopped = runner!.stop();
  leaving.resolve();
  await stopped;
  expect((await store.dueTimers(1)).due).toMatchObject([{ attempts: 0 }]);
  fire();
  await until(noneLeft);
  expect(await balance()).toBe(5);
});

test("a timer that ends while the due ones are read is not fired again", async () => {
  const [read, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let reads = 0;
  const late = {
    dueTimers: async (limit: number) => {
      const answer = await store.dueTimers(limit);
      if (answer.due.length === 0 || ++reads !== 2) return answer;
      read.resolve();
      await ended.promise;
      await sleep(5);
      return answer;
    },
    deleteTimer: async (timer: DueTimer) => (await store.deleteTimer(timer), ended.resolve()),
  };
  let sent = 0;
  const send: Send = async (...timer) => (sent++, await read.promise, toHost(...timer));
  const runner = new TimerRunner(late as never, send, { ...ACTOR_LIMITS, timerPollMs: 10 }, () => {});
  void runner.serve(new Set([0]), 1);
  runners.push(runner);
  await host.execute("a", "later", { amount: 5 });
  await ended.promise;
  await until(noneLeft);
  for (const own of runners.splice(0)) await own.stop();
  expect(sent).toBe(1);
  expect(await balance()).toBe(5);
});

test("P3 of several nodes one fires; a holder that was paused past its lease does no harm with what it had in hand", async () => {
  const sent = { paused: 0, other: 0, idle: 0 };
  const paused = Promise.withResolvers<void>();
  fire(async (...timer) => {
    sent.paused++;
    await paused.promise;
    return toHost(...timer);
  });
  await host.execute("a", "later", { amount: 5 });
  await until(() => sent.paused === 1);
  const count =
    (name: "other" | "idle"): Send =>
    (...timer) => (sent[name]++, toHost(...timer));
  fire(count("idle"), {}, []);
  fire(count("other"));
  await until(noneLeft);
  paused.resolve();
  for (const runner of runners.splice(0)) await runner.stop();
  expect(sent).toEqual({ paused: 1, other: 1, idle: 0 });
  expect(await balance()).toBe(5);
});

test("each node fires the timers of its partitions, and from the next look on those of new ones", async () => {
  const ids = Array.from({ length: 12 }, (_, i) => `p${i}`);
  const partition = (id: string): number => partitionOf(`purse.${id}`, 2);
  const of = (...partitions: number[]): string[] => ids.filter(id => partitions.includes(partition(id)));
  const sent = { here: [] as string[], there: [] as string[] };
  const note =
    (node: "here" | "there"): Send =>
    (id, ...timer) => (sent[node].push(id), toHost(id, ...timer));
  const here = fire(note("here"), {}, [0]);
  const there = fire(note("there"), {}, [1]);
  const setAll = () => Promise.all(ids.map(id => host.execute(id, "later", { amount: 1 })));
  await setAll();
  await until(noneLeft);
  expect([sent.here.toSorted(), sent.there.toSorted()]).toEqual([of(0).toSorted(), of(1).toSorted()]);

  await here.serve(new Set(), 2);
  await setAll();
  await until(() => sent.there.length === 2 * of(1).length);
  expect(sent.here).toHaveLength(of(0).length);
  await there.serve(new Set([0, 1]), 2);
  await until(noneLeft);
  expect(sent.here).toHaveLength(of(0).length);
  expect(await Promise.all(ids.map(balance))).toEqual(ids.map(() => 2));
});

test("a partition that another node is to have waits for its timers that are under way, not for ever", async () => {
  await host.execute("a", "later", { amount: 5 });
  const answer = Promise.withResolvers<void>();
  let sent = 0;
  const runner = fire(async (...timer) => {
    sent++;
    await answer.promise;
    return toHost(...timer);
  });
  await until(() => sent === 1);
  let isGiven = false;
  const given = runner.serve(new Set(), 2).then(() => (isGiven = true));
  expect(isGiven).toBe(false);
  answer.resolve();
  await given;
  expect(await balance()).toBe(5);
  expect(await noneLeft()).toBe(true);
});
