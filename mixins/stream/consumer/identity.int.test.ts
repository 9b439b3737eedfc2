// A log that is put back from an older copy, on both databases and by the action of a real owner.
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { metricOf, newBrokers } from "../../testing/broker.ts";
import { until } from "../../testing/index.ts";
import { STOPPED } from "../index.ts";
import { streamMetrics } from "../metrics.ts";
import { markIn, consumersOf } from "../siblings.ts";
import type { ServiceBroker } from "moleculer";
import { Source } from "../log/source.fixture.ts";
import { partitionName, partitionOf } from "../sharing/partitions.ts";
import { TYPES, applied, appliedIn, consuming, databaseIn, inside, statusIn, writer } from "./writer.fixture.ts";

let house: Awaited<ReturnType<typeof newBrokers>>;
let source: Source;
beforeEach(async () => {
  house = await newBrokers();
  source = new Source("things", "thing", TYPES);
});
afterEach(() => house.stop());

/** Short, so that a test need not wait for seconds. */
const limits = { notInLogMs: 50, retryMinMs: 5, retryMaxMs: 20 };
const start = (over: Parameters<typeof writer>[0] = {}) =>
  house.start(source.schema(), consuming("readers", writer({ limits, ...over })));
const stopped = (broker: ServiceBroker) =>
  until(
    () => statusIn(broker),
    ({ state }) => state === "stopped",
  );
const reset = (broker: ServiceBroker, to: "head" | "start", dryRun = false) =>
  broker.call<any, object>("readers.resetConsumer", { name: "writer", to, dryRun });
function append(count: number, stream = "a"): void {
  for (let i = 0; i < count; i++) source.append(stream, "thing.used");
}
const versions = (stream: string, from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `${stream}@${from + i}`);

/** Ten events were handled, then the log is put back to five; later events are in other streams too. */
async function restored(before: () => void = () => {}): Promise<ServiceBroker> {
  append(10);
  const broker = await start();
  await applied(broker, 10);
  before();
  source.restore(5);
  return broker;
}

describe("P4 a log that was put back from an older copy", () => {
  test("stops the consumer while the log ends before its cursor, also if nothing is written", async () => {
    const broker = await restored();
    const status = await stopped(broker);
    expect(status).toMatchObject({ lagEvents: null, stopped: [{ source: "things", reason: expect.any(String) }] });
    expect(await appliedIn(broker)).toHaveLength(10);
  });

  test("stops it also once the log has grown past its cursor, and handles none of the events in between", async () => {
    append(10);
    const broker = await start();
    await applied(broker, 10);
    await broker.stop();
    source.restore(5);
    append(10, "b");
    const again = await start();
    await stopped(again);
    append(10, "b");
    await again.call("readers.consumers");
    expect(await appliedIn(again)).toEqual(versions("a", 1, 10));
  });

  test("stops it also while it is reading, whatever the numbers are", async () => {
    const broker = await restored(() => (source.hints = false));
    append(20, "b");
    await stopped(broker);
    expect((await appliedIn(broker)).filter(id => id.startsWith("b"))).toEqual([]);
  });

  test("stops it at a cursor that was damaged or set by hand", async () => {
    append(10);
    const broker = await start();
    await applied(broker, 10);
    await broker.stop();
    const again = await house.start(consuming("readers", writer({ limits })));
    await (await databaseIn(again)).knex("checkpoints").update({ cursor: "7" });
    again.createService(source.schema());
    await stopped(again);
  });

  test("goes on by itself when the right log is back", async () => {
    append(10);
    const all = [...source.log];
    const broker = await start();
    await applied(broker, 10);
    source.restore(5);
    await stopped(broker);
    source.log.push(...all.slice(5));
    append(1);
    expect(await applied(broker, 11)).toEqual(versions("a", 1, 11));
    expect((await statusIn(broker)).state).toBe("following");
  });

  test("is logged once a minute, broadcast, and a metric", async () => {
    const errors = jest.fn();
    const heard: unknown[] = [];
    append(10);
    const listener = { name: "gateway", events: { [STOPPED]: (ctx: any) => void heard.push(ctx.params) } };
    const broker = await house.start(source.schema(), consuming("readers"), listener);
    const service = inside(broker);
    Object.assign(service.logger, { error: errors });
    const consumers = await consumersOf(service);
    consumers.add(writer({ limits }));
    await applied(broker, 10);
    source.restore(5);
    await until(
      () => heard.length,
      count => count >= 3,
    );
    expect(heard[0]).toEqual({ service: "readers", consumer: "writer", source: "things" });
    expect(errors.mock.calls.map(([message]) => message)).toEqual([
      expect.stringMatching(/^consumer writer has stopped: its place is not in the log of things: .*npm run consumer/),
    ]);
    expect(await metricOf(broker, streamMetrics.stopped, { service: "readers", consumer: "writer" })).toBe(1);
  });

  test("retries no failed stream, and lets none be archived", async () => {
    let calls = 0;
    append(10);
    const failing = { react: async () => (calls++, Promise.reject(new Error("no"))) };
    const broker = await start(failing);
    await until(
      () => broker.call<any, object>("readers.deadLetters", {}),
      ({ deadLetters }) => deadLetters.length === 10,
    );
    source.restore(5);
    await stopped(broker);
    const before = calls;
    await (await databaseIn(broker)).knex("parked_streams").update({ state: "retrying", next_at: 0 });
    await new Promise(resolve => setTimeout(resolve, 300));
    expect(calls).toBe(before);
    const streams = [{ id: "a", version: 1 }];
    expect(await broker.call("readers.taken", { source: "things", streams })).toEqual({ ids: [] });
  });
});

describe("an operator's reset", () => {
  test("a dry run tells what would be deleted, and changes nothing", async () => {
    const broker = await restored();
    await stopped(broker);
    expect(await reset(broker, "start", true)).toMatchObject({
      consumer: "writer",
      to: "start",
      dryRun: true,
      places: [{ source: "things", cursor: expect.any(String), streams: 1, deadLetters: 0 }],
    });
    expect((await statusIn(broker)).state).toBe("stopped");
  });

  test("to the start reads the log from its start", async () => {
    const broker = await restored(() => (source.hints = false));
    append(3, "b");
    append(1);
    await stopped(broker);
    await reset(broker, "start");
    const seen = await applied(broker, 19);
    expect(seen.slice(10)).toEqual([...versions("a", 1, 5), ...versions("b", 1, 3), "a@6"]);
    append(1);
    expect((await applied(broker, 20)).at(-1)).toBe("a@7");
  });

  test("to the head handles no event that is there, and every event that is written next", async () => {
    const broker = await restored(() => (source.hints = false));
    append(3, "b");
    append(1);
    await stopped(broker);
    await reset(broker, "head");
    await until(
      () => statusIn(broker),
      ({ state, lagEvents }) => state === "following" && lagEvents === 0,
    );
    append(1);
    append(1, "b");
    append(1, "c");
    expect((await applied(broker, 13)).slice(10)).toEqual(["a@7", "b@4", "c@1"]);
    const streams = [{ id: "a", version: 7 }];
    expect(await broker.call("readers.taken", { source: "things", streams })).toEqual({ ids: ["a"] });
  });

  test("drops the dead letters of that log, and of no other", async () => {
    const others = new Source("others", "other", ["other.made"]);
    const types = [...TYPES, "other.made"];
    const poison = writer({ types, limits }, () => new Error("poison"));
    append(2);
    others.append("x", "other.made");
    const broker = await house.start(source.schema(), others.schema(), consuming("readers", poison));
    const letters = () => broker.call<any, object>("readers.deadLetters", {});
    await until(letters, ({ deadLetters }) => deadLetters.length === 3);
    source.restore(1);
    await stopped(broker);
    expect((await reset(broker, "head")).places).toMatchObject([{ source: "things", deadLetters: 2 }]);
    expect((await letters()).deadLetters.map(({ stream }: any) => stream)).toEqual(["other.x"]);
  });

  test("of a consumer that has not stopped, or does not exist, is refused", async () => {
    append(1);
    const broker = await start();
    await applied(broker, 1);
    await expect(reset(broker, "start")).rejects.toMatchObject({ type: "CONSUMER_NOT_STOPPED", code: 409 });
    await expect(broker.call("readers.resetConsumer", { name: "nobody", to: "head" })).rejects.toMatchObject({
      type: "CONSUMER_NOT_FOUND",
      code: 404,
    });
    await expect(broker.call("readers.resetConsumer", { name: "writer", to: "end" })).rejects.toMatchObject({
      code: 422,
    });
  });
});

describe("two releases", () => {
  const marks = async (broker: ServiceBroker) => {
    const { knex } = await databaseIn(broker);
    const partition = partitionName(partitionOf("thing.a", 16), 16);
    const row = await knex("checkpoints").where({ partition }).first();
    return { cursor: row.cursor, mark: markIn(row) ?? null, stopped: row.stopped };
  };

  test("an owner of an older release is read on; after the next event its successor can be told from another log", async () => {
    source.isOld = true;
    append(10);
    const broker = await start();
    await applied(broker, 10);
    expect(await marks(broker)).toEqual({ cursor: "10", mark: null, stopped: null });
    source.isOld = false;
    append(1);
    await applied(broker, 11);
    expect((await marks(broker)).mark).toBe(source.markAt("11"));
    source.restore(10);
    append(5, "b");
    await stopped(broker);
  });

  test("a cursor of an older release past the end of the log is detected", async () => {
    source.isOld = true;
    append(10);
    const broker = await start();
    await applied(broker, 10);
    source.isOld = false;
    source.restore(5);
    await stopped(broker);
  });

  test("a node of an older release moves the cursor and leaves the mark of another one, which is ignored", async () => {
    append(10);
    const first = await start();
    await applied(first, 10);
    await first.stop();
    append(2);
    const between = await house.start(consuming("readers"));
    const { knex } = await databaseIn(between);
    await knex("checkpoints").update({ cursor: "12", revision: knex.raw("revision + 1") });
    await between.stop();
    const second = await start();
    append(1);
    expect(await applied(second, 13)).toEqual(versions("a", 1, 13));
    expect((await statusIn(second)).state).toBe("following");
    expect((await marks(second)).mark).toBe(source.markAt("13"));
  });

  test("a consumer that has stopped does not go on because of an owner that knows no marks", async () => {
    const broker = await restored();
    await stopped(broker);
    source.isOld = true;
    append(20, "b");
    await new Promise(resolve => setTimeout(resolve, 300));
    expect(await appliedIn(broker)).toHaveLength(10);
    expect((await statusIn(broker)).state).toBe("stopped");
  });
});
