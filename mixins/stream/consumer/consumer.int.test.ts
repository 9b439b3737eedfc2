import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { metricOf, newBrokers } from "../../testing/broker.ts";
import { until } from "../../testing/index.ts";
import { Reactors } from "../mixin.ts";
import { consumersOf, type Consumer } from "../siblings.ts";
import type { ServiceSchema } from "moleculer";
import { COMMAND_ID, Unavailable, type MetricDefinition } from "../../kernel/index.ts";
import type { Call } from "../../contract/index.ts";
import { defineReactor, type Reactor } from "../index.ts";
import { streamMetrics } from "../metrics.ts";
import { Lease } from "../sharing/lease.ts";
import { partitionName, partitionOf } from "../sharing/partitions.ts";
import { Source } from "../log/source.fixture.ts";
import { TYPES, applied, appliedIn, consuming, databaseIn, inside, statusIn, writer } from "./writer.fixture.ts";

let house: Awaited<ReturnType<typeof newBrokers>>;
let source: Source;

beforeEach(async () => {
  house = await newBrokers();
  source = new Source("things", "thing", TYPES);
});
afterEach(() => house.stop());

describe("reading a log", () => {
  test("P4 every event is applied once, in stream order, and again none after a restart", async () => {
    for (let i = 0; i < 1_200; i++) source.append(`${i % 7}`, TYPES[i % 3]!);
    const first = await house.start(source.schema(), consuming("readers", writer()));
    await applied(first, 1_200);
    await first.stop();
    source.append("0", "thing.used");
    const second = await house.start(source.schema(), consuming("readers", writer()));
    const seen = await applied(second, 1_201);
    expect(seen).toHaveLength(1_201);
    for (let stream = 0; stream < 7; stream++) {
      const versions = seen.filter(id => id.startsWith(`${stream}@`)).map(id => Number(id.split("@")[1]));
      expect(versions).toEqual(versions.map((_, i) => i + 1));
    }
  });

  test("an owner that starts later is found, and one that goes away is waited for", async () => {
    const broker = await house.start(consuming("readers", writer()));
    source.append("a", "thing.made");
    const owner = broker.createService(source.schema());
    await applied(broker, 1);
    await broker.destroyService(owner);
    source.append("a", "thing.used");
    broker.createService(source.schema());
    expect(await applied(broker, 2)).toEqual(["a@1", "a@2"]);
  });

  test("types that are not subscribed to are passed over and are no gaps", async () => {
    const schema = source.schema();
    const { readLog } = schema.actions as any;
    const holes: unknown[] = [];
    (schema.actions as any).readLog = (ctx: any) => {
      if (ctx.params.stream) holes.push(ctx.params.stream);
      return readLog(ctx);
    };
    const broker = await house.start(schema, consuming("readers", writer({ types: ["thing.ended"] })));
    source.append("a", "thing.made");
    source.append("a", "thing.used");
    source.append("a", "thing.ended");
    expect(await applied(broker, 1)).toEqual(["a@3"]);
    expect(holes).toEqual([]);
    expect(await (await databaseIn(broker)).knex("dead_letters")).toEqual([]);
  });

  test.each([
    ["of another actor", { actor: "loan", eventId: "loan.a@1" }],
    ["of another actor's type", { type: "loan.made" }],
  ])("an event %s is not taken, and does not hide the true owner's", async (_whose, forged) => {
    const loans = new Source("loans", "loan", ["loan.made"]);
    const types = [...TYPES, "loan.made"];
    source.append("a", "thing.made");
    source.tamper = events => events.map(event => ({ ...event, ...forged }) as typeof event);
    const broker = await house.start(source.schema(), loans.schema(), consuming("readers", writer({ types })));
    loans.append("a", "loan.made");
    expect(await applied(broker, 1)).toEqual(["a@1"]);
    const { events } = await statusIn(broker);
    expect(events).toBe(1);
    source.tamper = events => events;
    expect(await applied(broker, 2)).toHaveLength(2);
  });

  test("P4 an event that is delivered twice is applied once", async () => {
    source.tamper = events => events.flatMap(event => [event, event]);
    for (let i = 0; i < 5; i++) source.append("a", "thing.used");
    const broker = await house.start(source.schema(), consuming("readers", writer()));
    source.append("b", "thing.made");
    expect(await applied(broker, 6)).toEqual(["a@1", "a@2", "a@3", "a@4", "a@5", "b@1"]);
  });

  test("P4 a gap in the delivered events is read from the owner", async () => {
    source.tamper = events => events.filter(event => event.version % 3 !== 2);
    for (let i = 0; i < 7; i++) source.append("a", "thing.used");
    const broker = await house.start(source.schema(), consuming("readers", writer()));
    expect(await applied(broker, 7)).toEqual([1, 2, 3, 4, 5, 6, 7].map(version => `a@${version}`));
  });

  test("P4 a gap that is too large for one answer is read in several", async () => {
    source.streamPage = 2;
    source.tamper = events => events.filter(event => event.version === 8);
    for (let i = 0; i < 8; i++) source.append("a", "thing.used");
    const schema = source.schema();
    const { readLog } = schema.actions as any;
    const reads: number[] = [];
    (schema.actions as any).readLog = (ctx: any) => {
      if (ctx.params.stream) reads.push(ctx.params.stream.from);
      return readLog(ctx);
    };
    const broker = await house.start(schema, consuming("readers", writer()));
    expect(await applied(broker, 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map(version => `a@${version}`));
    // No event counted as missing, to be retried later.
    expect(reads).toEqual([1, 3, 5, 7]);
  });

  test("a version that the owner lacks parks its stream; others go on, and a retry repairs it", async () => {
    const lost = source.make("a", 2, "thing.used");
    source.append("a", "thing.made");
    source.log.push(source.make("a", 3, "thing.ended"));
    source.append("b", "thing.made");
    const broker = await house.start(source.schema(), consuming("readers", writer()));
    const { deadLetters } = await until(
      () => broker.call<any, object>("readers.deadLetters", {}),
      ({ deadLetters }) => deadLetters.length === 2,
    );
    expect(await appliedIn(broker)).toEqual(["a@1", "b@1"]);
    expect(deadLetters[0]).toMatchObject({ consumer: "writer", stream: "thing.a", version: 2, attempts: 5 });
    expect(deadLetters[0].error.message).toMatch(/missing/);
    source.log.push(lost);
    await broker.call("readers.retryDeadLetter", { id: deadLetters[0].id });
    expect(await applied(broker, 4)).toEqual(["a@1", "b@1", "a@2", "a@3"]);
  });

  /** A second node with the same consumers on the same database. */
  const twinOf = (consumer: Consumer) => house.start(source.schema(), consuming("readers", consumer));

  test("P4 of two consumers at the same time one loses and rolls back", async () => {
    for (let i = 0; i < 3_000; i++) source.append(`${i % 11}`, "thing.used");
    // Leases that are always free: both work at once.
    const careless = writer({ limits: { leaseMs: 0, batch: 50, retryMinMs: 5, retryMaxMs: 20 } });
    const broker = await house.start(source.schema(), consuming("readers", careless));
    await twinOf(careless);
    const seen = await applied(broker, 3_000);
    expect(new Set(seen).size).toBe(3_000);
    expect(seen).toHaveLength(3_000);
  });

  test("P4 a holder that is paused past its lease, and overtaken, applies nothing when it wakes", async () => {
    for (let i = 0; i < 20; i++) source.append("a", "thing.used");
    const pause = Promise.withResolvers<void>();
    const limits = { leaseMs: 100, lookMs: 20 };
    let paused = 0;
    const asleep = writer({
      limits,
      react: event => {
        if (event.version === 1) paused++;
        return pause.promise;
      },
    });
    const broker = await house.start(source.schema(), consuming("readers", asleep));
    await until(
      () => paused,
      count => count === 1,
    );
    const twin = await twinOf(writer({ limits }));
    // Its process goes on here and renews its leases, so the lease is given to the other node by hand.
    const { knex } = await databaseIn(broker);
    const member = await until(
      () => knex("leases").where("name", "like", "member/%").andWhere("holder", "like", `%/${twin.nodeID}`).first(),
      row => row !== undefined,
    );
    const name = `writer/${partitionName(partitionOf("thing.a", 16), 16)}`;
    await knex("leases").where({ name }).update({ holder: member.holder });
    await until(
      async () => appliedIn(broker),
      seen => seen.length === 20,
    );
    pause.resolve();
    source.append("a", "thing.used");
    await applied(broker, 21);
    await twin.stop();
    source.append("a", "thing.used");
    expect(await applied(broker, 22)).toEqual(Array.from({ length: 22 }, (_, i) => `a@${i + 1}`));
  });
});

describe("an event that fails", () => {
  const onlyA2 = (until: { healed: boolean }) => (id: string) =>
    !until.healed && id === "thing.a@2" ? new Error("poison") : undefined;

  test("parks its stream with a reason; others go on; a retry works through it in order", async () => {
    const heal = { healed: false };
    const broker = await house.start(source.schema(), consuming("readers", writer({}, onlyA2(heal))));
    for (let i = 0; i < 4; i++) source.append("a", "thing.used");
    source.append("b", "thing.used");
    const { deadLetters } = await until(
      () => broker.call<any, object>("readers.deadLetters", {}),
      ({ deadLetters }) => deadLetters.length === 3,
    );
    expect(deadLetters.map((letter: any) => letter.version)).toEqual([2, 3, 4]);
    expect(deadLetters[0]).toMatchObject({
      stream: "thing.a",
      type: "thing.used",
      error: { message: "poison" },
      attempts: 5,
    });
    source.append("a", "thing.ended");
    await until(
      () => broker.call<any, object>("readers.deadLetters", {}),
      ({ deadLetters }) => deadLetters.length === 4,
    );
    expect(await appliedIn(broker)).toEqual(["a@1", "b@1"]);
    expect(await statusIn(broker)).toMatchObject({ parkedStreams: 1, lagEvents: 0, state: "following" });

    heal.healed = true;
    expect(await broker.call("readers.retryDeadLetter", { id: deadLetters[1].id })).toMatchObject({ retried: true });
    expect(await applied(broker, 6)).toEqual(["a@1", "b@1", "a@2", "a@3", "a@4", "a@5"]);
    source.append("a", "thing.used");
    expect((await applied(broker, 7)).at(-1)).toBe("a@6");
    expect(await statusIn(broker)).toMatchObject({ parkedStreams: 0, retryingStreams: 0 });
    await expect(broker.call("readers.retryDeadLetter", { id: deadLetters[1].id })).rejects.toMatchObject({
      code: 404,
    });
  });

  test("is tried again after longer and longer pauses", async () => {
    const tries: number[] = [];
    const fails = (): Error => (tries.push(performance.now()), new Error("poison"));
    const limits = { attempts: 3, retryMinMs: 400, retryMaxMs: 10_000 };
    const broker = await house.start(source.schema(), consuming("readers", writer({ limits }, fails)));
    source.append("a", "thing.used");
    await until(
      () => statusIn(broker),
      ({ parkedStreams }) => parkedStreams === 1,
    );
    const [first, second, third] = tries as [number, number, number];
    expect(tries).toHaveLength(3);
    expect(second - first).toBeGreaterThan(150);
    expect(third - second).toBeGreaterThan(350);
  });

  test("an event that the owner cannot decode parks its stream", async () => {
    source.append("a", "thing.made");
    source.append("b", "thing.made");
    source.log[0] = { ...source.log[0]!, broken: "unknown type" };
    const broker = await house.start(source.schema(), consuming("readers", writer()));
    await until(
      () => statusIn(broker),
      ({ parkedStreams }) => parkedStreams === 1,
    );
    expect(await appliedIn(broker)).toEqual(["b@1"]);
  });

  test("stops the consumer if it is defined so, with the events before it applied; the next start tries again", async () => {
    const heal = { healed: false };
    const consumer = writer({ onPoison: "stop" }, onlyA2(heal));
    for (const stream of ["b", "a", "a", "b"]) source.append(stream, "thing.used");
    const broker = await house.start(source.schema(), consuming("readers", consumer));
    await until(
      () => statusIn(broker),
      ({ state }) => state === "stopped",
    );
    expect(await appliedIn(broker)).toEqual(["b@1", "a@1"]);
    await broker.stop();
    heal.healed = true;
    const next = await house.start(source.schema(), consuming("readers", consumer));
    expect(await applied(next, 4)).toEqual(["b@1", "a@1", "a@2", "b@2"]);
  });

  test("when too many streams have failed the consumer stops reading, and goes on when they are through", async () => {
    const heal = { healed: false };
    const down = (): unknown => (heal.healed ? undefined : new Unavailable("DOWN"));
    for (let i = 0; i < 40; i++) source.append(`${i}`, "thing.made");
    const limits = { batch: 5, failedStreamsMax: 10, retryMinMs: 5, retryMaxMs: 20 };
    const broker = await house.start(source.schema(), consuming("readers", writer({ limits }, down)));
    await until(
      () => statusIn(broker),
      ({ retryingStreams }) => retryingStreams === 10,
    );
    await until(
      async () => (await (await databaseIn(broker)).knex("parked_streams").min({ n: "attempts" }))[0]?.n,
      attempts => Number(attempts) > 7,
    );
    expect(await statusIn(broker)).toMatchObject({ retryingStreams: 10, parkedStreams: 0, lagEvents: 30 });
    heal.healed = true;
    expect(new Set(await applied(broker, 40)).size).toBe(40);
  });
});

describe("reactors", () => {
  /** Records the calls that it gets. */
  const target = (fails: (call: { id: string; commandId: string }) => unknown = () => undefined) => {
    const calls: { id: string; commandId: string }[] = [];
    const schema: ServiceSchema = {
      name: "target",
      actions: {
        hit(ctx: any) {
          const call = { id: ctx.params.id, commandId: ctx.headers[COMMAND_ID] };
          calls.push(call);
          const error = fails(call);
          if (error instanceof Error) throw error;
          return { id: call.id, version: 1 };
        },
      },
    };
    return { calls, schema };
  };
  const hitting = (name = "hitter"): Reactor =>
    defineReactor({
      name,
      on: {
        "thing.used": async (event: any, { call }: { call: Call }) => {
          await call("target.hit" as never, { id: event.stream } as never);
          await call("target.hit" as never, { id: `${event.stream}-again` } as never);
        },
      } as object,
    });

  test("P3 the n-th call of an event has the same command id each time, and a checkpoint comes after the calls", async () => {
    const { calls, schema } = target();
    source.append("a", "thing.made");
    source.append("a", "thing.used");
    const broker = await house.start(source.schema(), schema, { name: "readers", mixins: [Reactors(hitting())] });
    await until(
      () => calls.length,
      count => count === 2,
    );
    expect(calls).toEqual([
      { id: "a", commandId: "event:thing.a@2/hitter/1" },
      { id: "a-again", commandId: "event:thing.a@2/hitter/2" },
    ]);
    await until(
      () => statusIn(broker, "hitter"),
      ({ lagEvents }) => lagEvents === 0,
    );
    await broker.stop();
    await house.start(source.schema(), schema, { name: "readers", mixins: [Reactors(hitting())] });
    source.append("b", "thing.used");
    await until(
      () => calls.length,
      count => count === 4,
    );
    expect(calls[2]).toEqual({ id: "b", commandId: "event:thing.b@1/hitter/1" });
  });

  test("a call that is unavailable is repeated for ever under its id, in order, while other streams go on", async () => {
    const state = { down: true };
    const { calls, schema } = target(({ id }) => (state.down && id === "a" ? new Unavailable("DOWN") : undefined));
    const broker = await house.start(source.schema(), schema, { name: "readers", mixins: [Reactors(hitting())] });
    source.append("a", "thing.used");
    source.append("a", "thing.used");
    source.append("b", "thing.used");
    await until(
      () => calls.filter(({ id }) => id === "a").length,
      tries => tries > 5,
      20_000,
    );
    expect(calls.filter(({ id }) => id.startsWith("b"))).toHaveLength(2);
    expect(new Set(calls.filter(({ id }) => id === "a").map(({ commandId }) => commandId))).toEqual(
      new Set(["event:thing.a@1/hitter/1"]),
    );
    expect(await statusIn(broker, "hitter")).toMatchObject({ parkedStreams: 0, retryingStreams: 1 });
    state.down = false;
    await until(
      () => calls.at(-1)?.commandId,
      id => id === "event:thing.a@2/hitter/2",
      20_000,
    );
  });

  test("several mixins of one service share one set of consumers and one set of operations", async () => {
    const { schema } = target();
    const both = { name: "readers", mixins: [Reactors(hitting("one")), Reactors([hitting("two")])] };
    const broker = await house.start(source.schema(), schema, both);
    const { consumers } = await broker.call<any, object>("readers.consumers", {});
    expect(consumers.map((consumer: any) => consumer.name).sort()).toEqual(["one", "two"]);
    expect(inside(broker).metadata).toMatchObject({ consumers: { one: true, two: true } });
  });
});

describe("metrics", () => {
  test("tell the lag of each consumer, in events and in time, and how many streams are parked", async () => {
    const broker = await house.start(
      source.schema(),
      consuming(
        "readers",
        writer({}, id => (id === "thing.bad@1" ? new Error("poison") : undefined)),
      ),
    );
    const gauge = (metric: MetricDefinition) => metricOf(broker, metric, { service: "readers", consumer: "writer" });
    const measured = (metric: MetricDefinition, holds: (value: number) => boolean) =>
      until(
        () => gauge(metric),
        value => value !== undefined && holds(value),
      );
    source.append("bad", "thing.made");
    source.append("a", "thing.made");
    await measured(streamMetrics.deadLetters, parked => parked === 1);
    await measured(streamMetrics.lagEvents, events => events === 0);
    expect(await gauge(streamMetrics.lagSeconds)).toBe(0);
    source.tamper = () => {
      throw new Error("the owner is away");
    };
    for (let i = 0; i < 3; i++) source.append("a", "thing.used");
    await measured(streamMetrics.lagEvents, events => events === 3);
    await measured(streamMetrics.lagSeconds, seconds => seconds > 0);
  });
});

describe("leases", () => {
  test("one holder has it; a paused holder loses it and notices; a released lease is free at once", async () => {
    const broker = await house.start(consuming("readers"));
    const { database } = await consumersOf(inside(broker));
    const [first, second] = [new Lease(database, "work", 60), new Lease(database, "work", 60)];
    expect(await first.hold()).toBe(true);
    expect(await second.hold()).toBe(false);
    await until(
      () => second.hold(),
      held => held,
    );
    await until(
      () => first.hold(),
      held => !held,
    );
    await second.release();
    expect(await first.hold()).toBe(true);
  });

  test("one of two that take it at the same time gets it, whether it is new or free again", async () => {
    const broker = await house.start(consuming("readers"));
    const { database } = await consumersOf(inside(broker));
    const leases = [new Lease(database, "work", 60_000), new Lease(database, "work", 60_000)];
    for (const _ of ["new", "free again"]) {
      const held = await Promise.all(leases.map(lease => lease.hold()));
      expect(held.filter(Boolean)).toHaveLength(1);
      await Promise.all(leases.map(lease => lease.release()));
    }
  });

  test("a holder whose process is gone need not be waited for", async () => {
    const broker = await house.start(consuming("readers"));
    const { database } = await consumersOf(inside(broker));
    const { hostname } = await import("node:os");
    const { spawnSync } = await import("node:child_process");
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    const gone = new Lease(database, "work", 600_000, `${hostname()}/${pid}/other/1`);
    expect(await gone.hold()).toBe(true);
    expect(await new Lease(database, "work", 1_000).hold()).toBe(true);
    const elsewhere = new Lease(database, "other work", 600_000, `another-machine/${pid}/other/1`);
    expect(await elsewhere.hold()).toBe(true);
    expect(await new Lease(database, "other work", 1_000).hold()).toBe(false);
  });

  test("a lease from before the clock was put back by an hour is not waited for", async () => {
    const broker = await house.start(consuming("readers"));
    const { database } = await consumersOf(inside(broker));
    const elsewhere = new Lease(database, "work", 1_000, "another-machine/1/other/1");
    expect(await elsewhere.hold()).toBe(true);
    await database.knex("leases").update({ expires_at: database.knex.raw("expires_at + 3600000") });
    expect(await new Lease(database, "work", 1_000).hold()).toBe(true);
  });
});
