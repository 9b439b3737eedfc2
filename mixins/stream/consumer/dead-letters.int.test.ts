// Events that a consumer could not handle: retried in today's shape, across releases, by groups.
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { metricOf, newBrokers } from "../../testing/broker.ts";
import { until } from "../../testing/index.ts";
import { Reactors } from "../mixin.ts";
import { defineReactor, type Reactor } from "../index.ts";
import { streamMetrics } from "../metrics.ts";
import type { Recorded } from "../../contract/index.ts";
import { Bug, Unavailable } from "../../kernel/index.ts";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import { Source } from "../log/source.fixture.ts";
import { type Failures, consumersOf, STREAM_LIMITS, type Consumer } from "../siblings.ts";
import { TYPES, consuming, databaseIn, inside, statusIn } from "./writer.fixture.ts";

let house: Awaited<ReturnType<typeof newBrokers>>;
let source: Source;
beforeEach(async () => {
  house = await newBrokers();
  source = new Source("things", "thing", TYPES);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await house.stop();
});

const poison = (): Error => new Error("poison");
const parkedIn = (broker: ServiceBroker, streams: number, name?: string) =>
  until(
    () => statusIn(broker, name),
    ({ parkedStreams }) => parkedStreams === streams,
  );
const lettersOf = async (broker: ServiceBroker): Promise<any[]> =>
  (await broker.call<any, object>("readers.deadLetters", {})).deadLetters;
/** A consumer that handles by `handle`, with short pauses. */
const handling = (handle: (event: Recorded) => unknown, over: Partial<Consumer> = {}): Consumer => ({
  name: "writer",
  types: TYPES,
  limits: { retryMinMs: 5, retryMaxMs: 20 },
  react: async event => handle(event),
  ...over,
});

test("an answer has no more bytes than a message of the bus may have, and a brief one has no events", async () => {
  const broker = await house.start(
    source.schema(),
    consuming(
      "readers",
      handling(() => {
        throw poison();
      }),
    ),
  );
  for (const stream of ["a", "b", "c", "d", "e"]) source.append(stream, "thing.used", { note: "x".repeat(100_000) });
  await parkedIn(broker, 5);
  const ask = (params: object) => broker.call<any, object>("readers.deadLetters", params);
  const { deadLetters: first, searchedTo } = await ask({});
  expect([first.length, searchedTo]).toEqual([2, first[1].id]);
  const { deadLetters: second } = await ask({ after: searchedTo, limit: 2 });
  const { deadLetters: last, ...rest } = await ask({ after: second[1].id });
  const shown = [...first, ...second, ...last].map(({ stream }) => stream);
  expect(shown).toHaveLength(5);
  expect(new Set(shown)).toEqual(new Set(["a", "b", "c", "d", "e"].map(name => `thing.${name}`)));
  expect(rest).toEqual({});
  const { deadLetters: all } = await ask({ brief: true });
  expect(all.map(({ event }: { event?: unknown }) => event)).toEqual(Array(5).fill(undefined));
});

describe("a retry", () => {
  /** Fails until it is healed; then keeps what it gets. */
  const patient = () => {
    const state = { healed: false, got: [] as unknown[] };
    const consumer = handling(event => {
      if (!state.healed) throw poison();
      state.got.push([event.eventId, event.data]);
    });
    return { state, consumer };
  };
  const inEuros = (event: any) => ({ ...event, data: { amount: { minor: event.data.cents, currency: "EUR" } } });

  test("gives the consumer the event in the shape that its owner gives it today, with the events behind it", async () => {
    const { state, consumer } = patient();
    const broker = await house.start(source.schema(), consuming("readers", consumer));
    for (const cents of [100, 200]) source.append("a", "thing.used", { cents });
    await parkedIn(broker, 1);
    // A letter is found by the trace that its event carries, among the newest ones.
    const traced = (text: string, newest = 100) =>
      broker.call<any, object>("readers.tracedLetters", { trace: text, newest, limit: 10 });
    const trace = "0af7651916cd43dd8448eb211c80319c";
    const carrying = { metadata: { traceparent: `00-${trace}-b7ad6b7169203331-01` } };
    const { knex } = await databaseIn(broker);
    await until(
      () => lettersOf(broker),
      letters => letters.length === 2,
    );
    const [letter] = await knex("dead_letters").orderBy("id");
    await knex("dead_letters")
      .where({ id: letter.id })
      .update({ event: JSON.stringify({ ...JSON.parse(letter.event), ...carrying }) });
    expect((await traced(trace)).deadLetters).toMatchObject([{ version: 1, consumer: "writer", event: carrying }]);
    expect((await traced("0".repeat(32))).deadLetters).toEqual([]);
    expect((await traced(trace, 1)).deadLetters).toEqual([]);
    // The owner is deployed with a new version of the event and its upcaster.
    source.log.splice(0, 2, ...source.log.map(inEuros));
    state.healed = true;
    const [first] = await lettersOf(broker);
    await broker.call("readers.retryDeadLetter", { id: first.id });
    await until(
      () => state.got.length,
      count => count === 2,
    );
    expect(state.got).toEqual([
      ["thing.a@1", { amount: { minor: 100, currency: "EUR" } }],
      ["thing.a@2", { amount: { minor: 200, currency: "EUR" } }],
    ]);
  });

  test("does not wait for an hour because the clock was put back by one", async () => {
    const { state, consumer } = patient();
    const broker = await house.start(source.schema(), consuming("readers", consumer));
    source.append("a", "thing.used", { cents: 1 });
    await parkedIn(broker, 1);
    state.healed = true;
    const { knex } = await databaseIn(broker);
    await knex("parked_streams").update({ state: "retrying", next_at: Date.now() + 3_600_000 });
    await until(
      () => state.got.length,
      count => count === 1,
    );
  });

  test("asks the owner for an event whose row cannot be read; the list says so, and no other stream waits", async () => {
    const { state, consumer } = patient();
    const broker = await house.start(source.schema(), consuming("readers", consumer));
    for (const stream of ["a", "b"]) source.append(stream, "thing.used", { of: stream });
    await parkedIn(broker, 2);
    const { knex } = await databaseIn(broker);
    await knex("dead_letters").where({ actor_stream: "thing.a" }).update({ event: "nonsense" });
    await knex("parked_streams").where({ actor_stream: "thing.a" }).update({ error: "nonsense" });
    expect(await lettersOf(broker)).toMatchObject([
      { stream: "thing.a", version: 1, type: "", error: { message: expect.stringContaining("cannot be read") } },
      { stream: "thing.b", version: 1, type: "thing.used", error: { message: "poison" } },
    ]);
    state.healed = true;
    for (const { id } of await lettersOf(broker)) await broker.call("readers.retryDeadLetter", { id });
    await until(
      () => state.got.length,
      count => count === 2,
    );
    expect((state.got as [string, unknown][]).toSorted(([one], [other]) => one.localeCompare(other))).toEqual([
      ["thing.a@1", { of: "a" }],
      ["thing.b@1", { of: "b" }],
    ]);
  });

  test("reads the stream page by page, however few events the owner puts into one", async () => {
    const { state, consumer } = patient();
    const schema = source.schema();
    const { readLog } = schema.actions as any;
    (schema.actions as any).readLog = (ctx: any) => {
      const page = readLog(ctx);
      return ctx.params.stream ? { ...page, events: page.events.slice(0, 2) } : page;
    };
    const broker = await house.start(schema, consuming("readers", consumer));
    for (const cents of [1, 2, 3, 4, 5]) source.append("a", "thing.used", { cents });
    await parkedIn(broker, 1);
    source.log.splice(0, 5, ...source.log.map(inEuros));
    state.healed = true;
    await broker.call("readers.retryDeadLetters", {});
    await until(
      () => state.got.length,
      count => count === 5,
    );
    expect(state.got.map(([, data]: any) => data.amount?.minor)).toEqual([1, 2, 3, 4, 5]);
  });

  test("gives it as it was read where the owner no longer has it", async () => {
    const { state, consumer } = patient();
    const schema = source.schema();
    const { readLog } = schema.actions as any;
    let isGone = false;
    (schema.actions as any).readLog = (ctx: any) =>
      isGone && ctx.params.stream ? { events: [], cursor: "" } : readLog(ctx);
    const broker = await house.start(schema, consuming("readers", consumer));
    source.append("a", "thing.used", { cents: 100 });
    await parkedIn(broker, 1);
    isGone = true;
    state.healed = true;
    const [first] = await lettersOf(broker);
    await broker.call("readers.retryDeadLetter", { id: first.id });
    await until(
      () => state.got.length,
      count => count === 1,
    );
    expect(state.got).toEqual([["thing.a@1", { cents: 100 }]]);
  });

  test("waits for an owner that is away, however long, and parks nothing because of it", async () => {
    const { state, consumer } = patient();
    const broker = await house.start(consuming("readers", consumer));
    const owner = broker.createService(source.schema());
    source.append("a", "thing.used", { cents: 100 });
    await parkedIn(broker, 1);
    const [first] = await lettersOf(broker);
    await broker.destroyService(owner);
    state.healed = true;
    await broker.call("readers.retryDeadLetter", { id: first.id });
    const { knex } = await databaseIn(broker);
    await until(
      () => knex("parked_streams").first(),
      row => row.attempts > STREAM_LIMITS.attempts,
    );
    expect(await knex("parked_streams").first()).toMatchObject({ state: "retrying", charged: 0 });
    broker.createService(source.schema());
    await until(
      () => state.got.length,
      count => count === 1,
    );
  });

  test("an unavailable service lengthens the pause, and is not charged to the event", async () => {
    const failures = [
      ...Array.from({ length: STREAM_LIMITS.attempts + 2 }, () => new Unavailable("DOWN")),
      ...Array.from({ length: STREAM_LIMITS.attempts - 1 }, poison),
    ];
    const got: string[] = [];
    const consumer = handling(event => {
      const failure = failures.shift();
      if (failure) throw failure;
      got.push(event.eventId);
    });
    const broker = await house.start(source.schema(), consuming("readers", consumer));
    source.append("a", "thing.used");
    await until(
      () => got,
      list => list.length > 0,
    );
    expect(failures).toEqual([]);
    expect(await lettersOf(broker)).toEqual([]);
  });
});

describe("an event that was postponed because of others", () => {
  test("was not tried: its stream's pause does not grow, whatever its number of postponements", async () => {
    let postponements = 12;
    const applied: string[] = [];
    const consumer: Consumer = {
      name: "writer",
      types: TYPES,
      // Twelve failures would double the pause to half a minute.
      limits: { retryMinMs: 10, retryMaxMs: 60_000 },
      async write(_trx, events) {
        const failures: Failures = new Map();
        for (const event of events)
          if (postponements-- > 0)
            failures.set("thing.a", { event, error: new Unavailable("LATER"), isPostponed: true });
          else applied.push(event.eventId);
        return failures;
      },
    };
    const broker = await house.start(source.schema(), consuming("readers", consumer));
    source.append("a", "thing.used");
    await until(
      () => applied.length,
      count => count > 0,
      10_000,
    );
    expect(applied).toEqual(["thing.a@1"]);
    await until(
      () => statusIn(broker),
      ({ retryingStreams }) => retryingStreams === 0,
    );
  });

  test("keeps the attempts that were made before, and is parked after those that are charged", async () => {
    let tries = 0;
    const consumer: Consumer = {
      name: "writer",
      types: TYPES,
      limits: { retryMinMs: 5, retryMaxMs: 20 },
      async write(_trx, [event]) {
        const isPostponed = ++tries % 2 === 0;
        return new Map(
          event && [["thing.a", { event, error: isPostponed ? new Unavailable("LATER") : poison(), isPostponed }]],
        );
      },
    };
    const broker = await house.start(source.schema(), consuming("readers", consumer));
    source.append("a", "thing.used");
    await parkedIn(broker, 1);
    expect(await lettersOf(broker)).toMatchObject([{ attempts: STREAM_LIMITS.attempts, error: { message: "poison" } }]);
    expect(tries).toBe(2 * STREAM_LIMITS.attempts - 1);
  });
});

describe("two releases of the owner at once", () => {
  /** A node of the owner that does not know the event type: it gives the raw event. */
  const older = (marks: object): ServiceSchema => {
    const schema = source.schema();
    const { readLog } = schema.actions as any;
    const unknown = (event: any) =>
      event.type === "thing.used"
        ? { ...event, data: '{"raw":1}', broken: 'unknown event type "thing.used"', ...marks }
        : event;
    (schema.actions as any).readLog = (ctx: any) => {
      const page = readLog(ctx);
      return { ...page, events: page.events.map(unknown) };
    };
    return schema;
  };
  beforeEach(() => void (house.options.transporter = "Fake"));

  test.each([
    ["this release", { isNewer: true }],
    ["the release before", {}],
  ])("an event that a node of %s cannot decode is read from one that can", async (_release, marks) => {
    const got: unknown[] = [];
    const consumer = handling(event => got.push([event.eventId, event.data]));
    await house.start(source.schema());
    const broker = await house.start(older(marks), consuming("readers", consumer));
    source.append("a", "thing.made", { n: 1 });
    source.append("a", "thing.used", { n: 2 });
    await until(
      () => got.length,
      count => count === 2,
    );
    expect(got).toEqual([
      ["thing.a@1", { n: 1 }],
      ["thing.a@2", { n: 2 }],
    ]);
    expect(await (await databaseIn(broker)).knex("parked_streams")).toEqual([]);
  });

  test("an event that no node can decode yet waits, unparked, with the events behind it; other streams go on", async () => {
    const got: string[] = [];
    const consumer = handling(event => got.push(event.eventId));
    const broker = await house.start(older({ isNewer: true }), consuming("readers", consumer));
    source.append("a", "thing.used");
    source.append("a", "thing.ended");
    source.append("b", "thing.made");
    const { knex } = await databaseIn(broker);
    const row = await until(
      () => knex("parked_streams").first(),
      row => row?.attempts > STREAM_LIMITS.attempts,
    );
    expect(row).toMatchObject({ state: "retrying", charged: 0 });
    expect(JSON.parse(row.error)).toMatchObject({ type: "UNREADABLE_HERE" });
    expect(got).toEqual(["thing.b@1"]);
    await house.start(source.schema());
    await until(
      () => got.length,
      count => count === 3,
    );
    expect(got).toEqual(["thing.b@1", "thing.a@1", "thing.a@2"]);
  });
});

describe("a node that leaves", () => {
  test.each<[string, (broker: ServiceBroker) => Promise<unknown>]>([
    ["its consumers stop", async broker => (await consumersOf(inside(broker))).stop()],
    ["its broker stops, and what they call with it", broker => broker.stop()],
  ])("what fails while %s is not charged to the event", async (_what, leave) => {
    const began = Promise.withResolvers<void>();
    const failing = Promise.withResolvers<void>();
    const consumer = handling(async () => {
      began.resolve();
      await failing.promise;
      throw poison();
    });
    // Its database is read after it has stopped.
    const broker = await house.start(source.schema(), consuming("readers", consumer));
    source.append("a", "thing.used");
    await began.promise;
    const stopped = leave(broker);
    await new Promise(resolve => setImmediate(resolve));
    failing.resolve();
    await stopped;
    const next = await house.start(consuming("readers"));
    const { knex } = await databaseIn(next);
    expect(await knex("parked_streams")).toEqual([]);
    expect(await knex("dead_letters")).toEqual([]);
    expect(await knex("checkpoints").first()).toMatchObject({ cursor: "" });
  });
});

describe("a thousand parked streams", () => {
  test("a group of them goes back to work at once, by consumer, error and age, in order and at a bounded rate", async () => {
    jest.replaceProperty(STREAM_LIMITS, "unparkedPerSecond", 10);
    const state = { healed: false };
    const got: string[] = [];
    const consumer = handling(event => {
      if (!state.healed) throw event.stream === "odd" ? new Bug("ODD", "odd") : poison();
      got.push(event.eventId);
    });
    const broker = await house.start(source.schema(), consuming("readers", consumer));
    source.append("odd", "thing.made");
    for (const type of TYPES) for (let i = 0; i < 15; i++) source.append(`s${i}`, type);
    await parkedIn(broker, 16);
    const retry = (params: object) => broker.call<any, object>("readers.retryDeadLetters", params);
    for (const none of [{ consumer: "other" }, { error: "OD" }, { error: "ODD%" }, { olderThanMs: 3_600_000 }])
      expect(await retry(none)).toEqual({ retried: [] });

    const count = { consumer: "writer", oldest: expect.any(String), newest: expect.any(String) };
    const { counts, isPartial } = await broker.call<any, object>("readers.deadLetterCounts", {});
    expect(counts).toEqual([
      { ...count, error: "ERROR", message: "poison", streams: 15, letters: 45, newestId: expect.any(String) },
      { ...count, error: "ODD", message: "odd", streams: 1, letters: 1, newestId: expect.any(String) },
    ]);
    expect(isPartial).toBe(false);
    const letters = async (params: object) =>
      (await broker.call<any, object>("readers.deadLetters", params)).deadLetters.map(({ stream }: any) => stream);
    expect(await letters({ error: "ODD" })).toEqual(["thing.odd"]);
    expect(await letters({ error: "ODD", consumer: "other" })).toEqual([]);
    const dry = { consumer: "writer", dryRun: true };
    expect(await retry({ ...dry, error: "ODD" })).toEqual({
      retried: [{ consumer: "writer", streams: 1, sample: ["thing.odd"] }],
    });
    expect(await retry(dry)).toMatchObject({ retried: [{ streams: 16 }] });

    state.healed = true;
    expect(await retry({ error: "ODD" })).toMatchObject({ retried: [{ consumer: "writer", streams: 1 }] });
    await parkedIn(broker, 15);
    const began = performance.now();
    expect(await retry({ consumer: "writer", olderThanMs: 0 })).toMatchObject({
      retried: [{ consumer: "writer", streams: 15 }],
    });
    await until(
      () => got.length,
      count => count === 46,
    );
    expect(performance.now() - began).toBeGreaterThan(900);
    for (let i = 0; i < 15; i++)
      expect(got.filter(id => id.startsWith(`thing.s${i}@`))).toEqual(
        [1, 2, 3].map(version => `thing.s${i}@${version}`),
      );
    // The last ones are taken out of the list a moment after they were applied.
    const status = await until(
      () => statusIn(broker),
      ({ retryingStreams }) => retryingStreams === 0,
    );
    expect(status).toMatchObject({ parkedStreams: 0, retryingStreams: 0 });
  });

  test("another release tries each once more by itself; the same release, and the ones before it, do not", async () => {
    let tries: string[] = [];
    const consumer = (definition = ""): Consumer =>
      handling(
        event => {
          tries.push(event.eventId);
          throw poison();
        },
        { definition },
      );
    const startWith = async (release: string, definition?: string): Promise<ServiceBroker> => {
      house.variables["RELEASE"] = release;
      tries = [];
      return house.start(source.schema(), consuming("readers", consumer(definition)));
    };
    for (const stream of ["a", "b"]) source.append(stream, "thing.made");
    const first = await startWith("1");
    await parkedIn(first, 2);
    expect(tries).toHaveLength(2 * STREAM_LIMITS.attempts);
    await first.stop();
    for (const [release, definition, expected] of [
      ["1", "", 0],
      ["2", "", 2],
      ["2", "", 0],
      ["1", "", 0],
      ["2", "event => mended(event)", 2],
    ] as const) {
      const next = await startWith(release, definition);
      const last = source.append("c", "thing.used").eventId;
      await until(
        () => tries.includes(last),
        seen => seen,
      );
      await parkedIn(next, 3);
      expect([release, definition, tries.filter(id => /[ab]@/.test(id)).length]).toEqual([
        release,
        definition,
        expected,
      ]);
      await (await databaseIn(next)).knex("parked_streams").where("actor_stream", "thing.c").delete();
      await (await databaseIn(next)).knex("dead_letters").where("actor_stream", "thing.c").delete();
      await next.stop();
    }
  });

  test("a consumer that reads no further because of them shows it in its state, its log and its metrics", async () => {
    const state = { healed: false };
    const consumer = handling(
      () => {
        if (!state.healed) throw poison();
      },
      { limits: { failedStreamsMax: 3, batch: 2, retryMinMs: 5, retryMaxMs: 20 } },
    );
    const broker = await house.start(source.schema(), consuming("readers", consumer));
    const { logger } = inside(broker);
    const [error, info] = [jest.spyOn(logger, "error"), jest.spyOn(logger, "info")];
    const gauge = () => metricOf(broker, streamMetrics.full, { service: "readers", consumer: "writer" });
    for (let i = 0; i < 6; i++) source.append(`${i}`, "thing.made");
    await until(
      () => statusIn(broker),
      ({ state }) => state === "full",
    );
    await until(gauge, value => value === 1);
    const told = () => error.mock.calls.map(([text]) => String(text)).filter(text => text.includes("reads no further"));
    await until(told, texts => texts.length > 0);
    expect(told()).toEqual([expect.stringMatching(/consumer writer on things .* 4 streams have failed/)]);
    state.healed = true;
    await until(
      async () => (await broker.call<any, object>("readers.retryDeadLetters", {}), statusIn(broker)),
      ({ state, lagEvents, retryingStreams, parkedStreams }) =>
        state === "following" && lagEvents === 0 && retryingStreams + parkedStreams === 0,
    );
    expect(info.mock.calls.map(([text]) => text)).toContain("consumer writer on things reads on");
    await until(gauge, value => value === 0);
  });
});

describe("the author's code", () => {
  const unreadable = Object.defineProperty(new Error(), "message", {
    get() {
      throw new Error("a getter");
    },
  });
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  const wrong: Record<string, (event: any, tools: any) => unknown> = {
    "throws at once": () => {
      throw poison();
    },
    "throws nothing": () => {
      throw undefined;
    },
    "throws a symbol": () => {
      throw Symbol("odd");
    },
    "throws what no text can be made of": () => {
      throw Object.create(null);
    },
    "throws an error whose message throws": () => {
      throw unreadable;
    },
    "throws a long message": () => {
      throw new Error("x".repeat(100_000));
    },
    "never settles": () => new Promise(() => {}),
    "calls with a BigInt": (_event, { call }) => call("target.hit", { id: "a", n: 1n }),
    "calls with a cycle": (_event, { call }) => call("target.hit", { id: "a", cyclic }),
  };

  test("that fails in a reactor fails its event alone, with a reason; others go on", async () => {
    jest.replaceProperty(STREAM_LIMITS, "reactMs", 50);
    for (const [limit, ms] of [
      ["retryMinMs", 5],
      ["retryMaxMs", 20],
    ] as const)
      jest.replaceProperty(STREAM_LIMITS, limit, ms);
    const got: string[] = [];
    const reactor = defineReactor({
      name: "odd",
      on: {
        "thing.made": async (event: any) => got.push(event.stream),
        "thing.used": (event: any, tools: any) => wrong[event.data.how]!(event, tools),
      } as unknown as Reactor["on"],
    });
    house.options.transporter = "Fake";
    // Over a wire, so that the params of a call have to be written as JSON.
    await house.start({ name: "target", actions: { hit: () => ({}) } });
    const broker = await house.start(source.schema(), { name: "readers", mixins: [Reactors(reactor)] });
    await broker.waitForServices("target");
    const warn = jest.spyOn(inside(broker).logger, "warn");
    for (const how of Object.keys(wrong)) source.append(how.replaceAll(" ", "-"), "thing.used", { how });
    source.append("fine", "thing.made");
    const count = Object.keys(wrong).length;
    await parkedIn(broker, count, "odd");
    expect(got).toEqual(["fine"]);
    expect(warn.mock.calls.map(([text]) => text)).toContain(
      "consumer odd: thing.never-settles@1 was not handled within 50 ms",
    );
    for (const { error, stream } of await lettersOf(broker)) {
      expect([stream, error.type]).toEqual([stream, expect.any(String)]);
      expect(error.message.length).toBeLessThanOrEqual(2_000);
    }
  });
});
