import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { consumersOf, STREAM_LIMITS } from "../stream/siblings.ts";
import type { ServiceBroker } from "moleculer";
import Type from "typebox";
import { until } from "../testing/index.ts";
import { newBrokers } from "../testing/broker.ts";
import { Source } from "../stream/log/source.fixture.ts";
import { defineProjection, type Projection } from "./index.ts";
import { Projections, type ProjectingService, type ProjectionHost, type ProjectionLimits } from "./mixin.ts";

const TYPES = ["thing.added", "thing.renamed", "thing.removed"];
let house: Awaited<ReturnType<typeof newBrokers>>;
let source: Source;
beforeEach(async () => {
  house = await newBrokers();
  source = new Source("things", "thing", TYPES);
});
afterEach(() => house.stop());

/** One row a thing, one a kind; the fold of the log is easy to say without a database. */
const things = (over: Partial<Projection> = {}, fails: (event: any) => unknown = () => undefined): Projection =>
  defineProjection({
    name: "things-by-kind",
    version: 1,
    tables: {
      things: {
        id: Type.String(),
        kind: Type.String(),
        size: Type.Integer(),
        name: Type.Optional(Type.String()),
        isBig: Type.Boolean(),
        tags: Type.Array(Type.String()),
      },
      kinds: { kind: Type.String(), things: Type.Integer(), size: Type.Integer() },
    },
    indexes: { things: [["kind", "id"]] },
    on: {
      "thing.added": async ({ stream, data, ...event }: any, { things, kinds }: any) => {
        const { kind, size } = data;
        const before = await things.find(stream);
        await things.upsert({ ...before, id: stream, kind, size, isBig: size > 50, tags: [kind, "new"] });
        if (await fails({ stream, data, ...event })) throw new Error("poison");
        if (before) {
          const old = await kinds.find(before.kind);
          await kinds.upsert({ ...old, things: old.things - 1, size: old.size - before.size });
        }
        const sum = (await kinds.find(kind)) ?? { kind, things: 0, size: 0 };
        await kinds.upsert({ ...sum, things: sum.things + 1, size: sum.size + size });
      },
      "thing.renamed": async ({ stream, data }: any, { things }: any) => {
        const thing = await things.find(stream);
        if (thing) await things.upsert({ ...thing, name: data.name });
      },
      "thing.removed": async ({ stream }: any, { things, kinds }: any) => {
        const thing = await things.find(stream);
        if (!thing) return;
        await things.remove(stream);
        const sum = await kinds.find(thing.kind);
        await kinds.upsert({ ...sum, things: sum.things - 1, size: sum.size - thing.size });
      },
    } as object,
    ...over,
  });

/** The log, by a fold of the test's own. */
function expected(log: readonly any[]) {
  const things = new Map<string, any>();
  for (const { type, stream, data } of log) {
    if (type === "thing.removed") things.delete(stream);
    else if (type === "thing.added") {
      const { kind, size } = data;
      const name = things.get(stream)?.name ?? null;
      things.set(stream, {
        id: stream,
        kind,
        size,
        name,
        isBig: size > 50,
        tags: JSON.stringify([kind, "new"]),
      });
    } else if (things.has(stream)) things.set(stream, { ...things.get(stream), name: data.name });
  }
  return [...things.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

let seed = 7;
const random = (n: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % n;
function someEvent(streams = 40): void {
  const type = TYPES[[0, 0, 1, 1, 2][random(5)]!]!;
  source.append(`${random(streams)}`, type, { kind: `k${random(5)}`, size: random(100), name: `n${random(100)}` });
}

const views = (projection: Projection, limits: Partial<ProjectionLimits> = {}) => ({
  name: "views",
  mixins: [Projections(projection, { lookMs: 20, ...limits })],
});
const serviceIn = (broker: ServiceBroker) => broker.getLocalService("views") as ProjectingService;
const hostIn = (broker: ServiceBroker): ProjectionHost => serviceIn(broker).projection("things-by-kind");
/** Rows as a reader makes them: SQLite has no booleans. */
const readable = (rows: any[]): any[] =>
  rows.map(row => ("isBig" in row ? { ...row, isBig: Boolean(row.isBig) } : row));
const rowsIn = async (broker: ServiceBroker, table = "things", key = "id"): Promise<any[]> =>
  readable(await hostIn(broker).table(table).orderBy(key));
const buildsIn = async (broker: ServiceBroker) =>
  (await broker.call<{ projections: any[] }, object>("views.projections", {})).projections;
const caughtUp = (broker: ServiceBroker) =>
  until(
    () => buildsIn(broker),
    builds => builds.every(({ lagEvents, events }) => lagEvents === 0 && events > 0),
  );

test("P4 the rows equal a fold of the log, in batches of any size", async () => {
  const projection = things();
  const broker = await house.start(source.schema(), views(projection));
  for (let round = 0; round < 40; round++) {
    for (let i = random(120); i >= 0; i--) someEvent();
    if (round % 5 === 0) await caughtUp(broker);
    else await new Promise(resolve => setImmediate(resolve));
  }
  await caughtUp(broker);
  const rows = await rowsIn(broker);
  expect(rows).toEqual(expected(source.log));
  const kinds = await rowsIn(broker, "kinds", "kind");
  for (const { kind, things, size } of kinds) {
    const own = rows.filter(row => row.kind === kind);
    expect({ things, size }).toEqual({ things: own.length, size: own.reduce((sum, row) => sum + row.size, 0) });
  }
});

test("a handler that throws leaves nothing of its event behind and parks the stream; others go on", async () => {
  const heal = { healed: false };
  const poison = (event: any) => !heal.healed && event.stream === "bad";
  const broker = await house.start(source.schema(), views(things({}, poison)));
  source.append("bad", "thing.added", { kind: "a", size: 1 });
  source.append("bad", "thing.renamed", { name: "later" });
  source.append("good", "thing.added", { kind: "a", size: 2 });
  const { deadLetters } = await until(
    () => broker.call<any, object>("views.deadLetters", {}),
    ({ deadLetters }) => deadLetters.length === 2,
  );
  expect(deadLetters[0]).toMatchObject({
    consumer: "things-by-kind@1",
    stream: "thing.bad",
    error: { message: "poison" },
  });
  expect((await rowsIn(broker)).map(row => row.id)).toEqual(["good"]);
  expect(await rowsIn(broker, "kinds", "kind")).toEqual([{ kind: "a", things: 1, size: 2 }]);
  await expect(hostIn(broker).waitFor("bad@1", 50)).rejects.toMatchObject({ type: "NOT_CAUGHT_UP", code: 503 });
  heal.healed = true;
  await broker.call("views.retryDeadLetter", { id: deadLetters[0].id });
  await hostIn(broker).waitFor("bad@2");
  expect(await rowsIn(broker)).toEqual(expected(source.log).sort((a, b) => (a.id < b.id ? -1 : 1)));
});

test("projections and tables of long names that begin alike have tables of their own", async () => {
  const long = "the-loans-of-each-member-by-month-and-by-the-branch-that-lent-them";
  const twin = (end: string): Projection =>
    defineProjection({
      name: `${long}-${end}`,
      version: 1,
      tables: {
        rows: { id: Type.String(), size: Type.Integer() },
        rows_too: { id: Type.String(), size: Type.Integer() },
      },
      indexes: { rows: [["size"]], rows_too: [["size"]] },
      on: {
        "thing.added": async ({ stream, data }: any, tables: any) => {
          await tables.rows.upsert({ id: `${end}-${stream}`, size: data.size });
          await tables.rows_too.upsert({ id: `${end}-${stream}-too`, size: data.size });
        },
      } as object,
    });
  const broker = await house.start(source.schema(), {
    name: "views",
    mixins: [Projections([twin("now"), twin("then")])],
  });
  source.append("a", "thing.added", { size: 7 });
  const service = broker.getLocalService("views") as unknown as ProjectingService;
  for (const end of ["now", "then"])
    for (const [table, id] of [
      ["rows", `${end}-a`],
      ["rows_too", `${end}-a-too`],
    ] as const)
      expect(
        await until(
          () => service.projection(`${long}-${end}`).table(table).select("id"),
          rows => rows.length > 0,
        ),
      ).toEqual([{ id }]);
});

describe("read-your-writes", () => {
  test("a read with a token waits until the rows hold that version", async () => {
    const broker = await house.start(source.schema(), views(things()));
    for (let i = 0; i < 30; i++) {
      const { version } = source.append("x", "thing.added", { kind: "a", size: i });
      await hostIn(broker).waitFor(`x@${version}`);
      expect((await rowsIn(broker))[0].size).toBe(i);
    }
  });

  test("it ends as NOT_CAUGHT_UP when it takes too long, also when the owner cannot say whether there is such a write", async () => {
    const broker = await house.start(source.schema(), views(things({}, ({ data }) => data.size === 2)));
    source.append("x", "thing.added", { kind: "a", size: 1 });
    await hostIn(broker).waitFor("x@1");
    source.append("x", "thing.added", { kind: "a", size: 2 });
    const late = { type: "NOT_CAUGHT_UP", code: 503, data: { outcome: "none" } };
    await expect(hostIn(broker).waitFor("x@2", 60)).rejects.toMatchObject(late);
    await broker.destroyService(broker.getLocalService("things"));
    await expect(hostIn(broker).waitFor("y@1", 60)).rejects.toMatchObject(late);
  });

  test("P6 a token that is none, or of a write that never was, is refused", async () => {
    const broker = await house.start(source.schema(), views(things()));
    source.append("x", "thing.added", { kind: "a", size: 1 });
    const refused = { type: "BAD_READ_TOKEN", code: 422, data: { errors: [{ field: "after" }] } };
    for (const token of ["x@2", "y@1", "x'; drop table things"])
      await expect(hostIn(broker).waitFor(token, 60)).rejects.toMatchObject(refused);
  });
});

describe("a token of a projection that reads several actors, which share ids", () => {
  /** Whether the delivery is held up. */
  let isHeld: boolean;
  let deliveries: Source;
  const parcels = (): Projection =>
    defineProjection({
      name: "things-by-kind",
      version: 1,
      tables: { things: { id: Type.String(), isDelivered: Type.Boolean() } },
      on: {
        "thing.added": async ({ stream }: any, { things }: any) =>
          things.upsert({ isDelivered: false, ...(await things.find(stream)), id: stream }),
        "delivery.made": async ({ stream }: any, { things }: any) => {
          if (isHeld) throw Object.assign(new Error("slow"), { retryable: true });
          await things.upsert({ ...(await things.find(stream)), id: stream, isDelivered: true });
        },
      } as object,
    });
  const isDelivered = async (broker: ServiceBroker): Promise<boolean> =>
    Boolean((await hostIn(broker).table("things").where({ id: "42" }).first())?.isDelivered);
  let broker: ServiceBroker;
  beforeEach(async () => {
    isHeld = true;
    deliveries = new Source("deliveries", "delivery", ["delivery.made"]);
    broker = await house.start(source.schema(), deliveries.schema(), views(parcels()));
    source.append("42", "thing.added");
    await hostIn(broker).waitFor("thing:42@1");
  });

  test("names its actor: another one's write of the same id and version does not satisfy it", async () => {
    deliveries.append("42", "delivery.made");
    await expect(hostIn(broker).waitFor("delivery:42@1", 60)).rejects.toMatchObject({ type: "NOT_CAUGHT_UP" });
    isHeld = false;
    await hostIn(broker).waitFor("delivery:42@1");
    expect(await isDelivered(broker)).toBe(true);
  });

  test("without an actor it waits for each that has written that version", async () => {
    await hostIn(broker).waitFor("42@1");
    deliveries.append("42", "delivery.made");
    setTimeout(() => (isHeld = false), 200);
    await hostIn(broker).waitFor("42@1");
    expect(await isDelivered(broker)).toBe(true);
    source.append("42", "thing.added");
    await hostIn(broker).waitFor("42@2");
  });

  test("a token of a version that was never written, or of an actor that is not in the list, is refused", async () => {
    const refused = { type: "BAD_READ_TOKEN", code: 422, data: { errors: [{ field: "after" }] } };
    for (const token of ["42@2", "delivery:42@1", "thing:42@2", "loan:42@1", ":42@1", "thing:@1"])
      await expect(hostIn(broker).waitFor(token, 60)).rejects.toMatchObject(refused);
  });
});

test("nodes that start at once make one first build", async () => {
  const brokers = await Promise.all([1, 2, 3].map(() => house.start(source.schema(), views(things()))));
  for (const broker of brokers) expect(await buildsIn(broker)).toMatchObject([{ version: 1, build: 1, state: "live" }]);
});

test("a value that a database would refuse parks its stream, not the batch", async () => {
  const broker = await house.start(source.schema(), views(things()));
  const bad = [{ size: 1.5 }, { size: 2 ** 60 }, { size: "9" }, { kind: "a\0" }, { kind: null }];
  for (const [i, wrong] of bad.entries()) source.append(`${i}`, "thing.added", { kind: "a", size: 1, ...wrong });
  source.append("good", "thing.added", { kind: "a", size: 2 });
  const { deadLetters } = await until(
    () => broker.call<any, object>("views.deadLetters", {}),
    ({ deadLetters }) => deadLetters.length === bad.length,
  );
  expect(deadLetters.map((letter: any) => letter.stream).sort()).toEqual(bad.map((_, i) => `thing.${i}`));
  expect((await rowsIn(broker)).map(({ id }) => id)).toEqual(["good"]);
});

test("any error of a handler parks its stream, and no other", async () => {
  const thrown: Record<string, unknown> = { text: "text", nothing: undefined, bare: Object.create(null) };
  const projection = things({}, ({ stream }) => {
    if (stream in thrown) throw thrown[stream];
  });
  const broker = await house.start(source.schema(), views(projection));
  for (const stream of [...Object.keys(thrown), "good"]) source.append(stream, "thing.added", { kind: "a", size: 1 });
  const { deadLetters } = await until(
    () => broker.call<any, object>("views.deadLetters", {}),
    ({ deadLetters }) => deadLetters.length === 3,
  );
  expect(Object.fromEntries(deadLetters.map(({ stream, error }: any) => [stream, error.message]))).toEqual({
    "thing.text": "text",
    "thing.nothing": "undefined",
    "thing.bare": "a value of type object",
  });
  expect((await rowsIn(broker)).map(({ id }) => id)).toEqual(["good"]);
});

test("a handler that never ends parks its stream; others go on, and other writes to the database too", async () => {
  const never = new Promise(() => {});
  const hanging = things({}, ({ stream }) => (stream.startsWith("bad") ? never : false));
  const broker = await house.start(source.schema(), views(hanging, { handlerMs: 20 }));
  for (let i = 0; i < 5; i++) source.append(`bad${i}`, "thing.added", { kind: "a", size: 1 });
  for (let i = 0; i < 20; i++) source.append(`good${i}`, "thing.added", { kind: "a", size: 1 });
  const { knex } = (await consumersOf(serviceIn(broker))).database;
  let slowestMs = 0;
  const deadLetters = await until(
    async () => {
      const began = performance.now();
      await knex("leases").where({ name: "nobody's" }).update({ epoch: 1 });
      slowestMs = Math.max(slowestMs, performance.now() - began);
      return (await broker.call<any, object>("views.deadLetters", {})).deadLetters;
    },
    letters => letters.length === 5,
  );
  expect(new Set(deadLetters.map(({ error }: any) => error.type))).toEqual(new Set(["HANDLER_HANGS"]));
  expect(slowestMs).toBeLessThan(2_000);
  await until(
    () => rowsIn(broker),
    rows => rows.length === 20,
  );
});

describe("rebuild", () => {
  test("builds beside the live tables, equals them, and replaces them while events go on", async () => {
    const broker = await house.start(source.schema(), views(things()));
    for (let i = 0; i < 2_500; i++) someEvent();
    await caughtUp(broker);
    const rebuild = () => broker.call<any, object>("views.rebuildProjection", { name: "things-by-kind" });
    const answers = await Promise.all([rebuild(), rebuild()]);
    for (const answer of answers) expect(answer).toMatchObject({ name: "things-by-kind", version: 1, build: 2 });
    expect(answers.filter(({ started }) => started)).toHaveLength(1);
    let switched = false;
    while (!switched) {
      for (let i = 0; i < 20; i++) someEvent();
      const version = source.log.filter(event => event.stream === "1").length;
      if (version > 0) await hostIn(broker).waitFor(`1@${version}`);
      switched = (await buildsIn(broker)).some(({ build, state }) => build === 2 && state === "live");
    }
    await caughtUp(broker);
    expect(await rowsIn(broker)).toEqual(expected(source.log));
    const { knex } = (await consumersOf(serviceIn(broker))).database;
    expect(readable(await knex("things_by_kind_v1_b2_things").orderBy("id"))).toEqual(expected(source.log));
    // The replaced build is still fed: a roll-back finds it complete.
    expect(readable(await knex("things_by_kind_v1_things").orderBy("id"))).toEqual(expected(source.log));
  });

  test("P4 after the log was put back from an older copy: by a reset, with the rows of this log alone, and once more", async () => {
    const limits = STREAM_LIMITS as { notInLogMs: number };
    const usual = limits.notInLogMs;
    limits.notInLogMs = 50;
    try {
      const broker = await house.start(source.schema(), views(things()));
      for (let i = 0; i < 300; i++) someEvent();
      await caughtUp(broker);
      for (let build = 2; build <= 3; build++) {
        source.restore(source.log.length - 100);
        for (let i = 0; i < 50; i++) someEvent();
        const [live] = await until(
          () => buildsIn(broker),
          builds => builds.some(({ stopped }) => stopped),
        );
        expect(live.stopped).toMatchObject([{ source: "things" }]);
        const name = build === 2 ? "things-by-kind@1" : "things-by-kind@1.2";
        const reset = (dryRun: boolean) => broker.call("views.resetConsumer", { name, to: "start", dryRun });
        expect(await reset(true)).toMatchObject({ rebuild: true, dryRun: true });
        expect(await buildsIn(broker)).toHaveLength(1);
        await reset(false);
        const builds = await until(
          () => buildsIn(broker),
          list => list.length === 1 && list[0].build === build,
        );
        expect(builds[0]).toMatchObject({ state: "live" });
        someEvent();
        await caughtUp(broker);
        expect(await rowsIn(broker)).toEqual(expected(source.log));
      }
    } finally {
      limits.notInLogMs = usual;
    }
  });

  test("goes on at its checkpoint after a restart", async () => {
    for (let i = 0; i < 3_000; i++) someEvent();
    const first = await house.start(source.schema(), views(things()));
    await caughtUp(first);
    source.tamper = events => {
      if (events.length > 0 && source.log.indexOf(events[0]!) >= 2_000) throw new Error("the owner is away");
      return events;
    };
    await first.call("views.rebuildProjection", { name: "things-by-kind" });
    const place = async (broker: ServiceBroker) =>
      (await consumersOf(serviceIn(broker))).database
        .knex("checkpoints")
        .where({ consumer: "things-by-kind@1.2" })
        .first();
    const reached = await until(
      () => place(first),
      row => Number(row?.cursor) > 0,
    );
    expect(Number(reached.cursor)).toBeLessThan(3_000);
    await first.stop();

    const from: string[] = [];
    source.tamper = events => events;
    const schema = source.schema();
    const readLog = (schema.actions as any).readLog;
    (schema.actions as any).readLog = (ctx: any) => {
      from.push(ctx.params.cursor);
      return readLog(ctx);
    };
    const second = await house.start(schema, views(things()));
    await until(
      () => buildsIn(second),
      builds => builds.some(({ build, state }) => build === 2 && state === "live"),
    );
    expect(from).not.toContain("");
    expect(await rowsIn(second)).toEqual(expected(source.log));
  });

  test("a raised version is built beside the old one, and reads no rows but its own", async () => {
    const first = await house.start(source.schema(), views(things()));
    for (let i = 0; i < 500; i++) someEvent();
    await caughtUp(first);
    await first.stop();
    source.tamper = () => {
      throw new Error("the owner is away");
    };
    const raised = things({ version: 2 });
    const second = await house.start(source.schema(), views(raised));
    const unbuilt = { type: "NOT_CAUGHT_UP", code: 503, retryable: true, data: { outcome: "none", elsewhere: true } };
    await expect(rowsIn(second)).rejects.toMatchObject(unbuilt);
    await expect(hostIn(second).waitFor("1@1")).rejects.toMatchObject(unbuilt);
    expect((await buildsIn(second)).map(({ version, state }) => [version, state])).toEqual([
      [1, "live"],
      [2, "building"],
    ]);
    source.tamper = events => events;
    await until(
      () => buildsIn(second),
      builds => builds.some(({ version, state }) => version === 2 && state === "live"),
    );
    someEvent();
    await until(
      () => rowsIn(second),
      rows => JSON.stringify(rows) === JSON.stringify(expected(source.log)),
    );
  });

  test("does not become live while a stream of it is aside that the live one holds", async () => {
    const state = { wrong: false };
    const broker = await house.start(source.schema(), views(things({}, event => state.wrong && event.stream === "3")));
    for (let i = 0; i < 200; i++) source.append(`${i % 5}`, "thing.added", { kind: "a", size: i });
    await caughtUp(broker);
    const warnings: string[] = [];
    serviceIn(broker).logger.warn = (line: unknown) => void warnings.push(String(line));
    state.wrong = true;
    await hostIn(broker).rebuild();
    const { deadLetters } = await until(
      () => broker.call<any, object>("views.deadLetters", {}),
      ({ deadLetters }) => deadLetters.length === 40,
    );
    await hostIn(broker).look();
    await hostIn(broker).look();
    expect((await buildsIn(broker)).map(({ state, blockedBy }) => [state, blockedBy])).toEqual([
      ["live", undefined],
      ["building", ["thing.3"]],
    ]);
    expect(warnings).toEqual([expect.stringMatching(/build 2 of version 1 cannot become live.*thing\.3/)]);
    state.wrong = false;
    await broker.call("views.retryDeadLetter", { id: deadLetters[0].id });
    await until(
      () => buildsIn(broker),
      builds => builds.at(-1)?.state === "live",
    );
    expect(await rowsIn(broker)).toEqual(expected(source.log));
  });

  test("a build that was replaced is dropped after its grace, with its checkpoint", async () => {
    const broker = await house.start(source.schema(), views(things(), { graceMs: 0 }));
    for (let i = 0; i < 100; i++) someEvent();
    await caughtUp(broker);
    await hostIn(broker).rebuild();
    const builds = await until(
      () => buildsIn(broker),
      builds => builds.length === 1 && builds[0].build === 2,
    );
    expect(builds[0]).toMatchObject({ state: "live", lagEvents: 0 });
    const { knex } = (await consumersOf(serviceIn(broker))).database;
    await until(
      () => knex("consumer_versions").where({ consumer: "things-by-kind@1" }),
      rows => rows.length === 0,
    );
    expect(await knex.schema.hasTable("things_by_kind_v1_things")).toBe(false);
    expect(await rowsIn(broker)).toEqual(expected(source.log));
  });
});
