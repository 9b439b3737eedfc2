import { expect, test } from "@jest/globals";
import Type from "typebox";
import { openApi, type Operation } from "./openapi.ts";

const operation: Operation = {
  method: "POST",
  url: "/shelves/:shelf/books",
  id: "books.add",
  tag: "books",
  summary: "Add a book",
  secured: true,
  path: { shelf: Type.String() },
  query: { notify: Type.Optional(Type.Boolean()) },
  body: { title: Type.String({ minLength: 1 }), note: Type.Optional(Type.String()) },
  headers: { "Idempotency-Key": { description: "once", schema: Type.String() } },
  status: 201,
  returns: Type.Object({ id: Type.String() }),
};
const document = (operations: Operation[]): any =>
  JSON.parse(JSON.stringify(openApi({ title: "Books", version: "1", description: "" }, operations)));

test("an operation has its params from their places, its body, and what it answers", () => {
  const { parameters, requestBody, responses, security } = document([operation]).paths["/shelves/{shelf}/books"].post;
  expect(parameters.map(({ name, in: place, required }: any) => [name, place, required])).toEqual([
    ["shelf", "path", true],
    ["notify", "query", false],
    ["Idempotency-Key", "header", false],
  ]);
  expect(requestBody).toEqual({
    required: true,
    content: {
      "application/json": {
        schema: {
          type: "object",
          additionalProperties: false,
          required: ["title"],
          properties: { title: { type: "string", minLength: 1 }, note: { type: "string" } },
        },
      },
    },
  });
  expect(responses["201"].content["application/json"].schema.properties).toEqual({ id: { type: "string" } });
  expect(responses.default).toEqual({ $ref: "#/components/responses/Problem" });
  expect(security).toEqual([{ bearer: [] }]);
});

test("two methods of one path share it; no body is described where there is none", () => {
  const { returns: _, headers: __, ...rest } = operation;
  const remove = { ...rest, method: "DELETE", id: "books.clear", body: {}, status: 204, secured: false };
  const path = document([operation, remove]).paths["/shelves/{shelf}/books"];
  expect(Object.keys(path)).toEqual(["post", "delete"]);
  expect(path.delete.requestBody).toBeUndefined();
  expect(path.delete.responses["204"]).toEqual({ description: "Done." });
  expect(path.delete.security).toEqual([]);
});

test("an operation lists its errors by status; what several operations have stands once", () => {
  const gone = { SHELF_NOT_FOUND: { status: 404, says: "there is no such shelf" } };
  const errors = {
    ...gone,
    BOOK_EXISTS: { status: 409, says: "the shelf has this book" },
    SHELF_FULL: { status: 409, says: "the shelf holds no more" },
    STORE_LOST: { status: 503, unknown: 504, says: "the store cannot be reached" },
  } as const;
  const { paths, components } = document([
    { ...operation, errors },
    { ...operation, method: "DELETE", id: "books.clear", errors: gone },
  ]);
  const { post, delete: remove } = paths["/shelves/{shelf}/books"];
  expect(Object.keys(post.responses)).toEqual(["201", "404", "409", "503", "504", "default"]);
  expect(post.responses["404"]).toEqual({ $ref: "#/components/responses/Problem404" });
  expect(remove.responses["404"]).toEqual(post.responses["404"]);
  expect(components.responses.Problem404.description).toBe("`SHELF_NOT_FOUND`: there is no such shelf.");
  const { schema } = post.responses["409"].content["application/problem+json"];
  expect(schema.allOf[1].properties.type.enum).toEqual(["/problems/book-exists", "/problems/shelf-full"]);
  expect(post.responses["504"].description).toBe("`STORE_LOST`: the store cannot be reached.");
});
