import { expect, test } from "@jest/globals";
import { operationIds } from "./operation-id.ts";

const named = (line: string, action: string) => {
  const [method, url] = line.split(" ") as [string, string];
  return { method, url: url.startsWith("/.") ? url : url.startsWith("/api") ? url : `/api/v1${url}`, action };
};

test.each([
  ["GET /books", "books.list", "listBooks"],
  ["GET /books/:id", "books.get", "getBook"],
  ["POST /books", "books.create", "createBook"],
  ["PATCH /books/:id", "books.update", "updateBook"],
  ["GET /categories/:id", "books.category", "getCategory"],
  ["GET /shelf", "shelves.get", "getShelf"],
  ["PUT /shelf/items/:id", "shelves.put", "putShelfItem"],
  ["DELETE /shelf/items/:id", "shelves.removeItem", "removeShelfItem"],
  ["POST /loans", "loans.open", "openLoan"],
  ["POST /loans/:id/close", "loans.close", "closeLoan"],
  ["POST /loans/:id/fines", "loans.fine", "fineLoan"],
  ["GET /loans/:id/history", "loans.timeline", "getLoanHistory"],
  ["PATCH /readers/:id", "accounts.setRoles", "setReaderRoles"],
  ["POST /auth/login", "accounts.login", "login"],
  ["POST /staff/late-fees/:id/retry", "staff.retryLateFee", "retryLateFee"],
  ["POST /staff/late-fees/retry", "staff.retryLateFees", "retryLateFees"],
  ["GET /.well-known/jwks.json", "accounts.jwks", "listJwks"],
  ["GET /api/v2/loans/:id", "loans.view", "getLoanV2"],
])("%s by %s is %s", (line, action, id) => {
  const others = ["GET /shelf", "GET /books", "GET /loans"].map(each => named(each, "x.get"));
  expect(operationIds([named(line, action), ...others])[0]).toBe(id);
});

test("operations that would have one name are told apart", () => {
  const [get, view] = [named("GET /loans/:id", "loans.get"), named("GET /loans/:isbn", "loans.view")];
  expect(operationIds([get, view])).toEqual(["getLoan", "getLoan_2"]);
});
