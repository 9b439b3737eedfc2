import { expect, test } from "@jest/globals";
import Type from "typebox";
import { strictObject } from "../../contract/index.ts";
import { Misconfigured } from "../../kernel/index.ts";
import { looseRoute, V2 } from "../library.fixture.ts";
import { page } from "./envelope.ts";
import { shape } from "./shape.ts";
import { withSuccessors, type Succession } from "./successor.ts";

const Body = strictObject({ days: Type.Integer() });
const put = looseRoute("PUT /shelf/items/:bookId", "shelves.put", {
  summary: "Put a book on the shelf",
  path: { bookId: Type.String({ format: "uuid" }) },
  body: Body.properties,
  contentLocation: "/api/v1/shelf",
  params: ({ path, body }) => ({ ...path, ...body }),
});
const line = "PUT /shelf/items/:bookId";
const make = (succession: Succession, version = V2) => withSuccessors(version, [put], { [line]: succession });

test("a successor has the URL of its version, and all else of its predecessor", () => {
  const [older, newer] = make({
    body: shape(Body).rename({ days: "length" }),
    params: asked => ({ ...asked, kept: true }),
  });
  expect(older).toMatchObject({ url: "/api/v1/shelf/items/:bookId", retires: { successor: "/api/v2" } });
  expect(newer).toMatchObject({ method: "PUT", url: "/api/v2/shelf/items/:bookId", version: "v2", access: "user" });
  expect(newer!.retires).toBeUndefined();
  const bookId = "0190a0a0-0000-7000-8000-000000000000";
  const request = newer!.read({ path: { bookId }, search: "", body: { length: 3 } });
  expect(request).toEqual({ path: { bookId }, asked: {}, query: {}, body: { days: 3 } });
  expect(newer!.target).toMatchObject({ action: "shelves.put", contentLocation: "/api/v2/shelf" });
  const { params } = newer!.target as { params: (request: object) => object };
  expect(params(request)).toEqual({ bookId, days: 3, kept: true });
});

test("an operation links to the resource that it answers, which can be read", () => {
  const spec = { summary: "", path: { id: Type.String() }, params: () => ({}) };
  const lines = ["GET /books/:id", "PATCH /books/:id", "POST /books/:id/lend", "POST /books", "POST /desks/:id/open"];
  const routes = lines.map(line => looseRoute(line, "books.get", spec));
  const successors = withSuccessors(V2, routes, Object.fromEntries(lines.map(line => [line, {}]))).slice(lines.length);
  expect(successors.map(({ self }) => self)).toEqual([undefined, undefined, "/api/v2/books/:id", undefined, undefined]);
});

test("what cannot be derived fails the start, by name", () => {
  const wrong: [() => unknown, RegExp][] = [
    [() => withSuccessors(V2, [put], { "GET /shelf": {} }), /no route "GET \/shelf"/],
    [() => make({ body: shape(strictObject({ weeks: Type.Integer() })) }), /PUT .*: the shape of the body is of weeks/],
    [() => make({ query: shape(Body) }), /the shape of the query is of days/],
    [() => make({}, { ...V2, sunset: "soon" }), /"soon" is no day/],
    [() => make({}, { ...V2, deprecates: "2026-13-01" }), /is no day/],
    [() => page(Type.Object({}), "rows", shape(Body)), /no field rows/],
    [() => page(Type.Object({ rows: Type.Array(Body) }), "rows", shape(Body)), /no field total/],
  ];
  for (const [start, message] of wrong) {
    expect(start).toThrow(Misconfigured);
    expect(start).toThrow(message);
  }
});
