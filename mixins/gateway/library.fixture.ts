// The domain of the gateway's own tests: a library with books, a shelf for each reader, loans as actors, and log-in. It is as
// large as the mechanism needs: every kind of access, route and answer occurs once.
import Type, { type TSchema } from "typebox";
import type { ServiceSchema } from "moleculer";
import { ActorId, Conditions, Cursor, defineContract, EntityId, ReadToken, strictObject } from "../contract/index.ts";
import { defineErrors, idFrom, newId, Refusal } from "../kernel/index.ts";
import { startGateway, type Handlers, type RunningGateway } from "./gateway.fixture.ts";
import {
  API,
  eventStream,
  one,
  page as pageOf,
  route,
  shape,
  withSuccessors,
  type Access,
  type Request,
  type Route,
  type StreamedEvent,
} from "./index.ts";
import { Gateway } from "./mixin.ts";

/** Untyped, so that the compiler does not offer the contracts of a fixture to every service. */
interface Spec {
  readonly summary: string;
  readonly access?: Access;
  readonly [part: string]: unknown;
  readonly params: (request: Request<any, any, any>) => object;
}
export const looseRoute = route as unknown as (line: string, action: string, spec: Spec) => Route;
const looseStream = eventStream as unknown as (
  line: string,
  action: string,
  spec: Spec & { data: (event: StreamedEvent, request: Request<any, any, any>) => object },
) => Route;

const id = Type.String({ format: "uuid" });
const page = {
  page: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
  cursor: Type.Optional(Cursor),
};
const list = {
  ...page,
  q: Type.Optional(Type.String({ maxLength: 100 })),
  sort: Type.Optional(Type.Enum(["title", "-title"])),
};
const title = Type.String({ minLength: 1, maxLength: 200 });
const moment = Type.String({ maxLength: 40 });
const bookFields = { isbn: ActorId, title, about: Type.String({ maxLength: 5_000 }) };
const Book = Type.Object({
  id: Type.String(),
  ...bookFields,
  cover: Type.Optional(Type.String()),
  createdAt: Type.String(),
  updatedAt: Type.String(),
});
const listOf = <S extends TSchema>(row: S) =>
  Type.Object({
    rows: Type.Array(row),
    total: Type.Integer(),
    page: Type.Optional(Type.Integer()),
    pageSize: Type.Integer(),
    nextCursor: Type.Optional(Type.String()),
  });
const changes = {
  isbn: Type.Optional(ActorId),
  title: Type.Optional(title),
  about: Type.Optional(Type.String({ maxLength: 5_000 })),
  cover: Type.Optional(Type.Union([Type.String({ maxLength: 200 }), Type.Null()])),
  createdAt: Type.Optional(moment),
  updatedAt: Type.Optional(moment),
};
const Line = strictObject({ bookId: id, days: Type.Integer({ minimum: 1, maximum: 1_000 }) });
const opened = {
  lines: Type.Optional(Type.Array(Line, { minItems: 1, maxItems: 100 })),
  fromShelf: Type.Optional(Type.Boolean()),
  desk: strictObject({ name: Type.String({ maxLength: 200 }), note: Type.Optional(Type.String({ maxLength: 200 })) }),
};
const Loan = Type.Object({
  id: Type.String(),
  version: Type.Integer(),
  status: Type.String(),
  reader: Type.Optional(Type.String()),
  lines: Type.Optional(Type.Array(Line)),
  desk: Type.Optional(Type.Object({ name: Type.String(), note: Type.Optional(Type.String()) })),
  note: Type.Optional(Type.String()),
});
const closed = { reason: Type.Optional(Type.String({ maxLength: 500 })) };
const email = Type.String({ maxLength: 254, format: "email" });
const password = Type.String({ minLength: 1, maxLength: 512 });
const Any = Type.Object({});

const accounts = defineContract({
  service: "accounts",
  actions: {
    register: { params: { email, password, name: title }, returns: Any },
    login: { params: { email, password }, returns: Any },
    get: { params: { id: Type.String() }, returns: Any },
    openSession: { params: { email, password, replaces: Type.Optional(Type.String()) }, returns: Any },
    readSession: { params: { user: Type.String() }, returns: Any },
    closeSession: { params: { session: Type.Optional(Type.String()) }, returns: Any },
    exchange: { params: { kind: Type.String(), credential: Type.String() }, returns: Any },
    jwks: { params: {}, returns: Any },
  },
});
const books = defineContract({
  service: "books",
  actions: {
    list: { params: list, returns: listOf(Book) },
    get: { params: { id }, returns: Book },
    create: { params: bookFields, returns: Book },
    update: { params: { id, ...changes, if: Type.Optional(Conditions) }, returns: Book },
    remove: { params: { id, if: Type.Optional(Conditions) }, returns: Any },
    copies: { params: { isbn: ActorId }, returns: Any },
  },
  permissions: { create: "books:write", update: "books:write", remove: "books:write" },
});
const shelves = defineContract({
  service: "shelves",
  actions: {
    get: { params: { owner: Type.String() }, returns: Any },
    put: {
      params: { owner: Type.String(), bookId: id, days: Type.Integer(), if: Type.Optional(Conditions) },
      returns: Any,
    },
  },
});
const loans = defineContract({
  service: "loans",
  commands: { open: { reader: Type.String(), ...opened }, close: { reader: Type.Optional(Type.String()), ...closed } },
  actions: {
    list: { params: { reader: Type.String(), after: Type.Optional(ReadToken), ...page }, returns: listOf(Loan) },
    view: { params: { id: ActorId }, returns: Loan },
    timeline: { params: { id: ActorId, from: Type.Optional(Type.Integer({ minimum: 1 })) }, returns: Any },
    notify: { params: { body: Type.String(), signature: Type.String() }, returns: Any },
    report: { params: { id: ActorId }, returns: Any },
    dump: { params: { cursor: Type.Optional(Cursor) }, returns: Type.Object({ lines: Type.Array(Type.String()) }) },
  },
  refusals: defineErrors({
    LOAN_NOT_FOUND: { status: 404, says: "there is no such loan", todo: "ask for your loans" },
    BOOK_NOT_FOUND: { status: 404, inBody: 422, says: "there is no such book", todo: "choose another" },
    DESK_CLOSED: { status: 409, says: "the desk is closed", todo: "come back tomorrow" },
  }),
  mayRefuse: {
    open: ["BOOK_NOT_FOUND", "DESK_CLOSED"],
    close: ["LOAN_NOT_FOUND"],
    list: [],
    view: ["LOAN_NOT_FOUND"],
    timeline: ["LOAN_NOT_FOUND"],
    notify: [],
    report: ["LOAN_NOT_FOUND"],
    dump: [],
  },
  permissions: { report: "loans:report", dump: "loans:read" },
});

const path = { id: EntityId };
const first: readonly Route[] = [
  looseRoute("POST /auth/register", "accounts.register", {
    summary: "Open an account",
    access: "public",
    limit: "register",
    body: { email, password, name: title },
    params: ({ body }) => body,
    status: 201,
  }),
  looseRoute("POST /auth/login", "accounts.login", {
    summary: "Log in",
    access: "public",
    limit: "login",
    body: { email, password },
    params: ({ body }) => body,
  }),
  looseRoute("GET /me", "accounts.get", {
    summary: "The user that is logged in",
    params: ({ user }) => ({ id: user.id }),
  }),
  looseRoute("POST /session", "accounts.openSession", {
    summary: "Log a page in",
    access: "public",
    body: { email, password, for: Type.Optional(Type.String({ maxLength: 64 })) },
    session: "open",
    params: ({ body: { email, password }, session }) => ({ email, password, ...(session && { replaces: session }) }),
  }),
  looseRoute("GET /session", "accounts.readSession", {
    summary: "The user that a page is logged in as",
    params: ({ user }) => ({ user: user.id }),
  }),
  looseRoute("DELETE /session", "accounts.closeSession", {
    summary: "Log a page out",
    access: "public",
    session: "close",
    params: ({ session }) => ({ ...(session && { session }) }),
    status: 204,
  }),
  looseRoute("GET /.well-known/jwks.json", "accounts.jwks", {
    summary: "Public keys of the access tokens",
    access: "public",
    params: () => ({}),
    cacheControl: "public, max-age=300",
  }),
  looseRoute("GET /books", "books.list", {
    summary: "Search the books",
    access: "public",
    query: list,
    list: "rows",
    params: ({ query }) => query,
  }),
  looseRoute("GET /books/:id", "books.get", {
    summary: "One book",
    access: "public",
    path: { id },
    versioned: true,
    params: ({ path }) => path,
  }),
  looseRoute("POST /books", "books.create", {
    summary: "Add a book",
    access: "admin",
    body: bookFields,
    params: ({ body }) => body,
    status: 201,
    location: (book: { id: string }) => `${API}/books/${book.id}`,
  }),
  looseRoute("PATCH /books/:id", "books.update", {
    summary: "Change fields of a book",
    access: ["admin"],
    path: { id },
    body: changes,
    versioned: true,
    params: ({ path, body, conditions }) => ({ ...body, ...conditions, id: path.id }),
  }),
  looseRoute("DELETE /books/:id", "books.remove", {
    summary: "Remove a book",
    access: "admin",
    path: { id },
    versioned: true,
    params: ({ path, conditions }) => ({ ...conditions, ...path }),
    status: 204,
  }),
  looseRoute("GET /copies/:isbn", "books.copies", {
    summary: "The number of copies",
    access: "public",
    path: { isbn: ActorId },
    params: ({ path }) => path,
  }),
  looseRoute("GET /shelf", "shelves.get", {
    summary: "The user's shelf",
    versioned: true,
    params: ({ user }) => ({ owner: user.id }),
  }),
  looseRoute("PUT /shelf/items/:bookId", "shelves.put", {
    summary: "Put a book on the shelf",
    path: { bookId: id },
    body: { days: Type.Integer({ minimum: 1, maximum: 1_000 }) },
    versioned: true,
    contentLocation: `${API}/shelf`,
    params: ({ path, body, user, conditions }) => ({ ...conditions, ...path, ...body, owner: user.id }),
  }),
  looseRoute("POST /loans", "loans.open", {
    summary: "Borrow books",
    body: opened,
    idempotent: true,
    params: ({ body, user, key }) => ({
      ...body,
      id: key === undefined ? newId() : idFrom(user.id, key),
      reader: user.id,
    }),
    status: 201,
    location: (loan: { id: string }) => `${API}/loans/${loan.id}`,
  }),
  looseRoute("GET /loans", "loans.list", {
    summary: "The user's loans",
    query: { ...page, after: Type.Optional(ReadToken) },
    list: "rows",
    params: ({ query, user }) => ({ ...query, reader: user.id }),
  }),
  looseRoute("GET /loans/:id", "loans.view", { summary: "One loan", path, params: ({ path }) => path }),
  looseRoute("POST /loans/:id/close", "loans.close", {
    summary: "Close a loan",
    path,
    body: closed,
    idempotent: true,
    params: ({ path, body, user }) => ({
      ...body,
      id: path.id,
      ...(!user.roles.includes("admin") && { reader: user.id }),
    }),
  }),
  looseStream("GET /loans/:id/stream", "loans.timeline", {
    summary: "What happens to a loan, as server-sent events",
    path,
    actor: "loan",
    last: ["loan.returned", "loan.lost"],
    params: ({ path }) => path,
    data: ({ type, version, data }, { path }) => ({ id: path.id, status: type.replace(/^loan\./, ""), version, data }),
  }),
  looseRoute("POST /notices/webhook", "loans.notify", {
    summary: "A signed notice of another library",
    access: "public",
    body: { body: Type.String({ maxLength: 20_000 }), signature: Type.String({ maxLength: 200 }) },
    signedBy: "webhook-signature",
    params: ({ body }) => body,
  }),
  looseRoute("POST /staff/loans/:id/report", "loans.report", {
    summary: "Report a loan",
    access: "admin",
    path,
    params: ({ path }) => path,
  }),
  looseRoute("GET /staff/loans", "loans.dump", {
    summary: "All loans, a line each",
    access: "admin",
    query: { cursor: Type.Optional(Cursor) },
    lines: "lines",
    params: ({ query }) => query,
  }),
];

// Version 2 of books and loans: other names, an envelope, and pages by cursor only.
export const bookV2 = shape(Book).rename({ about: "blurb", createdAt: "created", updatedAt: "updated" });
export const lineV2 = shape(Line).rename({ bookId: "book" });
export const loanV2 = shape(Loan)
  .drop("version")
  .each("lines", lineV2)
  .default("lines", [])
  .rename({ status: "state", lines: "items" })
  .move("note", "remarks.note");
const openedV2 = shape(strictObject(opened)).each("lines", lineV2).rename({ lines: "items" });
const searched = shape(strictObject(list))
  .drop("page")
  .rename({ q: "search" })
  .values("sort", { title: "name", "-title": "-name" });
const change = shape(strictObject({ status: Type.String(), version: Type.Integer() })).rename({ status: "state" });

export const V2 = { name: "v2", deprecates: "2026-12-01", sunset: "2027-12-01" };
export const routes: readonly Route[] = withSuccessors(V2, first, {
  "GET /books": { query: searched, answer: pageOf(listOf(Book), "rows", bookV2) },
  "GET /books/:id": { answer: one(bookV2) },
  "POST /books": {
    body: shape(strictObject(bookFields)).rename({ about: "blurb" }),
    answer: one(bookV2),
  },
  "PATCH /books/:id": {
    body: shape(strictObject(changes)).rename({ about: "blurb", createdAt: "created", updatedAt: "updated" }),
    answer: one(bookV2),
  },
  "DELETE /books/:id": {},
  "POST /loans": { body: openedV2, answer: one(loanV2, { meta: ["version"] }) },
  "GET /loans": {
    query: shape(strictObject({ ...page, after: Type.Optional(ReadToken) })).drop("page"),
    answer: pageOf(listOf(Loan), "rows", loanV2),
  },
  "GET /loans/:id": { answer: one(loanV2, { meta: ["version"] }) },
  "GET /loans/:id/stream": { event: change },
});

/** Browser sessions: a reader's, and that of the staff at the desk. */
export const SESSIONS = ["reading", "desk"];
export const api = Gateway({ api: { name: "Library API" }, routes, sessions: SESSIONS });
export const book = {
  id: newId(),
  isbn: "978-0",
  title: "A Book",
  about: "",
  createdAt: "2026-01-01T00:00:00.000Z",
  updatedAt: "2026-01-01T00:00:00.000Z",
};
export const loanBody = { lines: [{ bookId: book.id, days: 14 }], desk: { name: "A" } };

export type Library = RunningGateway;
/** Starts the library; `handlers` replace answers (`"books.get": ctx => …`), `extra` adds services. */
export const startLibrary = (
  handlers: Handlers = {},
  extra: readonly ServiceSchema[] = [],
  env: Readonly<Record<string, string>> = {},
  gateway: ServiceSchema<any, any, any, any> = api,
): Promise<Library> =>
  startGateway((signer, recordings) => {
    const person = { id: newId(), email: "a@example.com", name: "A", roles: ["reader"] };
    const nothing = { rows: [], total: 0, page: 1, pageSize: 20 };
    return {
      contracts: [accounts, books, shelves, loans],
      services: [...extra, gateway],
      roles: ["reader"],
      answers: {
        "accounts.register": () => person,
        "accounts.login": () => ({ accessToken: "a", user: person }),
        "accounts.get": ctx => ({ ...person, id: ctx.params.id }),
        "accounts.openSession": () => ({ user: person }),
        "accounts.readSession": ctx => ({ user: { ...person, id: ctx.params.user } }),
        "accounts.closeSession": () => ({ closed: true }),
        "accounts.exchange": () => {
          throw new Refusal("BAD_CREDENTIAL", { status: 401 });
        },
        "accounts.jwks": () => ({ keys: [signer.jwk] }),
        "books.list": () => nothing,
        "books.get": () => book,
        "books.create": () => book,
        "books.update": () => book,
        "books.remove": ctx => ({ id: ctx.params.id }),
        "books.copies": ctx => ({ isbn: ctx.params.isbn, copies: 3 }),
        "shelves.get": () => ({ items: [] }),
        "shelves.put": ({ params: { bookId, days } }) => ({ items: [{ bookId, days }] }),
        "loans.open": ctx =>
          recordings.recorded(ctx, "open", () => ({ id: ctx.params.id, version: 1, status: "opened" })),
        "loans.close": ctx =>
          recordings.recorded(ctx, "close", () => ({ id: ctx.params.id, version: 2, status: "closed" })),
        "loans.list": () => nothing,
        "loans.view": ctx => ({ id: ctx.params.id, version: 1, status: "opened", reader: ctx.meta.user.id }),
        "loans.timeline": ctx => recordings.history(ctx, "LOAN_NOT_FOUND"),
        "loans.notify": () => ({ received: true }),
        "loans.report": ctx => ({ id: ctx.params.id }),
        "loans.dump": () => ({ lines: [] }),
        ...handlers,
      },
    };
  }, env);
