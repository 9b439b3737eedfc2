import { expect, test } from "@jest/globals";
import Type from "typebox";
import { csvTypeOf, csvOf, fileNameOf } from "./csv.ts";
import { fieldsOf } from "./fields.ts";

const Row = Type.Object({
  id: Type.String(),
  title: Type.Optional(Type.String()),
  price: Type.Object({ amount: Type.Number(), currency: Type.String() }),
  tags: Type.Array(Type.Object({ name: Type.String() })),
  sold: Type.Optional(Type.Boolean()),
});
const price = { amount: -5, currency: "EUR" };

test("RFC 4180: names, then rows, nested fields with dots, lists as JSON, text that needs it in quotes", () => {
  const rows = [
    { id: "1", title: 'Say "hi", twice', price, tags: [{ name: "a" }], sold: true },
    { id: "2", title: "two\nlines", price, tags: [] },
    { id: "3", price: { amount: 1.5, currency: "" }, tags: [], title: null },
  ];
  expect(csvOf(rows, Row, undefined)).toBe(
    [
      "id,title,price.amount,price.currency,tags,sold",
      '1,"Say ""hi"", twice",-5,EUR,"[{""name"":""a""}]",true',
      '2,"two\nlines",-5,EUR,[],',
      "3,,1.5,,[],",
      "",
    ].join("\r\n"),
  );
});

test.each(["=1+1", "+1", "-1", "@sum", "\t=1", " =1", "\r=1", "\uff1d1", "\n-1"])(
  "text that a spreadsheet would run stays text: %j",
  text => {
    const [, line] = csvOf([{ a: text }], Type.Object({ a: Type.String() }), undefined).split("\r\n", 2) as [
      string,
      string,
    ];
    expect(line.replaceAll('"', "").startsWith("'")).toBe(true);
    expect(
      csvOf([{ [text]: 1 }], undefined, undefined)
        .replaceAll('"', "")
        .startsWith("'"),
    ).toBe(true);
  },
);

test("an empty list has its names; where the schema is open, the rows say which, and no rows have none", () => {
  const open = Type.Record(Type.String(), Type.Unknown());
  expect([csvOf([], open, undefined), csvTypeOf("")]).toEqual(["", "text/csv; charset=utf-8; header=absent"]);
  expect(csvOf([], Row, undefined)).toBe("id,title,price.amount,price.currency,tags,sold\r\n");
  expect(csvOf([{ a: 1 }, { b: { c: "x" } }], Type.Record(Type.String(), Type.Unknown()), undefined)).toBe(
    "a,b.c\r\n1,\r\n,x\r\n",
  );
});

test("has the columns of the fields that are asked for", () => {
  const tree = fieldsOf("price.amount,title", Row);
  expect(csvOf([{ id: "1", title: "A", price: { amount: 1 } }], Row, tree)).toBe("id,title,price.amount\r\n1,A,1\r\n");
});

test("the file has the name of the resource, and no other text of a client", () => {
  expect(fileNameOf("/api/v2/loans")).toBe("loans.csv");
  expect(fileNameOf("/api/v1/ops/dead-letters")).toBe("dead-letters.csv");
  expect(fileNameOf("/api/v1/loans/%22;x=/history")).toBe("history.csv");
});
