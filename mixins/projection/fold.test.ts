// The author's code in a projection: any failure of a handler is one of its event alone.
import { expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import Type from "typebox";
import { Fold } from "./fold.ts";
import type { Projection } from "./index.ts";
import { shapesOf, type Row } from "./shape.ts";

type Handler = (event: any, table: { find: any; upsert: any; remove: any }) => unknown;
const columns = {
  id: Type.String(),
  n: Type.Optional(Type.Integer()),
  ratio: Type.Optional(Type.Number()),
  list: Type.Optional(Type.Array(Type.Any())),
};

/** One handler for all events, on one table that holds `stored`. */
function foldOf(handler: Handler, stored: Row[] = [], limits = {}, readMs = 1): Fold {
  const projection = {
    name: "totals",
    version: 1,
    tables: { rows: columns },
    indexes: { rows: [["n", "list"]] },
    on: { "thing.done": (event: any, { rows }: any) => handler(event, rows) },
  } as unknown as Projection;
  const load = async (_: unknown, keys: readonly string[]) => {
    await sleep(readMs);
    return stored.filter(row => keys.includes(row["id"] as string));
  };
  return new Fold(projection, shapesOf(projection), load, limits);
}
const event = (stream: string, data: object = {}): any => ({ type: "thing.done", actor: "thing", stream, data });
const rowsOf = (fold: Fold): unknown[] => fold.tables[0]!.changes().written.map(row => fold.tables[0]!.shape.give(row));
const add = async (table: any, id: string): Promise<void> =>
  table.upsert({ id, n: ((await table.find(id))?.n ?? 0) + 1 });

/** The error of the event of stream `bad`; the event of `good` was folded. */
async function failureOf(handler: Handler, limits = {}): Promise<any> {
  const fold = foldOf(
    (event, table) => (event.stream === "bad" ? handler(event, table) : add(table, event.stream)),
    [],
    limits,
  );
  const failures = await fold.run([event("bad"), event("good")]);
  expect([...failures.keys()]).toEqual(["thing.bad"]);
  expect(rowsOf(fold)).toEqual([{ id: "good", n: 1 }]);
  return failures.get("thing.bad")!.error;
}

const CHAIN: Row[] = ["0", "1", "2", "3", "deep"].map(id => ({ id, n: 4 }));
/** Each key is known when the one before is found: the last is asked for after the rounds that only note. */
const readsOneByOne =
  (found: (rows: unknown) => void = () => {}): Handler =>
  async (_, table) => {
    for (const id of ["0", "1", "2", "3"]) if (!(await table.find(id))) return;
    found(await Promise.all([table.find("deep"), table.find("deep")]));
  };

test("a column of JSON that a handler changes in place counts once an event, in any number of rounds", async () => {
  const stored = [{ id: "sum", list: "[0]" }];
  const fold = foldOf(async ({ stream }, table) => {
    const row = await table.find("sum");
    if (!row) return;
    row.list.push(stream);
    row.n = row.list.length;
    await table.upsert(row);
    row.list.push("after it was given away");
    await table.find(`other ${stream}`); // one more round
  }, stored);
  expect(await fold.run([event("a"), event("b")])).toEqual(new Map());
  expect(fold.tables[0]!.changes().updated).toEqual([{ id: "sum", n: 3, list: '[0,"a","b"]' }]);
});

test("an event that a handler changes fails, and no other consumer sees the change", async () => {
  const data = { lines: [2, 1] };
  const fold = foldOf(async (event, table) => {
    event.data.lines.sort();
    await add(table, "sum");
  });
  const failures = await fold.run([event("a", data)]);
  expect(failures.get("thing.a")!.error).toBeInstanceOf(TypeError);
  expect(data).toEqual({ lines: [2, 1] });
});

test.each([
  ["a BigInt", "n", 1n, '"n" (integer) cannot hold a value of type bigint'],
  ["NaN", "n", Number.NaN, '"n" (integer) cannot hold NaN'],
  ["a fraction", "n", 1.5, '"n" (integer) cannot hold a fraction'],
  ["an integer that is not safe", "n", 2 ** 60, '"n" (integer) cannot hold a number of more than 53 bits'],
  ["infinity", "ratio", Number.POSITIVE_INFINITY, '"ratio" (number) cannot hold Infinity'],
  ["a NUL character", "id", "a\0", '"id" (text) cannot hold text with a NUL character'],
  ["nothing", "id", undefined, 'a row without "id"'],
  ["a BigInt in JSON", "list", [1n], '"list" (json) cannot hold'],
  ["NaN in JSON", "list", [0, Number.NaN], '"list" (json) cannot hold'],
  ["a function", "list", () => 1, '"list" (json) cannot hold'],
  ["too much for an index", "list", ["x".repeat(3_000)], "3004 bytes of text"],
  ["too long a key", "id", "ä".repeat(1_400), "2800 bytes of text"],
])("a row with %s is its event's failure, by table and column", async (_, column, value, message) => {
  const error = await failureOf((_, table) => table.upsert({ id: "x", [column]: value }));
  expect(error).toMatchObject({ type: "ROW_NOT_STORABLE", code: 500 });
  expect(error.message).toContain("projection totals, table rows: ");
  expect(error.message).toContain(message);
});

test("a key that is none fails its event", async () => {
  for (const key of [undefined, 7, "a\0", null])
    for (const call of ["find", "remove"] as const)
      expect(await failureOf((_, table) => table[call](key))).toMatchObject({ type: "ROW_NOT_STORABLE" });
});

test("a row in itself, and what is no row", async () => {
  const ring: unknown[] = [];
  ring.push(ring);
  for (const row of [{ id: "x", list: ring }, undefined, null, "x"])
    expect(await failureOf((_, table) => table.upsert(row))).toMatchObject({ type: "ROW_NOT_STORABLE" });
});

test.each([["text"], [undefined], [null], [0]])("a handler may throw anything: %p", async thrown => {
  expect(
    await failureOf(() => {
      throw thrown;
    }),
  ).toBe(thrown);
});

test("a refused write fails the event also when the handler neither waits for it nor lets it through", async () => {
  expect(await failureOf((_, table) => void table.upsert({}))).toMatchObject({ type: "ROW_NOT_STORABLE" });
  expect(await failureOf((_, table) => table.upsert({}).catch(() => {}))).toMatchObject({ type: "ROW_NOT_STORABLE" });
});

test("a handler that never ends is given up, and what it does later counts no more", async () => {
  const late: (() => void)[] = [];
  const hangs: Handler = async (_, table) => {
    await table.upsert({ id: "half" });
    await new Promise<void>(resolve => late.push(resolve));
    await table.upsert({ id: "late" });
  };
  expect(await failureOf(hangs, { handlerMs: 20 })).toMatchObject({
    type: "HANDLER_HANGS",
    message: 'projection totals: the handler of "thing.done" has not ended after 20 ms',
  });
  for (const goOn of late) goOn();
  await sleep(1);
});

test("when handlers of several events hang, those after them are put off and tried again by themselves", async () => {
  const hanging = new Set(["b", "c", "d"]);
  const fold = foldOf(
    (event, table) => (hanging.has(event.stream) ? new Promise(() => {}) : add(table, event.stream)),
    [],
    { handlerMs: 20, handlersHanging: 2 },
  );
  const failures = await fold.run(["a", "b", "c", "d", "e"].map(stream => event(stream)));
  const types = Object.fromEntries([...failures].map(([stream, { error }]) => [stream, (error as any).type]));
  expect(types).toEqual({
    "thing.b": "HANDLER_HANGS",
    "thing.c": "HANDLER_HANGS",
    "thing.d": "HANDLERS_HANG",
    "thing.e": "HANDLERS_HANG",
  });
  expect((failures.get("thing.e")!.error as any).retryable).toBe(true);
  expect(failures.get("thing.e")!.isPostponed).toBe(true);
  expect(rowsOf(fold)).toEqual([{ id: "a", n: 1 }]);
});

test("slow reads of its tables are no hang", async () => {
  const fold = foldOf(readsOneByOne(), CHAIN, { handlerMs: 5 }, 30);
  expect(await fold.run([event("a")])).toEqual(new Map());
});

test("a handler that loops over its tables, and catches what it meets, is given up", async () => {
  const endless: Handler = async (_, table) => {
    for (;;) await table.find("x").catch(() => {});
  };
  expect(await failureOf(endless, { handlerCalls: 1_000 })).toMatchObject({ type: "HANDLER_ENDLESS" });
});

test("a handler that does not wait for its own work fails, and leaves nothing half done", async () => {
  const hasty: Handler = (_, table) => {
    const work = async (): Promise<void> => {
      await table.upsert({ id: "first half" });
      for (let i = 0; i < 10; i++) await Promise.resolve();
      await table.upsert({ id: "second half" });
    };
    void work();
  };
  expect(await failureOf(hasty)).toMatchObject({ type: "HANDLER_LATE" });
});

test("reads of the same row side by side see it", async () => {
  let seen: unknown;
  await foldOf(
    readsOneByOne(rows => (seen = rows)),
    CHAIN,
  ).run([event("a")]);
  expect(seen).toEqual([CHAIN.at(-1), CHAIN.at(-1)]);
});
