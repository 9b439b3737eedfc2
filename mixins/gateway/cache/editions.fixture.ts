// Editions of the library's books, for the tests of the cache: public reads of rows and of actors, private ones, and a
// change that heeds conditions.
import { setTimeout as sleep } from "node:timers/promises";
import Type from "typebox";
import {
  ActorId,
  assertConditions,
  Conditions,
  defineContract,
  entityTag,
  strictObject,
} from "../../contract/index.ts";
import { defineErrors } from "../../kernel/index.ts";
import { startGateway } from "../gateway.fixture.ts";
import { looseRoute } from "../library.fixture.ts";
import { Gateway } from "../mixin.ts";

export interface Edition {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly updatedAt: string;
}
const id = Type.String({ format: "uuid" });
const Any = Type.Object({});
const errors = defineErrors({
  EDITION_NOT_FOUND: { status: 404, says: "there is no such edition", todo: "ask for another" },
});
const text = Type.String({ maxLength: 5_000 });

const editions = defineContract({
  service: "editions",
  actions: {
    get: { params: { id }, returns: Any },
    list: {
      params: { q: Type.Optional(text), page: Type.Optional(Type.Integer({ minimum: 1 })) },
      returns: Any,
    },
    rename: { params: { id, title: text, if: Type.Optional(Conditions) }, returns: Any },
    notes: { params: { size: Type.Integer() }, returns: Any },
    token: { params: { name: text }, returns: Any },
  },
  refusals: errors,
  mayRefuse: {
    get: ["EDITION_NOT_FOUND"],
    list: [],
    rename: ["EDITION_NOT_FOUND"],
    notes: [],
    token: [],
  },
  permissions: { rename: "editions:write" },
});
const presses = defineContract({
  service: "presses",
  actions: { print: { params: { id: ActorId }, returns: strictObject({ id: ActorId }) } },
});
const accounts = defineContract({ service: "accounts", actions: { jwks: { params: {}, returns: Any } } });

const kept = { maxAge: 5, sMaxAge: 10, staleWhileRevalidate: 20, staleIfError: 30 };
const tagOf = (edition: string) => `edition:${edition}`;
const routes = [
  looseRoute("GET /editions", "editions.list", {
    summary: "All editions",
    access: "public",
    query: { q: editions.actions.list.params.q, page: editions.actions.list.params.page },
    cache: { ...kept, tags: () => ["editions"] },
    params: ({ query }) => query,
  }),
  looseRoute("GET /editions/:id", "editions.get", {
    summary: "An edition",
    access: "public",
    path: { id },
    versioned: true,
    cache: { ...kept, tags: (edition: Edition) => [tagOf(edition.id)] },
    params: ({ path }) => path,
  }),
  looseRoute("GET /briefs/:id", "editions.get", {
    summary: "An edition, kept for a second",
    access: "public",
    path: { id },
    cache: { maxAge: 0, sMaxAge: 1, staleWhileRevalidate: 20, tags: (edition: Edition) => [tagOf(edition.id)] },
    params: ({ path }) => path,
  }),
  looseRoute("PATCH /editions/:id", "editions.rename", {
    summary: "Rename an edition",
    access: "admin",
    path: { id },
    body: { title: text },
    versioned: true,
    invalidates: (_result: unknown, { path }: { path: { id: string } }) => ["editions", tagOf(path.id)],
    params: ({ path, body, conditions }) => ({ ...conditions, ...body, id: path.id }),
  }),
  looseRoute("GET /prints/:id", "presses.print", {
    summary: "A print, an actor",
    access: "public",
    path: { id: ActorId },
    cache: { maxAge: 0, sMaxAge: 5, tags: (print: { id: string }) => [`print.${print.id}`, "presses"] },
    params: ({ path }) => path,
  }),
  looseRoute("GET /notes", "editions.notes", {
    summary: "Own notes",
    query: { size: Type.Integer() },
    params: ({ query }) => query,
  }),
  looseRoute("POST /auth/tokens", "editions.token", {
    summary: "A secret",
    access: "public",
    body: { name: text },
    params: ({ body }) => body,
  }),
];

export type Editions = Awaited<ReturnType<typeof startEditions>>;

export async function startEditions(env: Readonly<Record<string, string>> = {}) {
  const rows = new Map<string, Edition>();
  /** Answers take so long after they have read. */
  const pace = { delayMs: 0 };
  const read = async (asked: string): Promise<Edition> => {
    const found = rows.get(asked);
    if (!found) throw errors.EDITION_NOT_FOUND({ field: "id" });
    await sleep(pace.delayMs);
    return found;
  };
  const gateway = await startGateway(
    signer => ({
      contracts: [accounts, editions, presses],
      services: [Gateway({ api: { name: "Editions API" }, routes })],
      roles: ["reader"],
      answers: {
        "accounts.jwks": () => ({ keys: [signer.jwk] }),
        "editions.get": ctx => read(ctx.params.id),
        "editions.list": () => ({ rows: [...rows.values()].map(({ id: one, title }) => ({ id: one, title })) }),
        "editions.rename": async ({ params: { id: asked, title, if: conditions } }) => {
          const before = await read(asked);
          if (conditions) assertConditions(conditions, { tag: entityTag(before), modifiedAt: before.updatedAt });
          const after = { ...before, title };
          rows.set(asked, after);
          return after;
        },
        "editions.notes": ({ params: { size } }) => ({ text: "n".repeat(size) }),
        "editions.token": ({ params: { name } }) => ({ name, token: "secret" }),
        "presses.print": ({ params }) => params,
      },
    }),
    env,
  );
  return { ...gateway, editions: rows, pace };
}
