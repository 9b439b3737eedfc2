// Two versions of a projection side by side: what each node reads, whichever version the pointer names, in a roll-out,
// in a roll-back, and while builds are switched and dropped.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { consumersOf } from "../stream/siblings.ts";
import type { ServiceBroker } from "moleculer";
import Type from "typebox";
import { until } from "../testing/index.ts";
import { newBrokers } from "../testing/broker.ts";
import { Nats } from "../testing/servers.ts";
import type { Database } from "../database/index.ts";
import { Source } from "../stream/log/source.fixture.ts";
import { Builds, type Build } from "./builds.ts";
import { defineProjection, type Projection } from "./index.ts";
import { Projections, type ProjectingService, type ProjectionLimits } from "./mixin.ts";
import { shapesOf } from "./shape.ts";

let house: Awaited<ReturnType<typeof newBrokers>>;
let source: Source;
beforeEach(async () => {
  house = await newBrokers();
  source = new Source("things", "thing", ["thing.added"]);
});
afterEach(() => house.stop());

/** Version 2 has a column that version 1 lacks, and another meaning of `size`. */
const sizes = (version: 1 | 2 | 3, fails: (event: any) => boolean = () => false): Projection =>
  defineProjection({
    name: "sizes",
    version,
    tables: {
      things: {
        id: Type.String(),
        size: version === 1 ? Type.Integer() : Type.String(),
        ...(version > 1 && { kind: Type.String() }),
      },
    },
    on: {
      "thing.added": async ({ stream, data, ...event }: any, { things }: any) => {
        if (fails({ stream, data, ...event })) throw Object.assign(new Error("slow"), { retryable: true });
        const { size } = data;
        await things.upsert(version === 1 ? { id: stream, size } : { id: stream, size: `${size} cm`, kind: "k" });
      },
    } as object,
  });

/** A node of a release: it answers with the rows as its own version knows them. */
function startNode(projection: Projection, limits: Partial<ProjectionLimits> = {}): Promise<ServiceBroker> {
  const columns = projection.version === 1 ? ["id", "size"] : ["id", "size", "kind"];
  return house.start(source.schema(), {
    name: "views",
    mixins: [Projections(projection, { lookMs: 20, waitMs: 100, ...limits })],
    actions: {
      async read({ params: { after } }: { params: { after?: string } }) {
        const sizes = (this as unknown as ProjectingService).projection("sizes");
        const from = after === undefined ? undefined : await sizes.waitFor(after);
        const rows = await sizes.table("things", from).select(columns).orderBy("id");
        return rows.map(row => ({ ...row }));
      },
    },
  });
}
const read = (node: ServiceBroker, after?: string): Promise<any> => node.call("views.read", { after });
const hostIn = (node: ServiceBroker) => (node.getLocalService("views") as ProjectingService).projection("sizes");
const databaseIn = async (node: ServiceBroker): Promise<Database> =>
  (await consumersOf(node.getLocalService("views"))).database;
const liveIn = async (node: ServiceBroker): Promise<[number, number]> => {
  const live = (await hostIn(node).status()).find(({ state }) => state === "live")!;
  return [live.version, live.build];
};
const isLive = (node: ServiceBroker, version: number): Promise<unknown> =>
  until(
    () => liveIn(node),
    live => live[0] === version,
  );
/** An event that every node which reads has in its rows. */
async function add(id: string, size: number, ...nodes: ServiceBroker[]): Promise<void> {
  const { version } = source.append(id, "thing.added", { size });
  for (const node of nodes)
    await until(
      () => read(node, `${id}@${version}`).catch(() => undefined),
      rows => rows !== undefined,
    );
}
const unbuilt = { type: "NOT_CAUGHT_UP", code: 503, retryable: true, data: { outcome: "none" } };
const v1 = (...sizes: number[]) => sizes.map((size, i) => ({ id: `${i}`, size }));
const v2 = (...sizes: number[]) => sizes.map((size, i) => ({ id: `${i}`, size: `${size} cm`, kind: "k" }));

describe("which rows a node reads, by its version and the live one's", () => {
  test("a roll-out: old nodes go on with theirs all the time, new ones answer from the switch on", async () => {
    let isBlocked = true;
    const old = await startNode(sizes(1));
    await add("0", 5, old);
    const young = await startNode(sizes(2, () => isBlocked));
    // The pointer names version 1.
    await expect(read(young)).rejects.toMatchObject(unbuilt);
    await expect(read(young, "0@1")).rejects.toMatchObject(unbuilt);
    await add("1", 6, old);
    expect(await read(old)).toEqual(v1(5, 6));
    expect(await liveIn(old)).toEqual([1, 1]);

    isBlocked = false;
    await isLive(young, 2);
    // The pointer names version 2.
    await add("2", 7, old, young);
    expect(await read(young)).toEqual(v2(5, 6, 7));
    expect(await read(old)).toEqual(v1(5, 6, 7));
  });

  test("a roll-back: the old nodes answer at once, complete, and theirs are the live rows again when the new nodes are gone", async () => {
    const old = await startNode(sizes(1));
    const young = await startNode(sizes(2));
    await isLive(young, 2);
    await add("0", 5, old, young);
    await old.stop();
    await add("1", 6, young);
    const again = await startNode(sizes(1));
    await add("2", 7, again, young);
    expect(await read(again)).toEqual(v1(5, 6, 7));
    expect(await liveIn(again)).toEqual([2, 1]);
    await young.stop();
    await isLive(again, 1);
    await add("3", 8, again);
    expect(await read(again)).toEqual(v1(5, 6, 7, 8));
    // And forward once more: its rows are still there.
    const third = await startNode(sizes(2));
    await add("4", 9, again, third);
    expect(await read(third)).toEqual(v2(5, 6, 7, 8, 9));
    await again.stop();
    await isLive(third, 2);
  });

  test("a roll-back after the old rows are dropped builds them anew, and takes over only from nodes that are gone", async () => {
    const old = await startNode(sizes(1));
    await add("0", 5, old);
    await old.stop();
    const young = await startNode(sizes(2), { graceMs: 0 });
    await until(
      () => hostIn(young).status(),
      builds => builds.length === 1 && builds[0]!.version === 2,
    );
    const again = await startNode(sizes(1));
    await until(
      () => hostIn(again).status(),
      builds => builds.every(({ lagEvents, events }) => lagEvents === 0 && events === 1),
    );
    await hostIn(again).look();
    expect(await liveIn(again)).toEqual([2, 1]);
    await expect(read(again)).rejects.toMatchObject(unbuilt);
    expect(await read(young)).toEqual(v2(5));
    await young.stop();
    await isLive(again, 1);
    expect(await read(again)).toEqual(v1(5));
  });

  test("the rows of nodes that still run are not dropped, however long the roll-out takes", async () => {
    const old = await startNode(sizes(1));
    await add("0", 5, old);
    const young = await startNode(sizes(2), { graceMs: 0 });
    await isLive(young, 2);
    for (let i = 0; i < 3; i++) await hostIn(young).look();
    await add("1", 6, old, young);
    expect(await read(old)).toEqual(v1(5, 6));
    await old.stop();
    await until(
      () => hostIn(young).status(),
      builds => builds.length === 1,
    );
    const { knex } = await databaseIn(young);
    expect(await knex.schema.hasTable("sizes_v1_things")).toBe(false);
    expect(await knex("consumer_versions").where({ consumer: "sizes@1" })).toEqual([]);
  });

  test("rows that another release has dropped under a node are built anew", async () => {
    const old = await startNode(sizes(1));
    const young = await startNode(sizes(2));
    await isLive(young, 2);
    await add("0", 5, old, young);
    const database = await databaseIn(young);
    // As a release did that dropped a build after the grace, with or without readers.
    await database.transaction(async trx => {
      await trx("projection_builds").where({ name: "sizes", version: 1 }).delete();
      await trx.schema.dropTable("sizes_v1_things");
    });
    await until(
      () => hostIn(old).status(),
      builds => builds.some(({ version, state, events }) => version === 1 && state === "building" && events === 1),
    );
    await expect(read(old)).rejects.toMatchObject(unbuilt);
    await young.stop();
    await isLive(old, 1);
    expect(await read(old)).toEqual(v1(5));
  });

  test("a version that is begun does not end one that is being built", async () => {
    const first = await startNode(sizes(1));
    await add("0", 5, first);
    await first.stop();
    let isBlocked = true;
    const second = await startNode(sizes(2, () => isBlocked));
    const third = await startNode(sizes(3, () => isBlocked));
    await third.stop();
    isBlocked = false;
    await isLive(second, 2);
    expect(await read(second)).toEqual(v2(5));
    const fourth = await startNode(sizes(3));
    await isLive(fourth, 3);
    expect(await read(fourth)).toEqual(v2(5));
  });
});

describe("nodes of two versions that see each other", () => {
  let nats: Nats;
  beforeAll(async () => void (nats = await Nats.start()));
  afterAll(() => nats.stop());

  test("a call that meets a node whose rows are being built is answered by one of the other version", async () => {
    Object.assign(house.variables, { NATS_URL: nats.url, NAMESPACE: "sizes" });
    const old = await startNode(sizes(1));
    await add("0", 5, old);
    let isBlocked = true;
    const young = await startNode(sizes(2, () => isBlocked));
    const caller = await house.start();
    const nodes = (): number => (caller.registry.actions.get("views.read")?.endpoints ?? []).length;
    await until(nodes, count => count === 2);
    for (let i = 0; i < 20; i++) {
      expect(await read(caller)).toEqual(v1(5));
      expect(await read(caller, "0@1")).toEqual(v1(5));
      // A node's own calls go to itself first.
      expect(await read(young)).toEqual(v1(5));
    }
    await old.stop();
    for (const node of [caller, young]) {
      const began = performance.now();
      const failure = await read(node).catch((error: unknown) => error);
      expect(failure).toMatchObject(unbuilt);
      expect(failure).not.toMatchObject({ data: { elsewhere: true } });
      expect(performance.now() - began).toBeLessThan(1_000);
    }
    isBlocked = false;
    await until(
      () => read(caller).catch(() => undefined),
      rows => rows !== undefined,
    );
    expect(await read(caller)).toEqual(v2(5));
  });
});

describe("one change of builds at a time", () => {
  const at = (cursor: string) => ({ source: "things", partition: "0", cursor, revision: 1, events: 1 });
  /** Version 1 is live at place 1; its build 2 has reached 2, and version 2 has reached 3. */
  async function threeBuilds(): Promise<{ database: Database; make: (version: 1 | 2 | 3, own?: Database) => Builds }> {
    const node = await house.start({ name: "views", mixins: [Projections([])] });
    const database = await databaseIn(node);
    const make = (version: 1 | 2 | 3, own = database) => new Builds(own, "sizes", shapesOf(sizes(version)));
    await make(1).ensure(1);
    await make(1).another(1);
    await make(2).ensure(2);
    const places = { "sizes@1": "1", "sizes@1.2": "2", "sizes@2": "3" };
    for (const [consumer, cursor] of Object.entries(places))
      await database.knex("checkpoints").insert({ consumer, ...at(cursor) });
    return { database, make };
  }
  const states = async (builds: Builds): Promise<string[]> =>
    (await builds.all()).map(({ version, build, state }) => `${version}.${build} ${state}`);

  test("a switch begins with what the switch before it has left", async () => {
    const { database, make } = await threeBuilds();
    const lease = { name: "sizes@1.2/things/0", holder: "a node of version 1", epoch: 1 };
    await database.knex("leases").insert({ ...lease, expires_at: (await database.now()) + 60_000 });
    // Version 2 has become live, and is not committed yet, when a node of version 1 looks whether its second build may.
    let second: Promise<boolean> | undefined;
    const slow: Database = {
      ...database,
      transaction: (work, options) =>
        database.transaction(async trx => {
          const answer = await work(trx);
          second = make(1).switchTo({ version: 1, build: 2 });
          await new Promise(resolve => setTimeout(resolve, 300));
          return answer;
        }, options),
    };
    expect(await make(2, slow).switchTo({ version: 2, build: 1 })).toBe(true);
    // It has not seen what readers of version 2 may have seen.
    expect(await second).toBe(false);
    expect(await states(make(1))).toEqual(["1.1 retired", "1.2 building", "2.1 live"]);
  });

  test("a switch waits for what a follower of the live build is about to commit", async () => {
    const { database, make } = await threeBuilds();
    let switched: Promise<boolean> | undefined;
    await database.transaction(async trx => {
      await make(1).hold(trx, { version: 1, build: 1 });
      await trx("checkpoints").where({ consumer: "sizes@1" }).update({ cursor: "4" });
      switched = make(2).switchTo({ version: 2, build: 1 });
      await new Promise(resolve => setTimeout(resolve, 300));
    });
    // A client that has read the event at place 4 would miss it in version 2, which has reached 3.
    expect(await switched).toBe(false);
  });

  test("a build does not become live behind one that is read still, live or not", async () => {
    const { database, make } = await threeBuilds();
    expect(await make(2).switchTo({ version: 2, build: 1 })).toBe(true);
    await make(3).ensure(3);
    await database.knex("checkpoints").insert({ consumer: "sizes@3", ...at("4") });
    // Nodes of version 1 have read on, in a roll-back.
    const ofVersion1 = database.knex("checkpoints").where({ consumer: "sizes@1" });
    await ofVersion1.clone().update({ cursor: "5" });
    expect(await make(3).switchTo({ version: 3, build: 1 })).toBe(false);
    await ofVersion1.clone().update({ cursor: "4" });
    expect(await make(3).switchTo({ version: 3, build: 1 })).toBe(true);
  });

  test("after two switches at once one build is live, and readers in between always see one live build", async () => {
    const { database, make } = await threeBuilds();
    const [one, two] = [make(1), make(2)];
    const ending = new AbortController();
    const seen = new Set<number>();
    const reader = (async () => {
      while (!ending.signal.aborted) seen.add((await one.all()).filter(({ state }) => state === "live").length);
    })();
    for (let round = 0; round < 10; round++) {
      const next: Build["version"] = 10 + round;
      await one.ensure(next);
      await database.knex("checkpoints").insert({ consumer: `sizes@${next}`, ...at("9") });
      const before = await one.all();
      await Promise.all([one, two, one].map(builds => builds.switchTo({ version: next, build: 1 })));
      const live = before.find(({ state }) => state === "live")!;
      expect(await one.drop(live, live.version)).toBe(true);
    }
    ending.abort();
    await reader;
    expect([...seen]).toEqual([1]);
  });

  test("a build that no node feeds any more is removed when a later version becomes live", async () => {
    const { database, make } = await threeBuilds();
    expect(await make(2).switchTo({ version: 2, build: 1 })).toBe(true);
    expect(await states(make(2))).toEqual(["1.1 retired", "2.1 live"]);
    expect(await database.knex.schema.hasTable("sizes_v1_b2_things")).toBe(false);
    expect(await database.knex("checkpoints").where({ consumer: "sizes@1.2" })).toEqual([]);
  });

  test("a switch and the followers of both builds do not wait for each other in a circle", async () => {
    const { database, make } = await threeBuilds();
    const follow = async (version: 1 | 2): Promise<void> => {
      for (let i = 0; i < 30; i++)
        await database.transaction(async trx => {
          await make(version).hold(trx, { version, build: 1 });
          await new Promise(resolve => setTimeout(resolve, 2));
          await trx("checkpoints")
            .where({ consumer: `sizes@${version}` })
            .increment("revision", 1);
        });
    };
    const switches = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) await make(2).switchTo({ version: 2, build: 1 });
    };
    await Promise.all([follow(1), follow(2), switches()]);
    expect(await states(make(2))).toContain("2.1 live");
  });

  test("a follower of a build that another node has dropped writes nothing", async () => {
    const { database, make } = await threeBuilds();
    expect(await make(2).switchTo({ version: 2, build: 1 })).toBe(true);
    expect(await make(2).drop({ version: 1, build: 1 }, 2)).toBe(true);
    const late = database.transaction(trx => make(1).hold(trx, { version: 1, build: 1 }));
    await expect(late).rejects.toMatchObject({ retryable: true, message: expect.stringContaining("is dropped") });
    expect(await make(2).drop({ version: 2, build: 1 }, 2)).toBe(false);
  });
});
