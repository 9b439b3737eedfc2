// The HTTP routes of operations, for administrators. A domain spreads them among its own routes.
import Type from "typebox";
import { ActorId, PersonLines } from "../contract/index.ts";
import { route, type Route } from "../gateway/index.ts";

const access = "admin";
const name = Type.String({ pattern: "^[a-z][a-z0-9-]{0,63}$" });
/** Full name of a service: with a version before a dot, if it has one. */
const service = Type.String({ pattern: "^(v[0-9A-Za-z.-]{1,32}[.])?[a-z][a-z0-9-]{0,63}$", maxLength: 64 });
const id = Type.String({ minLength: 1, maxLength: 200, pattern: "^[A-Za-z0-9][A-Za-z0-9_.:@-]*$" });
const page = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
  after: Type.Optional(Type.String({ maxLength: 200 })),
};
const note = Type.Optional(PersonLines({ maxLength: 500 }));

export const operationsRoutes: readonly Route[] = [
  route("GET /ops/nodes", "ops.nodes", { summary: "Nodes and their services", access, params: () => ({}) }),
  route("GET /ops/sagas", "ops.sagas", {
    summary: "Sagas by state, oldest first; the open ones unless a state is said",
    access,
    query: {
      state: Type.Optional(Type.Enum(["open", "running", "compensating", "stuck", "completed", "compensated"])),
      ...page,
    },
    params: ({ query }) => query,
  }),
  route("GET /ops/sagas/:id", "ops.saga", {
    summary: "One saga with its timeline",
    access,
    path: { id },
    params: ({ path }) => path,
  }),
  route("POST /ops/sagas/:id/retry", "ops.retrySaga", {
    summary: "Try a stuck saga's step again",
    access,
    path: { id },
    body: { note },
    params: ({ path, body }) => ({ ...body, id: path.id }),
  }),
  route("POST /ops/sagas/:id/compensate", "ops.compensateSaga", {
    summary: "Undo a stuck saga; with pastPivot also one past its point of no return, by the undo of each step",
    access,
    path: { id },
    body: { note, pastPivot: Type.Optional(Type.Boolean()) },
    params: ({ path, body }) => ({ ...body, id: path.id }),
  }),
  route("GET /ops/actors/:type/:id", "ops.actor", {
    summary: "An actor's state, now or at a version, and its latest events",
    access,
    path: { type: name, id: ActorId },
    query: { version: Type.Optional(Type.Integer({ minimum: 0 })) },
    params: ({ path, query }) => ({ ...query, ...path }),
  }),
  route("GET /ops/quarantine", "ops.quarantined", {
    summary: "Actors whose record cannot be read, with the reason",
    access,
    params: () => ({}),
  }),
  route("POST /ops/actors/:type/:id/release", "ops.releaseQuarantine", {
    summary: "Read an actor in quarantine again",
    access,
    path: { type: name, id: ActorId },
    params: ({ path }) => path,
  }),
  route("POST /ops/archive/:type", "ops.archive", {
    summary: "Move finished actors of a type, or `sagas`, to the cold part",
    access,
    path: { type: name },
    body: {
      olderThanDays: Type.Number({ minimum: 0 }),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
      after: Type.Optional(Type.String({ maxLength: 200 })),
      gone: Type.Optional(Type.Array(Type.String({ pattern: "^[a-z0-9][a-z0-9.-]{0,63}$" }), { maxItems: 100 })),
    },
    params: ({ path, body }) => ({ ...body, type: path.type }),
  }),
  route("GET /ops/consumers", "ops.consumers", {
    summary: "Readers of other services' logs, with their lag, and those that have stopped",
    access,
    params: () => ({}),
  }),
  route("POST /ops/consumers/:name/reset", "ops.resetConsumer", {
    summary: "Send a consumer on whose place is not in the log, to the log's start or its head",
    access,
    path: { name: id },
    body: {
      to: Type.Enum(["head", "start"]),
      dryRun: Type.Optional(Type.Boolean()),
      service: Type.Optional(name),
    },
    params: ({ path, body }) => ({ ...body, name: path.name }),
  }),
  route("GET /ops/projections", "ops.projections", {
    summary: "Projections with their lag",
    access,
    params: () => ({}),
  }),
  route("POST /ops/projections/:name/rebuild", "ops.rebuild", {
    summary: "Build a projection anew beside the live one, then switch",
    access,
    path: { name },
    params: ({ path }) => path,
  }),
  route("GET /ops/dead-letters", "ops.deadLetters", {
    summary: "Events that a consumer could not handle",
    access,
    query: { service: Type.Optional(service), ...page },
    params: ({ query }) => query,
  }),
  route("POST /ops/dead-letters/:id/retry", "ops.retryDeadLetter", {
    summary: "Let the consumer try again, in the order of the stream",
    access,
    path: { id },
    params: ({ path }) => path,
  }),
  route("POST /ops/dead-letters/retry", "ops.retryDeadLetters", {
    summary: "Let consumers try a group of parked streams again, each in its order, at a bounded rate",
    access,
    body: {
      service: Type.Optional(service),
      consumer: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
      error: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
      olderThanMinutes: Type.Optional(Type.Number({ minimum: 0, maximum: 100_000_000 })),
    },
    params: ({ body }) => body,
  }),
];
