import { describe, expect, test } from "@jest/globals";
import Type from "typebox";
import { looseRoute as route, routes } from "../library.fixture.ts";

const sample = route("PUT /shelf/items/:bookId", "shelves.put", {
  summary: "",
  path: { bookId: Type.String({ format: "uuid" }) },
  query: {
    page: Type.Optional(Type.Integer({ minimum: 1 })),
    q: Type.Optional(Type.String()),
    all: Type.Optional(Type.Boolean()),
  },
  body: { days: Type.Integer({ minimum: 1 }) },
  params: ({ path, body, user }) => ({ ...path, ...body, owner: user.id }),
});
const bookId = "0190a0a0-0000-7000-8000-000000000000";
const read = (search = "", body: unknown = { days: 1 }) => sample.read({ path: { bookId }, search, body });
const fields = (run: () => unknown): string[] => {
  try {
    run();
    return [];
  } catch (error) {
    return (error as { data: { errors: { field: string }[] } }).data.errors.map(({ field }) => field);
  }
};

describe("a route", () => {
  test("reads each field from its place, numbers of the query as numbers", () => {
    expect(read("page=2&q=7")).toEqual({ path: { bookId }, query: { page: 2, q: "7" }, body: { days: 1 } });
  });

  test("reads true and false of the query as such, and no other text", () => {
    expect([read("all=true"), read("all=false&q=true")].map(({ query }) => query)).toEqual([
      { all: true },
      { all: false, q: "true" },
    ]);
    for (const text of ["1", "yes", "TRUE", ""]) expect(fields(() => read(`all=${text}`))).toEqual(["all"]);
  });

  test("names each field that is wrong, unknown or given twice, in every place", () => {
    expect(fields(() => read("page=x"))).toEqual(["page"]);
    expect(fields(() => read("page=1.5"))).toEqual(["page"]);
    expect(fields(() => read("days=2"))).toEqual(["days"]);
    expect(fields(() => read("q=a&q=b"))).toEqual(["q"]);
    expect(fields(() => read("__proto__=1&toString=2")).sort()).toEqual(["__proto__", "toString"]);
    expect(fields(() => read("page=0", { days: 0, weight: 1 })).sort()).toEqual(["days", "page", "weight"]);
    for (const body of [[], null, 5, "x"]) expect(fields(() => read("", body))).toEqual(["body"]);
  });

  test("P6 refuses text that would be stored as another text, and names the field", () => {
    for (const q of ["%ff", "a%C3", "%ED%A0%BD", "\u00c3\u00a9"])
      expect(fields(() => read(`page=2&q=${q}`))).toEqual(["q"]);
    expect(read("q=%F0%9F%93%9A+100%&page=2").query).toEqual({ q: "📚 100%", page: 2 });
  });

  test("is for every user that is logged in, unless it says another", () => expect(sample.access).toBe("user"));
});

describe("null, and an answer that a client sends back", () => {
  const Line = Type.Object({ note: Type.Optional(Type.String()), n: Type.Integer() }, { additionalProperties: false });
  const patch = route("PATCH /shelf/items/:bookId", "shelves.put", {
    summary: "",
    path: { bookId: Type.String({ format: "uuid" }) },
    body: {
      days: Type.Integer(),
      note: Type.Optional(Type.String()),
      cover: Type.Optional(Type.Union([Type.String(), Type.Null()])),
      lines: Type.Optional(Type.Array(Line)),
    },
    params: ({ path, user }) => ({ ...path, days: 1, owner: user.id }),
  });
  const bodyOf = (body: unknown, keepsNull = false) =>
    patch.read({ path: { bookId }, search: "", body, keepsNull }).body;

  test("null for an optional field is absent, at every depth; null stays where it is a value", () => {
    expect(bodyOf({ days: 1, note: null, cover: null, lines: [{ n: 1, note: null }] })).toEqual({
      days: 1,
      cover: null,
      lines: [{ n: 1 }],
    });
  });

  test("null for a required or an unknown field is refused by name, and any in a merge patch", () => {
    expect(fields(() => bodyOf({ days: null }))).toEqual(["days"]);
    expect(fields(() => bodyOf({ days: 1, weight: null }))).toEqual(["weight"]);
    expect(fields(() => bodyOf({ days: 1, lines: [{ n: null }] }))).toEqual(["lines.0.n"]);
    expect(fields(() => bodyOf({ days: 1, note: null }, true))).toEqual(["note"]);
  });

  test("an id of the path may stand in the body, if it is the same", () => {
    expect(bodyOf({ days: 1, bookId: bookId.toUpperCase() })).toEqual({ days: 1 });
    expect(fields(() => bodyOf({ days: 1, bookId: bookId.replace("0190", "0191") }))).toEqual(["bookId"]);
  });
});

test("UUIDs in capitals are lower-cased wherever the schema says that they are UUIDs, and texts are left alone", () => {
  const upper = bookId.toUpperCase();
  const places = sample.read({ path: { bookId: upper }, search: `q=${upper}`, body: { days: 1 } });
  expect(places).toMatchObject({ path: { bookId }, query: { q: upper } });
});

test("unknown fields of the query, which anything may append to a link, are ignored on public reads, and on no other", () => {
  const list = routes.find(({ url, method }) => method === "GET" && url.endsWith("/books"))!;
  const search = "utm_source=x&utm_campaign=y&gclid=1&fbclid=2&_=1700000000&utm=%ff&page=2";
  expect(list.read({ path: {}, search, body: {} }).query).toEqual({ page: 2 });
  const links = [
    "utm[x]=1",
    "utm_source[]=1",
    "constructor=1",
    Array.from({ length: 200 }, (_, n) => `x${n}=1`).join("&"),
  ];
  for (const link of links)
    expect(list.read({ path: {}, search: `${link}&page=2`, body: {} }).query).toEqual({ page: 2 });
  for (const name of ["page[x]", "q[]", "__proto__", "__proto__[x]", "constructor[prototype][x]"])
    expect(fields(() => list.read({ path: {}, search: `${name}=1`, body: {} }))).toEqual([name]);
  expect(fields(() => list.read({ path: {}, search: "page=1&page=2", body: {} }))).toEqual(["page"]);
  expect(fields(() => list.read({ path: {}, search: "q=%ff&utm=%ff", body: {} }))).toEqual(["q"]);
  expect(fields(() => read("utm_source=x"))).toEqual(["utm_source"]);
});
