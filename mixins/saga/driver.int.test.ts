// Drivers as nodes have them, side by side on one store, with clocks of their own and a world that a test holds in hand.
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { ServiceBroker, type Context } from "moleculer";
import { until } from "../testing/index.ts";
import { newDatabases, type Databases } from "../testing/servers.ts";
import { locationOf } from "../database/index.ts";
import { Bug, COMMAND_ID, inChunks, readEnvironment, Refusal, Unavailable, type Clock } from "../kernel/index.ts";
import type { Recorded } from "../contract/index.ts";
import { given } from "../actor/index.ts";
import type { Append, EventStore, Verdict } from "../event-store/index.ts";
import { openEventStore } from "../event-store/siblings.ts";
import { SagaDriver, type SagaRef } from "./driver.ts";
import { Fulfilment } from "./fulfilment.fixture.ts";
import { defineSaga, type Saga } from "./index.ts";
import { journalOf, type SagaState } from "./journal.ts";
import { SAGA_LIMITS, type SagaLimits } from "./limits.ts";
import { SagaShare } from "./share.ts";

let databases: Databases;
let store: EventStore;
let broker: ServiceBroker;
const drivers: SagaDriver[] = [];
/** The outcome of calls of an action, until a test says otherwise: answered. */
const world = new Map<string, (params: any) => unknown>();
const calls: string[] = [];
const log: string[] = [];

const action = (name: string) => ({
  handler: (ctx: Context & { headers?: Record<string, string> }) => {
    calls.push(`${name} ${ctx.headers?.[COMMAND_ID] ?? ""}`.trim());
    return world.get(name)?.(ctx.params) ?? {};
  },
});
const service = (name: string, ...actions: string[]) => ({
  name,
  actions: Object.fromEntries(actions.map(of => [of, action(`${name}.${of}`)])),
});

beforeEach(async () => {
  databases = await newDatabases();
  store = await openEventStore(locationOf(readEnvironment(databases.env), "fulfilments"));
  broker = new ServiceBroker({ logger: false, skipProcessEventRegistration: true });
  broker.createService(service("shelves", "take", "giveBack"));
  broker.createService(service("outside", "charge", "reverse", "send"));
  broker.createService(service("wishes", "book", "fail"));
  world.set("outside.charge", () => ({ chargeId: "p1" }));
  broker.logger.warn = (...line: unknown[]) => void log.push(`WARN ${line.join(" ")}`);
  await broker.start();
});
afterEach(async () => {
  await Promise.all(drivers.splice(0).map(driver => driver.stop(1_000)));
  await broker.stop();
  await store.close();
  await databases.remove();
  world.clear();
  calls.length = log.length = 0;
});

const PARTITIONS = 16;
interface Node {
  readonly saga?: Saga;
  readonly limits?: Partial<SagaLimits>;
  readonly clock?: Clock;
  readonly on?: EventStore;
}
function node({ saga = Fulfilment, limits = {}, clock, on = store }: Node = {}): SagaDriver {
  const quick = { retryBaseMs: 5, retryCapMs: 20 };
  const options = {
    sagas: [saga],
    store: on,
    broker,
    service: "fulfilments",
    share: new SagaShare({ count: PARTITIONS, ownerOf: async () => undefined }),
    limits: { ...SAGA_LIMITS, ...quick, ...limits },
  };
  const driver = new SagaDriver({ ...options, ...(clock && { clock }) });
  drivers.push(driver);
  return driver;
}
/** A clock on the wall that a test sets. */
function clockAt(aheadMs = 0) {
  const clock = { aheadMs, now: () => Date.now() + clock.aheadMs, monotonic: () => performance.now() };
  return clock;
}
const wish = (id: string): Recorded => ({
  eventId: `wish.${id}@1`,
  type: "wish.made",
  actor: "wish",
  stream: id,
  version: 1,
  at: "2026-01-01T00:00:00.000Z",
  data: { lines: [{ shelf: "bolts", quantity: 1 }], card: "good" },
  metadata: {},
});
const refTo = (driver: SagaDriver, id = "w1"): SagaRef => driver.resolve(`fulfilment.${id}`);

async function comesTo(driver: SagaDriver, phase: SagaState["phase"] | "stuck", id = "w1"): Promise<SagaState> {
  let state: SagaState;
  await until(async () => {
    state = await driver.read(refTo(driver, id));
    return (state.stuck === undefined ? state.phase : "stuck") === phase;
  });
  return state!;
}
const times = (called: string): number => calls.filter(call => call.startsWith(called)).length;
const lost = (): never => {
  throw new Unavailable("LOST", { outcome: "unknown" });
};

describe("time", () => {
  const hour = 3_600_000;
  /** Where a saga stands when its calls begin to fail. */
  const places: [string, string, () => void][] = [
    ["before its pivot", "outside.charge", () => {}],
    ["past its pivot", "outside.send", () => {}],
    ["on its way back", "shelves.giveBack", () => world.set("outside.charge", decline)],
  ];
  const decline = (): never => {
    throw new Refusal("CARD_DECLINED");
  };

  test.each(places)("P5 a clock that jumps changes nothing for a saga %s", async (_, failing, prepare) => {
    prepare();
    const answer = world.get(failing) ?? (() => ({}));
    world.set(failing, lost);
    const clock = clockAt();
    const driver = node({ clock });
    await driver.start(Fulfilment, wish("w1"));
    await until(() => times(failing) > 1);
    for (const aheadMs of [hour, -hour]) {
      clock.aheadMs = aheadMs;
      const seen = times(failing);
      await until(() => times(failing) > seen + 2);
    }
    world.set(failing, answer);
    await comesTo(driver, failing === "shelves.giveBack" ? "compensated" : "completed");
  });

  test.each(places)(
    "P5 after a night without nodes, and on a node whose clock is ahead, a saga %s has its patience before it",
    async (_, failing, prepare) => {
      prepare();
      const answer = world.get(failing) ?? (() => ({}));
      world.set(failing, lost);
      const evening = node({ clock: clockAt(-10 * hour) });
      await evening.start(Fulfilment, wish("w1"));
      await until(() => times(failing) > 1);
      await evening.stop(1_000);

      const morning = node();
      morning.drive(refTo(morning));
      const seen = times(failing);
      await until(() => times(failing) > seen + 2);
      world.set(failing, answer);
      await comesTo(morning, failing === "shelves.giveBack" ? "compensated" : "completed");
    },
  );

  test("P5 what is tried in vain for as long as it may is parked, or undone", async () => {
    world.set("outside.send", lost);
    const driver = node({ limits: { stuckAfterMs: 300 } });
    await driver.start(Fulfilment, wish("w1"));
    expect((await comesTo(driver, "stuck")).stuck).toMatch(/no progress for 300 ms; last: send: LOST/);
    expect(times("outside.send")).toBeGreaterThan(2);
  });

  test("the log tells of what is tried in vain, long before it is parked, and once for all sagas that have the same trouble", async () => {
    world.set("outside.send", lost);
    const driver = node({ limits: { toldAfterTries: 3 } });
    for (const id of ["w1", "w2", "w3"]) await driver.start(Fulfilment, wish(id));
    await until(() => times("outside.send") > 20);
    const told = log.filter(line => line.startsWith("WARN"));
    expect(told).toEqual([
      expect.stringMatching(
        /^WARN saga fulfilment\.w\d: send has failed [3-9] times and is repeated, the last time with LOST/,
      ),
    ]);
  });
});

describe("two drivers", () => {
  test("P2 one that has not seen what the other journalled journals nothing, and plans anew", async () => {
    let answer: (value: unknown) => void = () => {};
    const isCharging = new Promise<void>(charging =>
      world.set("outside.charge", () => {
        charging();
        return new Promise(resolve => (answer = resolve));
      }),
    );
    const here = node();
    const there = node();
    await here.start(Fulfilment, wish("w1"));
    await isCharging;
    const failure = { type: "BY_ANN", message: "by ann", step: "" };
    await there.edit(refTo(there), (_, at) => ({ type: "saga.compensating", data: { failure, by: "ann", at } }));
    await comesTo(there, "compensated");
    answer({ chargeId: "p1" });
    await until(() => !here.has("fulfilment.w1"));
    const types = (await there.history(refTo(there))).map(({ type }) => type);
    expect(types.slice(types.indexOf("saga.compensating"))).toEqual([
      "saga.compensating",
      "saga.undone",
      "saga.undone",
      "saga.sent",
      "saga.done",
      "saga.compensated",
    ]);
    expect([times("wishes.book"), times("outside.reverse")]).toEqual([0, 1]);
  });

  test("the journal takes entries only from a writer that has seen all others", async () => {
    const journal = journalOf("fulfilment", () => [{ type: "saga.started", data: { event: wish("w1"), at: "" } }]);
    const started = { type: "saga.started" as const, data: { event: wish("w1"), at: "" } };
    const noted = { type: "saga.noted" as const, data: { by: "ann" } };
    given(journal, started, noted)
      .when("journal", { seen: 1, entries: [noted] })
      .refuses("JOURNAL_MOVED");
    given(journal, started, noted)
      .when("journal", { seen: 2, entries: [noted] })
      .yields(noted);
  });
});

describe("a partition that another node has", () => {
  const all = new Set(Array.from({ length: PARTITIONS }, (_, partition) => partition));
  /** A driver that has all partitions, the partition of the saga `w1`, and the others. */
  function holder() {
    const driver = node();
    const own = driver.partitionOf(refTo(driver));
    driver.serve(Fulfilment, all);
    return { driver, own, others: all.difference(new Set([own])) };
  }

  test("P5 is left after the step at hand: its outcome is journalled, and the next one is the other node's", async () => {
    let answer: (value: unknown) => void = () => {};
    world.set("outside.charge", () => new Promise(resolve => (answer = resolve)));
    const { driver, own, others } = holder();
    await driver.start(Fulfilment, wish("w1"));
    await until(() => times("outside.charge") === 1);
    const { gained, isLeft } = driver.serve(Fulfilment, others);
    expect(gained).toEqual(new Set());
    // It is not this node's any more, so it is taken up wherever its row is found.
    expect([driver.has("fulfilment.w1"), driver.isOurs(refTo(driver))]).toEqual([false, false]);
    answer({ chargeId: "p1" });
    await isLeft;
    const { calls: sent, phase } = await driver.read(refTo(driver));
    expect([phase, sent.map(({ step, status }) => `${step} ${status}`)]).toEqual([
      "running",
      ["take done", "charge done"],
    ]);
    expect(times("wishes.book")).toBe(0);

    const there = node();
    expect(there.serve(Fulfilment, new Set([own])).gained).toEqual(new Set([own]));
    there.drive(refTo(there));
    await comesTo(there, "completed");
    expect([times("outside.charge"), times("wishes.book")]).toEqual([1, 1]);
  });

  test("P5 is not waited for longer than a while, and a saga that pauses is not tried again", async () => {
    world.set("outside.charge", () => new Promise(() => {}));
    world.set("outside.send", lost);
    const driver = node({ limits: { handOverMs: 20, callTimeoutMs: 500 } });
    driver.serve(Fulfilment, all);
    await driver.start(Fulfilment, wish("w1"));
    await until(() => times("outside.charge") === 1);
    world.set("outside.charge", () => ({ chargeId: "p1" }));
    await driver.start(Fulfilment, wish("w2"));
    await until(() => times("outside.send") > 0);
    await driver.serve(Fulfilment, new Set()).isLeft;
    const seen = times("outside.send");
    await until(() => !driver.has("fulfilment.w2"));
    await new Promise(resolve => setTimeout(resolve, 60));
    expect(times("outside.send") - seen).toBeLessThan(2);
    expect(times("outside.charge saga:fulfilment.w1")).toBe(1);
  });
});

test("P5 an operator's request that comes while a call is under way is carried out as soon as the call has failed", async () => {
  let fail = (): void => {};
  world.set(
    "outside.charge",
    () => new Promise((_, reject) => (fail = () => reject(new Unavailable("LOST", { outcome: "unknown" })))),
  );
  // The pause after the failure would be minutes.
  const driver = node({ limits: { retryBaseMs: 600_000, retryCapMs: 600_000 } });
  await driver.start(Fulfilment, wish("w1"));
  await until(() => times("outside.charge") === 1);
  const failure = { type: "BY_ANN", message: "by ann", step: "" };
  await driver.edit(refTo(driver), (_, at) => ({ type: "saga.compensating", data: { failure, by: "ann", at } }));
  fail();
  await comesTo(driver, "compensated");
});

describe("two releases", () => {
  const head = { startedBy: "wish.made", otherwise: ["wishes.fail", () => ({ id: "x", reason: "x" })] } as const;
  const base = () => defineSaga("fulfilment", { ...head, otherwise: [...head.otherwise] });
  const older = base().step("charge", "outside.charge", () => ({ wish: "w1", card: "good" }));
  const newer = base()
    .step("charge", "outside.charge", () => ({ wish: "w1", card: "good" }))
    .step("added", "outside.send", () => ({ wish: "w1", chargeId: "p1" }));

  test("P5 a saga whose journal names a step that a node does not know waits for one that does", async () => {
    world.set("outside.send", lost);
    const [old, young] = [node({ saga: older }), node({ saga: newer })];
    await young.start(newer, wish("w1"));
    await until(() => times("outside.send") > 0);
    await young.stop(1_000);
    const before = (await old.read(refTo(old))).entries;

    for (let n = 0; n < 3; n++) {
      old.drive(refTo(old));
      await until(() => !old.has("fulfilment.w1"));
    }
    expect(await old.read(refTo(old))).toMatchObject({ phase: "running", entries: before });
    expect(old.foreign()).toEqual(["fulfilment.w1"]);
    expect(old.foreign()).toEqual([]);
    // Asked by a node that cannot either, it takes none.
    expect(await old.take(["fulfilment.w1", "gone.w1"])).toEqual([]);
    const waits = "saga fulfilment.w1: step added was sent, which fulfilment does not have on this node";
    expect(log).toEqual([expect.stringMatching(`^WARN ${waits}; it waits for a node of that release`)]);

    world.delete("outside.send");
    const again = node({ saga: newer });
    expect(await again.take(["fulfilment.w1"])).toEqual(["fulfilment.w1"]);
    await comesTo(again, "completed");
  });
});

test("P5 memory is bounded however many sagas are open: others wait in their rows, and all of them end", async () => {
  const limits = { sagasAtOnce: 8, remembered: 20, journals: 10, startsAtOnce: 8 };
  const driver = node({ limits });
  world.set("outside.charge", lost);
  const seen = { driven: 0, waiting: 0, journals: 0, tried: 0 };
  const look = (): void => {
    for (const [what, count] of Object.entries(driver.inMemory))
      seen[what as keyof typeof seen] = Math.max(seen[what as keyof typeof seen], count);
  };
  const ids = Array.from({ length: 300 }, (_, i) => `w${i}`);
  for (const some of inChunks(ids, limits.startsAtOnce)) {
    await Promise.all(some.map(id => driver.start(Fulfilment, wish(id))));
    look();
  }
  const before = times("outside.charge");
  await until("calls go on", () => (look(), times("outside.charge") > before + 100));
  expect(seen.driven).toBe(limits.sagasAtOnce);
  expect(seen.waiting).toBe(limits.remembered);
  // Those that are at work stay in memory as well.
  expect(seen.journals).toBeLessThanOrEqual(limits.journals + limits.sagasAtOnce + limits.startsAtOnce);
  expect(seen.tried).toBeLessThanOrEqual(10 * limits.remembered);

  world.set("outside.charge", () => ({ chargeId: "p1" }));
  // The watchdog's part: it drives what the rows name, as far as there is room.
  await until("all have ended", async () => {
    const open = await store.sagas({ state: "open", limit: 1_000 });
    for (const { id } of open) if (!driver.isFull && !driver.has(id)) driver.drive(driver.refOf(id)!);
    return open.length === 0;
  });
  expect(new Set(calls.filter(call => call.startsWith("outside.send"))).size).toBe(ids.length);
});

test("P5 an open saga holds the actors that it may still call: they are not archived", async () => {
  world.set("outside.send", lost);
  const driver = node({ limits: { rows: 1 } });
  await Promise.all(["w0", "w1"].map(id => driver.start(Fulfilment, wish(id))));
  await until(() => times("outside.send saga:fulfilment.w1") > 0);
  // Its start, what the event names, what was answered, and what is made of its id; not an actor that nobody names.
  expect(await driver.held(["w1", "bolts", "p1", "w1-parcel", "nuts", "w2"])).toEqual([
    "w1",
    "bolts",
    "p1",
    "w1-parcel",
  ]);
  const other = node({
    saga: defineSaga("other", { startedBy: "wish.made", otherwise: ["wishes.fail", () => ({ id: "x", reason: "x" })] }),
  });
  expect(await other.held(["nuts"])).toEqual(["nuts"]);
  const busy = node({ limits: { rows: 1, remembered: 1 } });
  expect(await busy.held(["nuts"])).toEqual(["nuts"]);
  world.delete("outside.send");
  for (const id of ["w0", "w1"]) {
    driver.drive(refTo(driver, id));
    await comesTo(driver, "completed", id);
  }
  expect(await driver.held(["w1", "bolts", "nuts"])).toEqual([]);
});

describe("a bug is that saga's alone", () => {
  test("P5 an answer that JSON cannot hold is none: others go on, and past the patience it is parked", async () => {
    world.set("outside.send", ({ wish: id }) => (id === "w1" ? { n: 1n } : {}));
    const driver = node({ limits: { stuckAfterMs: 100 } });
    await Promise.all(["w1", "w2"].map(id => driver.start(Fulfilment, wish(id))));
    await comesTo(driver, "completed", "w2");
    expect((await comesTo(driver, "stuck")).stuck).toMatch(/send: .*BigInt/);
  });

  test("P5 a definition that throws at the start makes a parked saga, not a dead letter", async () => {
    const saga = defineSaga("fulfilment", {
      startedBy: "wish.made",
      otherwise: ["wishes.fail", () => ({ id: "x", reason: "x" })],
    }).step("book", "wishes.book", () => {
      throw new Error("no such line");
    });
    const driver = node({ saga });
    await driver.start(saga, wish("w1"));
    expect((await comesTo(driver, "stuck")).stuck).toMatch(/step book: .* no such line/);
    expect(log).toEqual([expect.stringMatching(/saga fulfilment\.w1 is stuck.*no such line/)]);
  });

  test("P5 what the journal cannot take parks its saga with the reason", async () => {
    const choosy = Object.create(store) as EventStore;
    choosy.append = (append: Append, settle: (verdict: Verdict) => void) =>
      append.events.some(({ data }) => data.includes("indigestible"))
        ? settle({ kind: "failed", error: new Bug("TOO_LARGE", "of 3 MB") })
        : store.append(append, settle);
    for (const name of ["load", "readStream", "findCommand", "saveSnapshot"] as const)
      choosy[name] = ((...args: never[]) => (store[name] as (...args: never[]) => unknown)(...args)) as never;
    world.set("outside.send", () => ({ tale: "indigestible" }));
    const driver = node({ on: choosy });
    await driver.start(Fulfilment, wish("w1"));
    expect((await comesTo(driver, "stuck")).stuck).toMatch(/journal does not take .*TOO_LARGE: of 3 MB/);
  });
});
