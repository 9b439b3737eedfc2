// @slow: it takes minutes, and begins first.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "../testing/index.ts";
import { isOnPostgres, newDatabases, type Databases } from "../testing/servers.ts";
import { Bug, COMMAND_ID, Refusal } from "../kernel/index.ts";
import { Fulfilment } from "./fulfilment.fixture.ts";
import { lost, startFulfilment, type Fulfilling, type World } from "./fulfilment-services.fixture.ts";
import { metricOf } from "../testing/broker.ts";
import { sagaMetrics } from "./metrics.ts";
import type { BulkAnswer, SagaDetail, SagaOptions } from "./mixin.ts";
import type { SagaService } from "./operations.ts";
import type { Watchdog } from "./watchdog.ts";

let databases: Databases;
let running: Fulfilling | undefined;

beforeEach(async () => {
  databases = await newDatabases();
});
afterEach(async () => {
  await running?.broker.stop();
  running = undefined;
  await databases.remove();
});

async function start(world?: World, limits?: SagaOptions["limits"]): Promise<Fulfilling> {
  running = await startFulfilment(databases, { ...(world && { world }), ...(limits && { limits }) });
  const { broker } = running;
  for (const id of ["bolts", "nuts"])
    await broker.call("shelves.fill", { id, quantity: 10 }, { headers: { [COMMAND_ID]: "fill" } } as object);
  return running;
}
const types = ({ timeline }: SagaDetail): string[] => timeline.map(({ type }) => type.slice("saga.".length));
const refusalOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "no refusal",
    (error: { type: string }) => error.type,
  );
type SagaNode = SagaService & { watchdog: Watchdog };
const admin = { meta: { user: { id: "ann", roles: ["admin"] } } };

describe("a saga that goes through", () => {
  test("P5 completes, each effect once, and its timeline tells every step", async () => {
    const { wish, parts, happened, calls } = await start();
    const saga = await wish("w1");
    expect(saga).toMatchObject({
      id: "fulfilment.w1",
      saga: "fulfilment",
      state: "completed",
      step: "completed",
      startedBy: "wish.w1@1",
    });
    expect(saga).toMatchObject({
      says: "Completed. There is nothing to do.",
      next: { does: "nothing", by: "nobody" },
      actors: [
        { type: "wish", id: "w1" },
        { type: "shelf", id: "bolts" },
        { type: "shelf", id: "nuts" },
      ],
      steps: [
        { step: "take", item: 0, action: "shelves.take", status: "done", attempt: 1, ms: expect.any(Number) },
        { step: "take", item: 1, actor: { type: "shelf", id: "nuts" } },
        { step: "charge", action: "outside.charge", endedAt: expect.any(String) },
        { step: "book", actor: { type: "wish", id: "w1" } },
        { step: "send" },
      ],
    });
    expect(types(saga)).toEqual([
      "started",
      "sent",
      "done",
      "done",
      "sent",
      "done",
      "sent",
      "done",
      "sent",
      "done",
      "completed",
    ]);
    expect([await parts("bolts"), await parts("nuts")]).toEqual([8, 7]);
    expect([happened("charge"), happened("send"), happened("reverse")]).toEqual([["w1"], ["w1"], []]);
    expect(calls.map(({ commandId }) => commandId)).toEqual([
      "saga:fulfilment.w1/charge/1",
      "saga:fulfilment.w1/send/1",
    ]);
  });

  test("many at once complete, at most as many driven at a time as the limit says", async () => {
    let open = 0;
    let most = 0;
    const { broker, rests, parts } = await start(
      async () => {
        most = Math.max(most, ++open);
        await new Promise(resolve => setTimeout(resolve, 5));
        open--;
      },
      { sagasAtOnce: 4 },
    );
    await broker.call("shelves.fill", { id: "bolts", quantity: 90 });
    const ids = Array.from({ length: 40 }, (_, i) => `w${i}`);
    const lines = [{ shelf: "bolts", quantity: 1 }];
    await Promise.all(ids.map(id => broker.call("wishes.make", { id, card: "good", lines })));
    const states = await Promise.all(ids.map(async id => (await rests(id)).state));
    expect(new Set(states)).toEqual(new Set(["completed"]));
    expect(await parts("bolts")).toBe(60);
    expect(most).toBe(4);
  });

  test("the items of a step are called side by side, at most as many at once as the limit says", async () => {
    let open = 0;
    let most = 0;
    running = await startFulfilment(databases, {
      limits: { itemsAtOnce: 3 },
      middlewares: [
        {
          call: (next: (...call: unknown[]) => Promise<unknown>) =>
            async function counted(action: string, ...call: unknown[]) {
              if (action !== "shelves.take") return next(action, ...call);
              most = Math.max(most, ++open);
              await new Promise(resolve => setTimeout(resolve, 5));
              open--;
              return next(action, ...call);
            },
        },
      ],
    });
    await running.broker.call("shelves.fill", { id: "bolts", quantity: 10 });
    const lines = Array.from({ length: 8 }, () => ({ shelf: "bolts", quantity: 1 }));
    expect((await running.wish("w1", { lines })).state).toBe("completed");
    expect(await running.parts("bolts")).toBe(2);
    expect(most).toBe(3);
  });

  test("P3 a starting event that is delivered again starts no second saga", async () => {
    const { wish, broker, saga, calls } = await start();
    await wish("w1");
    const service = broker.getLocalService("fulfilments") as any;
    const before = await saga("w1");
    const { events } = await broker.call<any, object>("wishes.readLog", { cursor: "", limit: 10 });
    await Promise.all([service.sagas.start(Fulfilment, events[0]), service.sagas.start(Fulfilment, events[0])]);
    expect((await saga("w1")).timeline).toEqual(before.timeline);
    expect(calls).toHaveLength(2);
  });

  test("a second starting event of the same stream gets a saga of its own", async () => {
    const { wish, broker, rests } = await start();
    await wish("w1");
    const service = broker.getLocalService("fulfilments") as any;
    const { events } = await broker.call<any, object>("wishes.readLog", { cursor: "", limit: 10 });
    const second = { ...events[0], eventId: "wish.w1@7", version: 7 };
    await service.sagas.start(Fulfilment, second);
    await service.sagas.start(Fulfilment, second);
    expect(await rests("w1.7")).toMatchObject({ state: "completed", startedBy: "wish.w1@7" });
  });
});

// The planner decides these, and no kind of database changes it: on Postgres an ordinary run counts them as skipped, and `npm
// run test:postgres` runs them.
const onAnyDatabase = isOnPostgres() && process.env["POSTGRES"] !== "all" ? describe.skip : describe;

onAnyDatabase("a saga that goes back", () => {
  test("P5 refused in the middle, undoes what was done and tells the initiator why", async () => {
    const { wish, parts, happened, broker } = await start();
    const saga = await wish("w1", { card: "bad" });
    expect(saga).toMatchObject({ state: "compensated", reason: "CARD_DECLINED: card declined" });
    expect([await parts("bolts"), await parts("nuts")]).toEqual([10, 10]);
    expect(happened("charge")).toEqual([]);
    expect(await broker.call("wishes.get", { id: "w1" })).toMatchObject({
      state: { status: "failed", reason: "CARD_DECLINED" },
    });
  });

  test("one refused item of several: the others are given back", async () => {
    const { wish, parts, calls } = await start();
    const lines = [
      { shelf: "bolts", quantity: 2 },
      { shelf: "nuts", quantity: 11 },
    ];
    expect(await wish("w1", { lines })).toMatchObject({
      state: "compensated",
      reason: "NOT_ENOUGH_PARTS: not enough parts",
    });
    expect([await parts("bolts"), await parts("nuts")]).toEqual([10, 10]);
    expect(calls).toEqual([]);
  });

  test("a refusal of the pivot undoes everything before it", async () => {
    const { broker, rests, parts, happened } = await start(async (action, wish) => {
      if (action === "charge") await broker.call("wishes.cancel", { id: wish });
    });
    await broker.call("wishes.make", { id: "w1", card: "good", lines: [{ shelf: "bolts", quantity: 2 }] });
    expect(await rests("w1")).toMatchObject({ state: "compensated", reason: "WISH_CANCELLED: wish cancelled" });
    expect([happened("charge"), happened("reverse"), happened("send")]).toEqual([["w1"], ["w1"], []]);
    expect(await parts("bolts")).toBe(10);
  });

  test("a call without an answer is repeated under its id until the deadline, then undone", async () => {
    const { wish, happened, parts, calls } = await start(action => {
      if (action === "charge") lost();
    });
    const saga = await wish("w1");
    expect(saga).toMatchObject({ state: "compensated" });
    expect(saga.reason).toMatch(/^LOST: no answer in 2000 ms/);
    expect(happened("reverse")).toEqual(["w1"]);
    expect(await parts("bolts")).toBe(10);
    const charges = calls.filter(({ action }) => action === "charge");
    expect(charges.length).toBeGreaterThan(2);
    // With pauses that grow; without any it would be hundreds.
    expect(charges.length).toBeLessThan(20);
    expect(new Set(charges.map(({ commandId }) => commandId))).toEqual(new Set(["saga:fulfilment.w1/charge/1"]));
  });

  test("a call that hangs is given up at the deadline", async () => {
    const { wish } = await start(action => (action === "charge" ? new Promise<void>(() => {}) : undefined), {
      callTimeoutMs: 300,
    });
    expect(await wish("w1")).toMatchObject({ state: "compensated" });
  });

  test("an abandon that is refused proves nothing: it is tried again before anything is undone", async () => {
    const asked: string[] = [];
    running = await startFulfilment(databases, {
      middlewares: [
        {
          call: (next: (...call: unknown[]) => Promise<unknown>) =>
            async function hindered(action: string, params: { id: string }, options: object) {
              if (action.startsWith("shelves.")) asked.push(`${action} ${params.id}`);
              if (action === "shelves.take" && params.id === "bolts") lost();
              if (action === "shelves.abandon" && asked.filter(call => call === "shelves.abandon bolts").length === 1)
                throw Object.assign(new Error("not now"), { type: "NOT_NOW", code: 409, data: { family: "refusal" } });
              return next(action, params, options);
            },
        },
      ],
    });
    await running.broker.call("shelves.fill", { id: "nuts", quantity: 10 });
    expect((await running.wish("w1")).state).toBe("compensated");
    expect(asked.slice(asked.indexOf("shelves.abandon bolts"))).toEqual([
      "shelves.abandon bolts",
      "shelves.abandon bolts",
      "shelves.giveBack bolts",
      "shelves.giveBack nuts",
    ]);
  });

  test("a call that was sent and not answered is abandoned: its late arrival does nothing", async () => {
    // The request for bolts is held up on its way, longer than the step may take.
    let late: Promise<unknown> | undefined;
    let arrive = (): void => {};
    const held = new Promise<void>(resolve => (arrive = resolve));
    const tooLate = Object.assign(new Error("late"), { type: "REQUEST_TIMEOUT", code: 504, retryable: true });
    const slowLine = {
      call: (next: (...call: unknown[]) => Promise<unknown>) =>
        async function slowly(action: string, params: { id: string }, options: object) {
          if (action !== "shelves.take" || params.id !== "bolts") return next(action, params, options);
          late = held.then(() => next(action, params, options)).catch((error: { type: string }) => error.type);
          throw tooLate;
        },
    };
    running = await startFulfilment(databases, { middlewares: [slowLine] });
    const { broker, wish, parts } = running;
    for (const id of ["bolts", "nuts"]) await broker.call("shelves.fill", { id, quantity: 10 });
    const saga = await wish("w1");
    expect(saga.state).toBe("compensated");
    expect(saga.timeline.find(({ type }) => type === "saga.abandoned")?.data).toMatchObject({
      step: "take",
      item: 0,
      executed: false,
    });
    arrive();
    expect(await late).toBe("ABANDONED");
    expect([await parts("bolts"), await parts("nuts")]).toEqual([10, 10]);
  });
});

describe("past the pivot", () => {
  test("technical failures are repeated until stuck; an operator's retry goes on under the same attempt", async () => {
    let isDown = true;
    const { wish, broker, rests, calls, happened } = await start(
      action => {
        if (action === "send" && isDown) lost();
      },
      { stuckAfterMs: 500 },
    );
    const stuck = await wish("w1");
    expect(stuck).toMatchObject({ state: "stuck", step: expect.stringMatching(/calls send/) });
    expect(stuck.reason).toMatch(/no progress for 500 ms; last: send: LOST/);
    expect(stuck).toMatchObject({
      says: expect.stringMatching(/^Stuck: no progress.* It waits for a person: mend the cause and retry it\.$/),
      next: { does: "retry", by: "an operator" },
    });
    expect(await broker.call("fulfilments.sagaCounts", {})).toMatchObject({
      counts: [{ state: "stuck", saga: "fulfilment", reason: "LOST", sagas: 1 }],
      isPartial: false,
    });
    expect(happened("reverse")).toEqual([]);
    isDown = false;
    await broker.call("fulfilments.retrySaga", { id: "fulfilment.w1", note: "network is back" }, admin);
    const saga = await rests("w1");
    expect(saga.state).toBe("completed");
    expect(saga.timeline.find(({ type }) => type === "saga.retried")?.data).toMatchObject({
      by: "ann",
      note: "network is back",
    });
    expect(new Set(calls.filter(({ action }) => action === "send").map(({ commandId }) => commandId))).toEqual(
      new Set(["saga:fulfilment.w1/send/1"]),
    );
  });

  test("a refusal is stuck at once; an operator's retry completes it under a raised attempt", async () => {
    let isUnknown = true;
    const { wish, broker, rests, calls } = await start(action => {
      if (action === "send" && isUnknown)
        throw Object.assign(new Error("no such address"), {
          type: "NO_SUCH_ADDRESS",
          code: 409,
          data: { family: "refusal" },
        });
    });
    expect(await wish("w1")).toMatchObject({ state: "stuck", reason: expect.stringMatching(/NO_SUCH_ADDRESS/) });
    expect(await broker.call("fulfilments.sagas", { state: "stuck" })).toMatchObject({
      sagas: [{ id: "fulfilment.w1", saga: "fulfilment", state: "stuck" }],
    });
    isUnknown = false;
    await broker.call("fulfilments.retrySaga", { id: "w1" });
    expect((await rests("w1")).state).toBe("completed");
    expect(calls.at(-1)).toMatchObject({ commandId: "saga:fulfilment.w1/send/2" });
    expect(await broker.call("fulfilments.sagas", {})).toEqual({ sagas: [] });
  });
});

describe("operations", () => {
  test("an operator sends a saga back before its pivot, not after", async () => {
    const { broker, rests, saga, parts } = await start(action => {
      if (action === "charge") lost();
    });
    const bob = { meta: { user: { id: "bob", roles: [], key: "k1" } }, requestID: "r-1" };
    await broker.call(
      "wishes.make",
      { id: "w1", card: "good", lines: [{ shelf: "bolts", quantity: 2 }] },
      bob as object,
    );
    while ((await saga("w1").catch(() => undefined))?.step !== "calls charge")
      await new Promise(r => setTimeout(r, 10));
    // The journal does not have the tries; the node that makes them does, and says when the next one is.
    const trying = await until(async () => {
      const found = await saga("w1");
      return found.steps.at(-1)!.failedTries! > 0 && found.next.at !== undefined ? found : undefined;
    });
    expect(trying).toMatchObject({
      says: expect.stringMatching(/^It calls charge on .*failed, the last with LOST: .*The next try is at 20/),
      next: { does: "calls charge", by: broker.nodeID },
      steps: [{ step: "take" }, { step: "charge", status: "sent", error: { type: "LOST" } }],
    });
    await broker.call("fulfilments.compensateSaga", { id: "w1", note: "the member called" }, {
      ...admin,
      requestID: "r-2",
    } as object);
    const back = await rests("w1");
    expect(back).toMatchObject({ state: "compensated", reason: "COMPENSATED_BY_OPERATOR: the member called" });
    expect(back.timeline.find(({ type }) => type === "saga.compensating")?.data).toMatchObject({ by: "ann" });
    expect(await parts("bolts")).toBe(10);
    // A step is on behalf of whoever started the saga; after an operator has sent it back, on the operator's. Neither has asked
    // for the step itself: whom it is for is no right.
    const { events } = await broker.call<any, object>("shelves.history", { id: "bolts" });
    const caller = "fulfilments";
    expect(events.slice(-2)).toMatchObject([
      { type: "shelf.taken", metadata: { user: "bob", key: "k1", requestId: "r-1", caller } },
      { type: "shelf.given_back", metadata: { user: "ann", requestId: "r-2", caller } },
    ]);
    const { sagas } = broker.getLocalService("fulfilments") as SagaService;
    const journal = await sagas.history(sagas.resolve("w1"));
    const causes = journal.map(({ type, metadata }) => [type, metadata.user, metadata.requestId]);
    expect(causes[0]).toEqual(["saga.started", "bob", "r-1"]);
    expect(causes.find(([type]) => type === "saga.compensating")).toEqual(["saga.compensating", "ann", "r-2"]);
    expect(causes.at(-1)).toEqual(["saga.compensated", "ann", "r-2"]);
    expect(await refusalOf(broker.call("fulfilments.compensateSaga", { id: "w1" }))).toBe("SAGA_ENDED");

    const refuse = { type: "NO_SUCH_ADDRESS", code: 409, data: { family: "refusal" } };
    await broker.stop();
    const again = await start(action => {
      if (action === "send") throw Object.assign(new Error("no such address"), refuse);
    });
    expect((await again.wish("w2")).state).toBe("stuck");
    expect(await refusalOf(again.broker.call("fulfilments.compensateSaga", { id: "w2" }))).toBe("SAGA_PAST_PIVOT");
    // Its pivot has no undo: nobody can take it back.
    expect((await again.saga("w2")).can).toMatchObject({
      retry: { isPossible: true },
      compensate: {
        isPossible: false,
        type: "SAGA_PAST_PIVOT",
        message: expect.stringContaining("point of no return"),
      },
    });
    const forced = again.broker.call("fulfilments.compensateSaga", { id: "w2", pastPivot: true });
    expect(await refusalOf(forced)).toBe("SAGA_PAST_PIVOT");
  });

  test("a saga that a newer release sent a step of says what it waits for, and is undone by that release only", async () => {
    const { broker, saga } = await start(action => {
      if (action === "charge") lost();
    });
    await broker.call("wishes.make", { id: "w1", card: "good", lines: [{ shelf: "bolts", quantity: 2 }] });
    while ((await saga("w1").catch(() => undefined))?.step !== "calls charge")
      await new Promise(r => setTimeout(r, 10));
    const { sagas } = broker.getLocalService("fulfilments") as SagaService;
    const data = { step: "wrap", params: [{}], at: "2026-01-01T00:00:00.000Z" };
    await sagas.edit(sagas.resolve("w1"), () => ({ type: "saga.sent", data }));
    const waits = "step wrap was sent, which fulfilment does not have on this node";
    expect(await saga("w1")).toMatchObject({ state: "running", step: `waits for a node of another release: ${waits}` });
    await expect(broker.call("fulfilments.compensateSaga", { id: "w1" })).rejects.toMatchObject({
      type: "SAGA_OF_ANOTHER_RELEASE",
      code: 503,
      message: `saga fulfilment.w1: ${waits}`,
    });
    await broker.call("fulfilments.annotateSaga", { id: "w1", note: "seen" }, admin);
    expect(types(await saga("w1")).slice(-2)).toEqual(["sent", "noted"]);
  });

  test("notes go to the journal; what does not exist or is not stuck is refused, and so are members", async () => {
    const { wish, broker, saga } = await start();
    await wish("w1");
    await broker.call("fulfilments.annotateSaga", { id: "w1", note: "checked" }, admin);
    expect((await saga("w1")).timeline.at(-1)).toMatchObject({
      type: "saga.noted",
      data: { by: "ann", note: "checked" },
    });
    expect((await saga("w1")).notes).toEqual([{ by: "ann", at: expect.any(String), did: "noted", note: "checked" }]);
    expect(await refusalOf(broker.call("fulfilments.retrySaga", { id: "w1" }))).toBe("SAGA_NOT_STUCK");
    expect(await refusalOf(broker.call("fulfilments.saga", { id: "w9" }))).toBe("SAGA_NOT_FOUND");
    for (const after of ["w1", "fulfilment.w9", "zzzz"])
      await expect(broker.call("fulfilments.sagas", { after })).rejects.toMatchObject({
        code: 422,
        data: { errors: [{ field: "after" }] },
      });
    expect(await broker.call("fulfilments.sagas", { after: "fulfilment.w1" })).toEqual({ sagas: [] });
    const member = { meta: { user: { id: "bob", roles: ["member"] } } };
    expect(await refusalOf(broker.call("fulfilments.sagas", {}, member))).toBe("FORBIDDEN");
  });
});

describe("operations on many", () => {
  test("stuck sagas of a kind are sent on, oldest first, after a dry run that changes nothing", async () => {
    let isUnknown = true;
    const { broker, wish, rests, saga } = await start(action => {
      if (action === "send" && isUnknown) throw new Refusal("NO_SUCH_ADDRESS");
    });
    const lines = [{ shelf: "bolts", quantity: 1 }];
    for (const id of ["w1", "w2", "w3"]) expect((await wish(id, { lines })).state).toBe("stuck");
    isUnknown = false;
    expect((await wish("w4", { lines })).state).toBe("completed");

    const retry = (params: object) =>
      broker.call<BulkAnswer, object>("fulfilments.retrySagas", { note: "moved", ...params }, admin);
    const before = await saga("w1");
    const kind = { state: "stuck", saga: "fulfilment", reason: "NO_SUCH_ADDRESS" };
    expect(await retry({ dryRun: true, limit: 2, reason: "NO_SUCH_ADDRESS" })).toEqual({
      dryRun: true,
      sagas: 2,
      counts: [
        {
          ...kind,
          sagas: 2,
          oldestStartedAt: expect.any(String),
          newestId: "fulfilment.w2",
          newestAt: expect.any(String),
        },
      ],
      ids: ["fulfilment.w1", "fulfilment.w2"],
      refused: [],
      hasMore: true,
      searchedTo: "fulfilment.w2",
    });
    expect(await saga("w1")).toEqual(before);
    for (const none of [{ reason: "LOST" }, { name: "other" }, { olderThanMs: 60_000 }])
      expect(await retry(none)).toMatchObject({ sagas: 0, hasMore: false });
    // None can be taken back, since the pivot has no undo: each one's refusal is told, and the others are not held up.
    // They do not count, or a repetition would never come to those behind them.
    const back = { note: "lost", pastPivot: true, limit: 1 };
    expect(await broker.call("fulfilments.compensateSagas", back, admin)).toMatchObject({
      sagas: 0,
      refused: [{ type: "SAGA_PAST_PIVOT", sagas: 3, ids: ["fulfilment.w1", "fulfilment.w2", "fulfilment.w3"] }],
      hasMore: false,
    });
    // A place to go on from leaves out what it has come to.
    expect(await retry({ dryRun: true, limit: 1, after: "fulfilment.w1" })).toMatchObject({
      ids: ["fulfilment.w2"],
      hasMore: true,
      searchedTo: "fulfilment.w2",
    });
    expect(await retry({ limit: 2 })).toMatchObject({ dryRun: false, sagas: 2, hasMore: true });
    // A repetition goes on with what is left.
    for (const id of ["w1", "w2"]) expect((await rests(id)).state).toBe("completed");
    expect(await retry({})).toMatchObject({ sagas: 1, ids: ["fulfilment.w3"], hasMore: false });
    expect((await rests("w3")).notes).toMatchObject([{ by: "ann", did: "retried", note: "moved" }]);
    expect(await retry({})).toMatchObject({ sagas: 0, hasMore: false });
    await expect(broker.call("fulfilments.retrySagas", {}, admin)).rejects.toMatchObject({ code: 422 });
  });
});

describe("an event in the place of the one that began a saga, since the log was put back to an older state", () => {
  const LATER = "2036-01-01T00:00:00.000Z";
  /** The starting event of a wish, as it comes after the restore. */
  async function comesAnew({ broker }: Fulfilling, id: string, data: object = {}): Promise<void> {
    const { sagas } = broker.getLocalService("fulfilments") as SagaService;
    const { event } = await sagas.read(sagas.resolve(id));
    const anew = { ...event!, at: LATER, data: { ...(event!.data as object), ...data } };
    // However often it is delivered.
    for (let times = 0; times < 2; times++) await sagas.start(Fulfilment, anew as never);
  }

  test("P5 parks the saga, ended or not, and says so; a repetition of its own event, upcast or not, does nothing", async () => {
    const house = await start();
    const { broker, wish, saga } = house;
    await wish("w1");
    const { sagas } = broker.getLocalService("fulfilments") as SagaService;
    const { event } = await sagas.read(sagas.resolve("w1"));
    await sagas.start(Fulfilment, { ...event!, data: { upcast: true } } as never);
    expect((await saga("w1")).state).toBe("completed");
    await comesAnew(house, "w1");
    expect(await saga("w1")).toMatchObject({
      state: "stuck",
      reason: `LOG_PUT_BACK: it began with wish.w1@1 of ${event!.at}, in whose place the log now has one of ${LATER}`,
      says: expect.stringMatching(/retry it, which sends its calls once more for the new event/),
      next: { by: "an operator" },
      can: { retry: { isPossible: true } },
    });
    expect(types(await saga("w1")).slice(-2)).toEqual(["completed", "stuck"]);
    expect(await broker.call("fulfilments.sagaCounts", { state: "stuck" })).toMatchObject({
      counts: [{ reason: "LOG_PUT_BACK", sagas: 1 }],
    });
  });

  test("P5 retried, its calls go out once more under their ids, and what was done is not done twice", async () => {
    const house = await start();
    const { broker, wish, rests, parts, happened, calls } = house;
    await wish("w1");
    await comesAnew(house, "w1");
    await broker.call("fulfilments.retrySaga", { id: "w1" }, admin);
    expect(await rests("w1")).toMatchObject({ state: "completed", startedBy: "wish.w1@1" });
    expect([await parts("bolts"), await parts("nuts")]).toEqual([8, 7]);
    expect(happened("send")).toEqual(["w1"]);
    const [charge, send] = ["saga:fulfilment.w1/charge/1", "saga:fulfilment.w1/send/1"];
    expect(calls.map(({ commandId }) => commandId)).toEqual([charge, send, charge, send]);
    // The event is the saga's own from now on.
    await comesAnew(house, "w1");
    expect((await rests("w1")).state).toBe("completed");
  });

  test("P5 one that says something else is not repeated: its calls were made for another", async () => {
    const house = await start();
    const { broker, wish, saga } = house;
    await wish("w1");
    await comesAnew(house, "w1", { card: "better" });
    expect((await saga("w1")).can.retry).toMatchObject({ isPossible: false, type: "SAGA_NOT_REPEATABLE" });
    expect(await refusalOf(broker.call("fulfilments.retrySaga", { id: "w1" }, admin))).toBe("SAGA_NOT_REPEATABLE");
  });

  test("P5 one that was taken back is taken back again, or left, as the operator says", async () => {
    const house = await start();
    const { broker, wish, rests, parts, happened } = house;
    for (const id of ["w1", "w2"]) {
      expect((await wish(id, { card: "bad" })).state).toBe("compensated");
      await comesAnew(house, id);
    }
    await broker.call("fulfilments.retrySaga", { id: "w1" }, admin);
    await broker.call("fulfilments.compensateSaga", { id: "w2" }, admin);
    for (const id of ["w1", "w2"]) expect((await rests(id)).state).toBe("compensated");
    expect([await parts("bolts"), happened("charge")]).toEqual([10, []]);
    expect(await refusalOf(broker.call("fulfilments.compensateSaga", { id: "w2" }, admin))).toBe("SAGA_ENDED");
  });

  test("one whose calls an operator has retried is not repeated, since their ids are others", async () => {
    let isMended = false;
    const house = await start(action => {
      if (action === "send" && !isMended) throw new Refusal("NO_SUCH_ADDRESS");
    });
    const { broker, wish, rests, saga } = house;
    expect((await wish("w1")).state).toBe("stuck");
    isMended = true;
    await broker.call("fulfilments.retrySaga", { id: "w1" }, admin);
    expect((await rests("w1")).state).toBe("completed");
    await comesAnew(house, "w1");
    expect((await saga("w1")).can.retry).toMatchObject({ isPossible: false, type: "SAGA_NOT_REPEATABLE" });
    const retry = broker.call("fulfilments.retrySaga", { id: "w1" }, admin);
    expect(await refusalOf(retry)).toBe("SAGA_NOT_REPEATABLE");
  });
});

onAnyDatabase("the log", () => {
  test("names a saga that parks, with the reason, and a bug in a step once, not at each repetition", async () => {
    const { broker, wish } = await start(
      action => {
        if (action === "send") throw new Bug("BROKEN", "an invariant broke");
      },
      { stuckAfterMs: 700 },
    );
    const lines: string[] = [];
    broker.logger.warn = (...line: unknown[]) => void lines.push(`WARN ${line.join(" ")}`);
    broker.logger.error = (...line: unknown[]) => void lines.push(`ERROR ${line.join(" ")}`);
    expect((await wish("w1")).state).toBe("stuck");
    expect(lines).toEqual([
      expect.stringMatching(/^ERROR saga fulfilment\.w1: .*an invariant broke/),
      expect.stringMatching(/^WARN saga fulfilment\.w1 is stuck.*BROKEN: an invariant broke/),
    ]);
  });
});

onAnyDatabase("metrics", () => {
  test("tell how many sagas are open, stuck and ended", async () => {
    running = await startFulfilment(databases, {
      limits: { watchdogMs: 20, stuckAfterMs: 0 },
      world: action => (action === "send" ? lost() : undefined),
    });
    const { broker, wish } = running;
    await broker.call("shelves.fill", { id: "bolts", quantity: 10 });
    expect((await wish("w1", { lines: [{ shelf: "bolts", quantity: 1 }] })).state).toBe("stuck");
    const open = (state: string) => metricOf(broker, sagaMetrics.open, { service: "fulfilments", state });
    expect([await open("running"), await open("compensating"), await open("stuck")]).toEqual([0, 0, 1]);
    expect(await metricOf(broker, sagaMetrics.oldest, { state: "stuck" })).toBeGreaterThan(0);
    expect(await metricOf(broker, sagaMetrics.ended, { outcome: "stuck" })).toBe(1);
    expect(await metricOf(broker, sagaMetrics.ended, { outcome: "completed" })).toBe(0);
  });
});

describe("two nodes", () => {
  test("either tells which of them drives a saga, its failed tries and the next one", async () => {
    const together = { transporter: "Fake", namespace: databases.folder };
    const world = (action: string) => (action === "send" ? lost() : undefined);
    running = await startFulfilment(databases, { world, broker: { ...together, nodeID: "one" } });
    const other = await startFulfilment(databases, { world, broker: { ...together, nodeID: "two" } });
    try {
      const { broker } = running;
      await until(() => broker.registry.getNodeList({ onlyAvailable: true }).length === 2);
      await broker.call("shelves.fill", { id: "bolts", quantity: 10 });
      await broker.call("wishes.make", { id: "w1", card: "good", lines: [{ shelf: "bolts", quantity: 1 }] });
      const asked = (nodeID: string) =>
        broker.call<SagaDetail, object>("fulfilments.saga", { id: "w1" }, { ...admin, nodeID } as object);
      const told = await until(async () => {
        const both = await Promise.all(["one", "two"].map(asked)).catch(() => undefined);
        return both?.every(({ steps }) => (steps.at(-1)!.failedTries ?? 0) > 1) ? both : undefined;
      });
      const [driver] = new Set(told.map(({ next }) => next.by));
      expect(["one", "two"]).toContain(driver);
      expect(told.map(({ next }) => next.by)).toEqual([driver, driver]);
      for (const { says } of told)
        expect(says).toMatch(/^It calls send on (one|two)\. \d+ tries failed, the last with LOST/);
    } finally {
      await other.broker.stop();
    }
  });

  test("P5 share the sagas by partition: one that joins takes its share of those under way, one that leaves gives it back", async () => {
    const together = { transporter: "Fake", namespace: databases.folder };
    let isDown = true;
    const world = (action: string) => (action === "send" && isDown ? lost() : undefined);
    const limits = { retryBaseMs: 10, retryCapMs: 50 };
    const nodes = [await startFulfilment(databases, { world, limits, broker: { ...together, nodeID: "one" } })];
    const ids = Array.from({ length: 24 }, (_, i) => `w${i}`);
    const drivenBy = ({ broker }: Fulfilling): string[] => {
      const { sagas } = broker.getLocalService("fulfilments") as SagaNode;
      return ids.filter(id => sagas.has(`fulfilment.${id}`));
    };
    try {
      const [{ broker, rests }] = nodes as [Fulfilling];
      await broker.call("shelves.fill", { id: "bolts", quantity: 100 });
      const lines = [{ shelf: "bolts", quantity: 1 }];
      await Promise.all(ids.map(id => broker.call("wishes.make", { id, card: "good", lines })));
      await until(() => drivenBy(nodes[0]!).length === ids.length);
      nodes.push(await startFulfilment(databases, { world, limits, broker: { ...together, nodeID: "two" } }));
      /** The node that drives each saga, if each is driven by one alone. */
      const split = await until("each node drives a part", () => {
        const [first, second] = nodes.map(drivenBy) as [string[], string[]];
        const isOne = first.length + second.length === ids.length && !first.some(id => second.includes(id));
        return isOne && second.length > 0 ? { first, second } : undefined;
      });
      // An operator's request goes to the node that has the saga's partition, whichever is asked.
      const [id] = split.second as [string];
      const asked = { ...admin, nodeID: "one" } as object;
      const saga = () => broker.call<SagaDetail, object>("fulfilments.saga", { id }, asked);
      await until("the first node knows the second", async () => (await saga()).next.by === "two");
      const { sagas } = nodes[1]!.broker.getLocalService("fulfilments") as SagaNode;
      const asksFor: string[] = [];
      const take = sagas.take.bind(sagas);
      sagas.take = async keys => (asksFor.push(...keys), take(keys));
      await broker.call("fulfilments.annotateSaga", { id, note: "looked at" }, asked);
      await until("the second node is asked to drive it", () => asksFor.join() === `fulfilment.${id}`);
      expect(drivenBy(nodes[0]!)).not.toContain(id);
      expect((await saga()).owner).toBe("two");

      await nodes.pop()!.broker.stop();
      await until(() => drivenBy(nodes[0]!).length === ids.length);
      isDown = false;
      for (const { state } of await Promise.all(ids.map(rests))) expect(state).toBe("completed");
      expect(nodes[0]!.happened("send")).toEqual(ids.toSorted());
    } finally {
      for (const node of nodes) await node.broker.stop();
    }
  });

  test("P2 that drive the same sagas at once do no harm: one journal, each effect once", async () => {
    let slowMs = 30;
    const slow = () => new Promise<void>(resolve => setTimeout(resolve, slowMs));
    const eager = { watchdogMs: 10, orphanedAfterMs: 0 };
    const { broker, rests, parts, calls } = await start(slow, eager);
    const other = await startFulfilment(databases, { world: slow, limits: eager });
    // As after a pause that was longer than the leases: each believes to have all partitions.
    const all = new Set(Array.from({ length: 16 }, (_, partition) => partition));
    const both = [broker, other.broker];
    for (const node of both) await (node.getLocalService("fulfilments") as SagaNode).watchdog.serve(Fulfilment, all);
    try {
      const ids = ["w1", "w2", "w3", "w4"];
      const lines = [{ shelf: "bolts", quantity: 1 }];
      const cards = ["good", "bad", "good", "bad"];
      await Promise.all(ids.map((id, i) => broker.call("wishes.make", { id, card: cards[i], lines })));
      const sagas = await Promise.all(ids.map(rests));
      expect(sagas.map(({ state }) => state)).toEqual(["completed", "compensated", "completed", "compensated"]);
      expect(types(sagas[0]!)).toEqual([
        "started",
        "sent",
        "done",
        "sent",
        "done",
        "sent",
        "done",
        "sent",
        "done",
        "completed",
      ]);
      expect(await parts("bolts")).toBe(8);
      // Or this test shows nothing: both have called for the same saga. Where one was always quicker, more sagas, ever slower.
      const shared = () =>
        calls.filter(call => other.calls.some(({ commandId }) => commandId === call.commandId)).length;
      await broker.call("shelves.fill", { id: "screws", quantity: 50 });
      for (let n = 1; shared() === 0 && n <= 50; n++, slowMs += 10) {
        await broker.call("wishes.make", { id: `more${n}`, card: "good", lines: [{ shelf: "screws", quantity: 1 }] });
        expect((await rests(`more${n}`)).state).toBe("completed");
      }
      expect(shared()).toBeGreaterThan(0);
    } finally {
      await other.broker.stop();
    }
  });
});

describe("stop and start", () => {
  test("P5 a stop lets the calls at hand finish and begins no new step; a start goes on", async () => {
    let sending = (): void => {};
    const isSending = new Promise<void>(resolve => (sending = resolve));
    const first = await start(async action => {
      if (action !== "charge") return;
      sending();
      await new Promise(resolve => setTimeout(resolve, 200));
    });
    await first.broker.call("wishes.make", { id: "w1", card: "good", lines: [{ shelf: "bolts", quantity: 2 }] });
    await isSending;
    await first.broker.stop();
    expect(first.happened("charge")).toEqual(["w1"]);
    expect(first.calls.map(({ action }) => action)).toEqual(["charge"]);

    const second = await start();
    const saga = await second.rests("w1");
    expect(saga.state).toBe("completed");
    // The outcome was journalled before the stop: the charge is not asked for again.
    expect(second.calls.map(({ action }) => action)).toEqual(["send"]);
  });

  test("P5 a start takes up every open saga, page by page", async () => {
    const charging = new Set<string>();
    const first = await start((action, wish) => {
      if (action !== "charge") return;
      charging.add(wish);
      lost();
    });
    const ids = ["w1", "w2", "w3"];
    const lines = [{ shelf: "bolts", quantity: 1 }];
    await Promise.all(ids.map(id => first.broker.call("wishes.make", { id, card: "good", lines })));
    while (charging.size < ids.length) await new Promise(resolve => setTimeout(resolve, 10));
    await first.broker.stop();

    const second = await start(undefined, { rows: 1, watchdogMs: 600_000 });
    for (const { state } of await Promise.all(ids.map(second.rests)))
      // Which of the two depends on whether the machine was faster than the step's deadline.
      expect(["completed", "compensated"]).toContain(state);
  });
});

describe("a node that is killed", () => {
  /** Runs 12 wishes, a third of them with a bad card, in a process of their own. */
  async function run(failpoints: string): Promise<{ signal: string | null; said: string }> {
    const child = spawn(process.execPath, [new URL("crash.fixture.ts", import.meta.url).pathname, databases.folder], {
      env: { ...process.env, ...databases.env, NODE_OPTIONS: "", FAILPOINTS: failpoints },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [said, [, signal]] = await Promise.all([text(child.stdout), once(child, "exit")]);
    return { signal: signal as string | null, said };
  }

  const inTheDatabase: [string, number][] = [
    ["append:after-commit", 5],
    ["consumer:before-commit", 1],
  ];
  const inTheSaga: [string, number][] = [
    ["saga:before-step", 17],
    ["saga:after-step", 1],
    ["saga:after-step", 29],
    ["saga:before-undo", 3],
  ];
  // The database knows nothing of a saga's steps, and what it does itself is tried where it is a server. `npm run
  // test:chaos` tries all of them on both.
  const tried = isOnPostgres() ? inTheDatabase : inTheSaga;
  const points = process.env["CHAOS"] === "all" ? [...inTheDatabase, ...inTheSaga] : tried;
  test.each(points)(
    "P5 at %s, pass %i: started again, every saga ends and each effect is there once",
    async (point, pass) => {
      expect((await run(`${point}=kill#${pass}`)).signal).toBe("SIGKILL");
      const { said, signal } = await run("");
      expect(signal).toBe(null);
      const ids = Array.from({ length: 12 }, (_, i) => `w${i}`);
      const good = ids.filter((_, i) => i % 3 !== 0).sort();
      expect(JSON.parse(said)).toEqual({
        states: Object.fromEntries(ids.map(id => [id, good.includes(id) ? "completed" : "compensated"])),
        taken: {
          bolts: Object.fromEntries(good.map(id => [id, 2])),
          nuts: Object.fromEntries(good.map(id => [id, 3])),
        },
        parts: { bolts: 100 - 2 * good.length, nuts: 100 - 3 * good.length },
        charged: good,
        sent: good,
      });
    },
  );
});
