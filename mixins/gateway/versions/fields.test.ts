import { describe, expect, test } from "@jest/globals";
import Type from "typebox";
import { limits } from "../limits.ts";
import { fieldsOf, picked } from "./fields.ts";

const Price = Type.Object({ amount: Type.Integer(), currency: Type.String() });
const Book = Type.Object({
  id: Type.String(),
  title: Type.String(),
  price: Price,
  lines: Type.Array(Type.Object({ isbn: Type.String(), price: Price })),
  cover: Type.Optional(Type.Union([Price, Type.Null()])),
  data: Type.Unknown(),
});
const book = {
  id: "1",
  title: "A",
  price: { amount: 1, currency: "EUR" },
  lines: [
    { isbn: "a", price: { amount: 2, currency: "EUR" } },
    { isbn: "b", price: { amount: 3, currency: "EUR" } },
  ],
  cover: null,
  data: { any: { thing: 1, other: 2 } },
};
const some = (names: string) => picked(book, fieldsOf(names, Book));
const refusal = (names: string): string => {
  try {
    fieldsOf(names, Book);
    return "";
  } catch (error) {
    const { code, data } = error as { code: number; data: { errors: { field: string; message: string }[] } };
    expect([code, data.errors[0]!.field]).toEqual([422, "fields"]);
    return data.errors[0]!.message;
  }
};

describe("fields", () => {
  test("are those that are asked for, and the id", () => {
    expect(some("title")).toEqual({ id: "1", title: "A" });
    expect(some("price.amount,lines.price.amount,cover.amount")).toEqual({
      id: "1",
      price: { amount: 1 },
      lines: [{ price: { amount: 2 } }, { price: { amount: 3 } }],
      cover: null,
    });
    expect(some("price.amount,price")).toEqual({ id: "1", price: book.price });
    expect(some("price,price.amount")).toEqual({ id: "1", price: book.price });
    expect(some("data.any.thing")).toEqual({ id: "1", data: { any: { thing: 1 } } });
  });

  test("come in the order of the answer, so that the same fields are the same text", () => {
    expect(JSON.stringify(some("price.currency,title,price.amount"))).toBe(JSON.stringify(some("title,price")));
    expect(JSON.stringify(some("title,price.amount,title"))).toBe(JSON.stringify(some("price.amount,title,id")));
    expect(JSON.stringify(some("price"))).not.toBe(JSON.stringify(some("price.amount")));
  });

  test.each([
    "colour",
    "price.colour",
    "title.x",
    "price.",
    ".price",
    "",
    "title,",
    "__proto__",
    "lines.0",
    "toString",
  ])("an unknown field is refused by name: %j", name => expect(refusal(name)).toContain("is no field of the answer"));

  test("too many, too deep and too long ones are refused", () => {
    expect(
      refusal(
        Array(limits.fieldsMax + 1)
          .fill("title")
          .join(),
      ),
    ).toMatch(/at most 50/);
    expect(refusal("data.a.b.c.d.e")).toMatch(/more than 5 parts/);
    expect(refusal("x".repeat(500)).length).toBeLessThan(120);
  });

  test("of an answer whose fields are not known are all taken", () => {
    expect(picked({ a: { b: 1, c: 2 } }, fieldsOf("a.b", undefined))).toEqual({ a: { b: 1 } });
    expect(picked({ a: { b: 1, c: 2 } }, fieldsOf("a.b", Type.Object({})))).toEqual({ a: { b: 1 } });
    expect(picked(["x", 1, null], fieldsOf("a", undefined))).toEqual(["x", 1, null]);
  });
});
