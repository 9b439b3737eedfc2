import { describe, expect, test } from "@jest/globals";
import Type, { type TSchema } from "typebox";
import { compileSchema, strictObject } from "../../contract/index.ts";
import { Misconfigured } from "../../kernel/index.ts";
import { randomOf } from "../../testing/index.ts";
import { limits } from "../limits.ts";
import { bookV2, lineV2, loanV2 } from "../library.fixture.ts";
import { randomValue } from "./random-value.fixture.ts";
import { shape, type Shape } from "./shape.ts";

const Line = strictObject({ bookId: Type.String(), days: Type.Integer() });
const Loan = strictObject({
  id: Type.String(),
  status: Type.Enum(["open", "closed"]),
  reader: Type.String(),
  lines: Type.Array(Line),
  desk: Type.Optional(strictObject({ name: Type.String(), floor: Type.Optional(Type.Integer()) })),
  note: Type.Optional(Type.String()),
  reminders: Type.Optional(Type.Array(Type.String())),
});
const line = shape(Line).rename({ bookId: "book" });
const loan = shape(Loan)
  .each("lines", line)
  .within("desk", shape(Loan.properties.desk).rename({ floor: "level" }))
  .values("status", { closed: "returned" })
  .move("reader", "people.reader")
  .move("note", "people.note")
  .default("reminders", [])
  .rename({ status: "state", lines: "items", reminders: "reminded" });

const old = {
  id: "1",
  status: "closed",
  reader: "ann",
  lines: [{ bookId: "b", days: 3 }],
  desk: { name: "A", floor: 2 },
  note: "fragile",
} as const;
const renewed = {
  id: "1",
  state: "returned",
  items: [{ book: "b", days: 3 }],
  desk: { name: "A", level: 2 },
  people: { reader: "ann", note: "fragile" },
  reminded: [],
};

describe("a shape", () => {
  test("has the newer form of a value, and the older one of that", () => {
    const made = loan.toNew(old as never);
    expect(made).toEqual(renewed);
    expect(Object.keys(made)).toEqual(["id", "state", "items", "desk", "people", "reminded"]);
    expect(loan.toOld(renewed as never)).toEqual(old);
    expect(old.lines).toEqual([{ bookId: "b", days: 3 }]);
  });

  test("has a schema of the newer form, with what is required", () => {
    const check = compileSchema(loan.schema);
    expect(check(renewed)).toBe(true);
    const fieldsWrong = (value: object) => (check(value) as { field: string }[]).map(({ field }) => field);
    expect(fieldsWrong({ ...renewed, items: [{ book: 1, days: 3 }] })).toEqual(["items.0.book"]);
    expect(fieldsWrong({ ...renewed, state: "closed" })).toEqual(["state"]);
    expect(fieldsWrong({ ...renewed, people: {} })).toEqual(["people.reader"]);
    expect(fieldsWrong({ ...renewed, reminded: undefined, status: "open" })).toEqual(
      expect.arrayContaining(["reminded", "status"]),
    );
    expect(check({ ...renewed, people: { reader: "ann" }, desk: undefined })).toBe(true);
  });

  test.each([
    ["status", "state"],
    ["lines", "items"],
    ["lines.0", "items.0"],
    ["lines.12.bookId", "items.12.book"],
    ["lines.0.days", "items.0.days"],
    ["desk.floor", "desk.level"],
    ["note", "people.note"],
    ["id", "id"],
    ["elsewhere.bookId", "elsewhere.bookId"],
  ])("names %s as %s", (field, name) => expect(loan.nameNew(field)).toBe(name));

  test.each<[string, Shape<any, any>, TSchema]>([
    ["a loan", loan, Loan],
    ["a book of the library", bookV2, bookV2.from],
    ["a line of the library", lineV2, lineV2.from],
  ])("there and back is nothing lost: %s", (_name, form, schema) => {
    const random = randomOf(20_261_130);
    const issuesOf = (of: TSchema) => {
      const check = compileSchema(of);
      return (value: unknown): string[] => {
        const found = check(value);
        return found === true ? [] : found.map(({ field }) => field);
      };
    };
    const [wrongInOld, wrongInNew] = [issuesOf(schema), issuesOf(form.schema)];
    for (let n = 0; n < 300; n++) {
      const sample = randomValue(schema, random) as { reminders?: unknown[] };
      // A default and an absent field are the same in the older form.
      if (sample.reminders?.length === 0) delete sample.reminders;
      const before = structuredClone(sample);
      const made = form.toNew(sample);
      // Random texts break some bound or format: both forms find the same, each under its own name.
      const expected = wrongInOld(sample).map(field => form.nameNew(field));
      if (expected.length < limits.issuesMax) expect(wrongInNew(made).sort()).toEqual(expected.sort());
      expect(form.toOld(made)).toEqual(before);
      expect(form.toNew(form.toOld(made))).toEqual(made);
      expect(sample).toEqual(before);
    }
  });

  test("a dropped field is gone, and comes back with the value that the older form always has", () => {
    expect(loanV2.toNew({ id: "1", version: 3, status: "opened" })).toEqual({ id: "1", state: "opened", items: [] });
    const told = shape(strictObject({ a: Type.String(), method: Type.String() })).drop("method", "card");
    expect(told.toOld({ a: "x" })).toEqual({ a: "x", method: "card" });
  });

  test("a change of a field that is not there, or to one that is, fails when it is written", () => {
    const wrong: (() => unknown)[] = [
      // @ts-expect-error the line has no such field
      () => line.rename({ bookId: "x" }),
      () => shape(Line).rename({ bookId: "days" }),
      () => shape(Line).rename({ bookId: "x", days: "x" }),
      // @ts-expect-error nor this one
      () => shape(Line).drop("author"),
      () => shape(Loan).move("note", "desk.name"),
      () => shape(Loan).move("note", "a.b.c"),
      () => shape(Loan).values("status", { gone: "away" }),
    ];
    for (const write of wrong) expect(write).toThrow(Misconfigured);
    expect(shape(Line).rename({ bookId: "days", days: "bookId" }).toNew({ bookId: "b", days: 1 })).toEqual({
      days: "b",
      bookId: 1,
    });
  });

  test("is typed by its fields", () => {
    const made: { book: string; days: number } = line.toNew({ bookId: "b", days: 1 });
    expect(made).toEqual({ book: "b", days: 1 });
    // @ts-expect-error the newer form has no `bookId`
    void (() => made.bookId);
    // @ts-expect-error a shape of another item
    void (() => shape(Loan).each("lines", shape(strictObject({ pages: Type.Integer() }))));
  });
});
