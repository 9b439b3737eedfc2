import { expect, test } from "@jest/globals";
import Type from "typebox";
import { Fold } from "./fold.ts";
import { defineProjection, given, type Projection } from "./index.ts";
import { Shape, shapesOf } from "./shape.ts";

/** A row a thing and the thing that it is part of: keys that are found in rows. */
const Parts: Projection = defineProjection({
  name: "parts",
  version: 1,
  tables: { things: { id: Type.String(), whole: Type.Optional(Type.String()), parts: Type.Integer() } },
  on: {
    "thing.added": async ({ stream, data }: any, { things }: any) => {
      await things.upsert({ id: stream, ...(data.whole && { whole: data.whole }), parts: 0 });
    },
    "thing.split": async ({ stream }: any, { things }: any) => {
      for (let id: string | undefined = stream; id !== undefined;) {
        const thing: any = await things.find(id);
        if (!thing) throw new Error(`no ${id}`);
        await things.upsert({ ...thing, parts: thing.parts + 1 });
        id = thing.whole;
      }
    },
  } as object,
});
const event = (stream: string, type: string, data: object = {}): any => ({ stream, type, data });

test("given gives the tables that events make", async () => {
  const { things } = await given(
    Parts,
    event("a", "thing.added"),
    event("b", "thing.added", { whole: "a" }),
    event("b", "thing.split"),
    event("b", "thing.split"),
    event("a", "thing.split"),
  );
  expect(things).toEqual([
    { id: "a", parts: 3 },
    { id: "b", whole: "a", parts: 2 },
  ]);
});

test("given throws what a handler throws", async () => {
  await expect(given(Parts, event("x", "thing.split"))).rejects.toThrow("no x");
});

test("rows are read together, a round for keys that depend on rows, and each is changed once an event", async () => {
  const depth = 6;
  const stored = Array.from({ length: depth }, (_, i) => ({ id: `${i}`, whole: i > 0 ? `${i - 1}` : null, parts: 10 }));
  const loads: string[][] = [];
  const fold = new Fold(Parts, shapesOf(Parts), async (_, keys) => {
    loads.push([...keys]);
    return stored.filter(row => keys.includes(row.id));
  });
  const events = [5, 4, 5, 2].map(stream => ({ ...event(`${stream}`, "thing.split"), actor: "thing" }));
  expect(await fold.run(events)).toEqual(new Map());
  expect(loads[0]).toEqual(["5", "4", "2"]);
  const { updated, written, columns } = fold.tables[0]!.changes();
  expect(written).toEqual([]);
  expect([...columns]).toEqual(["parts"]);
  const parts = Object.fromEntries(updated.map(row => [row["id"], row["parts"]]));
  expect(parts).toEqual({ 0: 14, 1: 14, 2: 14, 3: 13, 4: 13, 5: 12 });
});

test("a database that fails while rows are read fails the batch, not the event", async () => {
  const fold = new Fold(Parts, shapesOf(Parts), () => Promise.reject(new Error("disk")));
  await expect(fold.run([{ ...event("a", "thing.split"), actor: "thing" }])).rejects.toThrow("disk");
});

test("a table whose key is no string is refused", () => {
  expect(() => new Shape("t", { id: Type.Integer() })).toThrow(/the key/);
  expect(() => new Shape("t", { id: Type.Optional(Type.String()) })).toThrow(/the key/);
});

test("rows come back from the database as they went in", () => {
  const shape = new Shape("t", {
    id: Type.String(),
    kind: Type.Enum(["a", "b"]),
    ratio: Type.Number(),
    on: Type.Boolean(),
    list: Type.Array(Type.Integer()),
    note: Type.Optional(Type.String()),
  });
  const row = { id: "1", kind: "a", ratio: 0.5, on: true, list: [1, 2] };
  const stored = Object.fromEntries(shape.names.map((name, i) => [name, shape.encode(shape.keep(row))[i]]));
  expect(stored).toEqual({ ...row, list: "[1,2]", note: null });
  expect(shape.give(shape.decode({ ...stored, on: 1 }))).toEqual(row);
});
