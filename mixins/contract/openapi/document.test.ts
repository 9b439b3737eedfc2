import { expect, test } from "@jest/globals";
import Type from "typebox";
import { openApi, type Operation } from "./document.ts";

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
  const { paths, components } = document([operation]);
  const { parameters, requestBody, responses, security } = paths["/shelves/{shelf}/books"].post;
  expect(parameters.map(({ name, in: place, required }: any) => [name, place, required])).toEqual([
    ["shelf", "path", true],
    ["notify", "query", false],
    ["Idempotency-Key", "header", false],
  ]);
  expect(requestBody).toEqual({
    required: true,
    content: {
      "application/json": {
        schema: { $ref: "#/components/schemas/BooksAddBody" },
        example: { title: "sample", note: "sample" },
      },
    },
  });
  expect(components.schemas.BooksAddBody).toEqual({
    type: "object",
    title: "BooksAddBody",
    additionalProperties: false,
    required: ["title"],
    properties: { title: { type: "string", minLength: 1 }, note: { type: "string" } },
  });
  const answer = responses["201"].content["application/json"];
  expect(answer).toEqual({ schema: { $ref: "#/components/schemas/BooksAddAnswer" }, example: { id: "sample" } });
  expect(components.schemas.BooksAddAnswer.properties).toEqual({ id: { type: "string" } });
  expect(responses.default).toEqual({ $ref: "#/components/responses/Problem" });
  expect(security).toEqual([{ bearer: [] }]);
});

test("a schema with a title stands once, wherever it is used, and a list of them is its page", () => {
  const Book = Type.Object({ id: Type.String() }, { title: "Book" });
  const list = Type.Object({ rows: Type.Array(Book), best: Type.Optional(Book) });
  const { paths, components } = document([
    { ...operation, method: "GET", id: "books.list", body: {}, status: 200, returns: list },
    { ...operation, body: { books: Type.Array(Book) }, returns: Book },
  ]);
  const book = { $ref: "#/components/schemas/Book" };
  const { get, post } = paths["/shelves/{shelf}/books"];
  expect(get.responses["200"].content["application/json"].schema).toEqual({ $ref: "#/components/schemas/BookPage" });
  expect(post.responses["201"].content["application/json"].schema).toEqual(book);
  expect(components.schemas.BookPage.properties).toEqual({ rows: { type: "array", items: book }, best: book });
  expect(components.schemas.BooksAddBody.properties.books.items).toEqual(book);
  expect(components.schemas.Book).toEqual({ ...JSON.parse(JSON.stringify(Book)) });
});

test("two schemas under one title are both described: services of two releases may differ", () => {
  const returns = (field: string) => Type.Object({ [field]: Type.String() }, { title: "Book" });
  const { paths, components } = document([
    { ...operation, returns: returns("id") },
    { ...operation, method: "PUT", id: "books.set", returns: returns("isbn") },
  ]);
  const { schema } = paths["/shelves/{shelf}/books"].put.responses["201"].content["application/json"];
  expect(schema).toEqual({ $ref: "#/components/schemas/Book_2" });
  expect(components.schemas.Book_2.properties).toEqual({ isbn: { type: "string" } });
});

test("an answer has its header fields, and a 304 those that identify it", () => {
  const { paths, components } = document([
    {
      ...operation,
      method: "GET",
      body: {},
      status: 200,
      conditional: true,
      answerHeaders: ["ETag", "Link"],
      otherTypes: { "text/csv": Type.String() },
    },
  ]);
  const { responses } = paths["/shelves/{shelf}/books"].get;
  expect(Object.keys(responses["200"].headers)).toEqual(["X-Request-ID", "ETag", "Link"]);
  expect(Object.keys(responses["200"].content)).toEqual(["application/json", "text/csv"]);
  expect(Object.keys(responses["304"].headers)).toEqual(["X-Request-ID", "ETag"]);
  expect(responses["304"].content).toBeUndefined();
  for (const name of ["X-Request-ID", "ETag", "Link"]) expect(components.headers[name].description).toBeTruthy();
});

test("servers, groups, a licence and further ways to say who one is are the document's", () => {
  const securitySchemes = { bearer: { type: "http", scheme: "bearer" }, key: { type: "apiKey" } };
  const info = { title: "Books", version: "1", description: "", license: { name: "MIT" } };
  const servers = [{ url: "https://books.example" }];
  const written: any = openApi(info, [operation], { servers, tags: { books: "All books." }, securitySchemes });
  expect([written.servers, written.info.license]).toEqual([servers, { name: "MIT" }]);
  expect(written.tags).toEqual([{ name: "books", description: "All books." }]);
  expect(written.paths["/shelves/{shelf}/books"].post.security).toEqual([{ bearer: [] }, { key: [] }]);
});

test("a parameter that operations share stands once; a public operation may heed a credential that it does not need", () => {
  const wait = { id: "Wait", in: "header", name: "X-Wait", description: "Seconds.", schema: Type.Integer() } as const;
  const open = { ...operation, id: "books.read", secured: false, body: {}, heeds: ["bearer"], common: [wait] };
  const { paths, components } = document([
    { ...operation, common: [wait] },
    { ...open, method: "GET" },
  ]);
  const { get, post } = paths["/shelves/{shelf}/books"];
  const reference = { $ref: "#/components/parameters/Wait" };
  expect([get.parameters.at(-1), post.parameters.at(-1)]).toEqual([reference, reference]);
  expect(components.parameters).toEqual({
    Wait: { name: "X-Wait", in: "header", required: false, description: "Seconds.", schema: { type: "integer" } },
  });
  expect(get.security).toEqual([{}, { bearer: [] }]);
});

test("two methods of one path share it; no body is described where there is none", () => {
  const { returns: _, headers: __, ...rest } = operation;
  const remove = { ...rest, method: "DELETE", id: "books.clear", body: {}, status: 204, secured: false };
  const path = document([operation, remove]).paths["/shelves/{shelf}/books"];
  expect(Object.keys(path)).toEqual(["post", "delete"]);
  expect(path.delete.requestBody).toBeUndefined();
  expect(path.delete.responses["204"].content).toBeUndefined();
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
  const { headers } = post.responses["503"];
  expect(headers["Retry-After"]).toEqual({ $ref: "#/components/headers/Retry-After" });
  expect(post.responses["504"].description).toBe("`STORE_LOST`: the store cannot be reached.");
});
