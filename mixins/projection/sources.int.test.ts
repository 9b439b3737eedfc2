// One row, one order of effects: rows that the events of several sources change together are what one fold of all events
// gives, whichever source comes first, in one process and in two that have the database together. The sums do not depend
// on the order between sources; the source that comes first makes a row; it is removed at zero, and made again.
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { consumersOf } from "../stream/siblings.ts";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import Type from "typebox";
import { until } from "../testing/index.ts";
import { newBrokers } from "../testing/broker.ts";
import { Source } from "../stream/log/source.fixture.ts";
import { defineProjection, type Projection } from "./index.ts";
import { Projections, type ProjectingService } from "./mixin.ts";

const ROWS = 7;
let house: Awaited<ReturnType<typeof newBrokers>>;
beforeEach(async () => {
  house = await newBrokers();
});
afterEach(() => house.stop());

const sourcesOf = (count: number): Source[] =>
  Array.from({ length: count }, (_, i) => new Source(`counters${i}`, `counter${i}`, [`counter${i}.moved`]));

/** Each event moves two rows by its amounts, and counts in the row of all. */
const sumsOf = (sources: readonly Source[]): Projection => {
  const move = async (sums: any, id: string, by: number): Promise<void> => {
    const row = await sums.find(id);
    const sum = (row?.sum ?? 0) + by;
    if (sum === 0) await sums.remove(id);
    else await sums.upsert({ id, sum, moves: { by: (row?.moves.by ?? 0) + Math.abs(by) } });
  };
  const handler = async ({ data: { rows, by } }: any, { sums, all }: any): Promise<void> => {
    for (const id of rows) await move(sums, id, by);
    const row = (await all.find("all")) ?? { id: "all", events: 0 };
    await all.upsert({ ...row, events: row.events + 1 });
  };
  return defineProjection({
    name: "sums",
    version: 1,
    tables: {
      sums: { id: Type.String(), sum: Type.Integer(), moves: Type.Object({ by: Type.Integer() }) },
      all: { id: Type.String(), events: Type.Integer() },
    },
    on: Object.fromEntries(sources.map(({ types: [type] }) => [type!, handler])) as object,
  });
};

let seed = 11;
const random = (n: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % n;
/** Events of all sources, which touch the same rows in their own order; what comes out is known without a database. */
async function fill(sources: readonly Source[], events: number): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  for (let i = 0; i < events; i++) {
    for (const [n, source] of sources.entries()) {
      const first = random(ROWS);
      const rows = [first, (first + 1 + n) % ROWS].map(row => `row ${row}`);
      const by = random(2) === 0 ? 1 : -1;
      source.append(`${i % 3}`, source.types[0]!, { rows, by });
      for (const row of rows) sums.set(row, (sums.get(row) ?? 0) + by);
    }
    if (i % 3 === 0) await sleep(1);
  }
  return sums;
}

const views = (projection: Projection) => ({ name: "views", mixins: [Projections(projection, { lookMs: 20 })] });
const hostIn = (broker: ServiceBroker) => (broker.getLocalService("views") as ProjectingService).projection("sums");
const rowOfAll = async (broker: ServiceBroker): Promise<number> =>
  Number((await hostIn(broker).table("all").first())?.events ?? 0);
const sumsIn = async (broker: ServiceBroker): Promise<Map<string, number>> =>
  new Map((await hostIn(broker).table("sums")).map(({ id, sum }: any) => [id, Number(sum)]));
const takenBy = async (broker: ServiceBroker): Promise<number> => {
  const { knex } = (await consumersOf(broker.getLocalService("views"))).database;
  // Not the row that is kept for a roll-back: it counts the same events.
  const rows = await knex("checkpoints").where({ consumer: "sums@1" }).whereNot({ partition: "0" });
  return rows.reduce((sum, row) => sum + Number(row.events), 0);
};

async function expectAll(broker: ServiceBroker, events: number, sums: ReadonlyMap<string, number>): Promise<void> {
  await until(
    () => takenBy(broker),
    taken => taken === events,
  );
  expect(await rowOfAll(broker)).toBe(events);
  expect(await sumsIn(broker)).toEqual(new Map([...sums].filter(([, sum]) => sum !== 0)));
  expect(await broker.call("views.deadLetters", {})).toEqual({ deadLetters: [] });
}

describe.each([2, 3, 8])("P4 %i sources change the same rows", count => {
  const events = Math.ceil(600 / count);

  test("in one process", async () => {
    const sources = sourcesOf(count);
    const broker = await house.start(...sources.map(source => source.schema()), views(sumsOf(sources)));
    const sums = await fill(sources, events);
    await expectAll(broker, events * count, sums);
  });

  test("each source read by several processes, which share its partitions", async () => {
    const sources = sourcesOf(count);
    const projection = sumsOf(sources);
    const brokers = await Promise.all(
      [1, 2, 3].map(() => house.start(...sources.map(source => source.schema()), views(projection))),
    );
    const sums = await fill(sources, events);
    await expectAll(brokers[0]!, events * count, sums);
  });

  test("a build beside, in both processes, gives the same", async () => {
    const sources = sourcesOf(count);
    const projection = sumsOf(sources);
    const brokers = await Promise.all(
      [1, 2].map(() => house.start(...sources.map(source => source.schema()), views(projection))),
    );
    const before = await fill(sources, events);
    await hostIn(brokers[0]!).rebuild();
    const after = await fill(sources, events);
    const sums = new Map([...before].map(([row, sum]) => [row, sum + after.get(row)!]));
    for (const broker of brokers)
      await until(
        () => hostIn(broker).status(),
        builds => builds.some(({ build, state }) => build === 2 && state === "live"),
      );
    await until(
      () => rowOfAll(brokers[1]!),
      taken => taken === 2 * events * count,
    );
    expect(await sumsIn(brokers[1]!)).toEqual(new Map([...sums].filter(([, sum]) => sum !== 0)));
  });
});
