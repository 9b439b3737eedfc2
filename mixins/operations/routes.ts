// The HTTP routes of operations, for administrators. A domain spreads them among its own routes.
import { omit, pick } from "../contract/index.ts";
import { route, type Route } from "../gateway/index.ts";
import { contract } from "./contract.ts";

const access = "admin";
/** An operator acts when something is wrong: under overload too. */
const priority = "critical";
const { nodes, circuits, quarantined, consumers, projections } = contract.actions;
const { sagas, saga, retrySaga, compensateSaga, actor, releaseQuarantine, archive } = contract.actions;
const { resetConsumer, rebuild, deadLetters, retryDeadLetter, retryDeadLetters } = contract.actions;
const { logLevels, setLogLevel } = contract.actions;

export const operationsRoutes: readonly Route[] = [
  route("GET /ops/circuits", "ops.circuits", {
    summary: "Circuits between the nodes: state, failures, since when, and the next try; the open ones first",
    access,
    priority,
    list: "circuits",
    query: circuits.params,
    params: ({ query }) => query,
  }),
  route("GET /ops/nodes", "ops.nodes", {
    summary: "Nodes and their services",
    access,
    list: "nodes",
    query: nodes.params,
    params: ({ query }) => query,
  }),
  route("GET /ops/sagas", "ops.sagas", {
    summary: "Sagas by state, oldest first; the open ones unless a state is given",
    access,
    priority,
    query: sagas.params,
    list: "sagas",
    params: ({ query }) => query,
  }),
  route("GET /ops/sagas/:id", "ops.saga", {
    summary: "One saga with its timeline",
    access,
    priority,
    path: saga.params,
    params: ({ path }) => path,
  }),
  route("POST /ops/sagas/:id/retry", "ops.retrySaga", {
    summary: "Try a stuck saga's step again",
    access,
    priority,
    path: pick(retrySaga.params, "id"),
    body: omit(retrySaga.params, "id"),
    params: ({ path, body }) => ({ ...body, id: path.id }),
  }),
  route("POST /ops/sagas/:id/compensate", "ops.compensateSaga", {
    summary: "Undo a stuck saga; with pastPivot also one past its point of no return, by the undo of each step",
    access,
    priority,
    path: pick(compensateSaga.params, "id"),
    body: omit(compensateSaga.params, "id"),
    params: ({ path, body }) => ({ ...body, id: path.id }),
  }),
  route("GET /ops/actors/:type/:id", "ops.actor", {
    summary: "An actor's state, now or at a version, and its latest events",
    access,
    priority,
    path: pick(actor.params, "type", "id"),
    query: pick(actor.params, "version"),
    params: ({ path, query }) => ({ ...query, ...path }),
  }),
  route("GET /ops/quarantine", "ops.quarantined", {
    summary: "Actors whose record cannot be read, with the reason",
    access,
    priority,
    list: "quarantined",
    query: quarantined.params,
    params: ({ query }) => query,
  }),
  route("POST /ops/actors/:type/:id/release", "ops.releaseQuarantine", {
    summary: "Read an actor in quarantine again",
    access,
    priority,
    path: releaseQuarantine.params,
    params: ({ path }) => path,
  }),
  route("POST /ops/archive/:type", "ops.archive", {
    summary: "Move finished actors of a type, or `sagas`, to the cold part",
    access,
    priority,
    path: pick(archive.params, "type"),
    body: omit(archive.params, "type"),
    params: ({ path, body }) => ({ ...body, type: path.type }),
  }),
  route("GET /ops/consumers", "ops.consumers", {
    summary: "Readers of other services' logs, with their lag, and those that have stopped",
    access,
    priority,
    list: "consumers",
    query: consumers.params,
    params: ({ query }) => query,
  }),
  route("POST /ops/consumers/:name/reset", "ops.resetConsumer", {
    summary: "Move a consumer whose checkpoint is not in the log, to the log's start or its head",
    access,
    priority,
    path: pick(resetConsumer.params, "name"),
    body: omit(resetConsumer.params, "name"),
    params: ({ path, body }) => ({ ...body, name: path.name }),
  }),
  route("GET /ops/projections", "ops.projections", {
    summary: "Projections with their lag",
    access,
    priority,
    list: "projections",
    query: projections.params,
    params: ({ query }) => query,
  }),
  route("POST /ops/projections/:name/rebuild", "ops.rebuild", {
    summary: "Build a projection anew beside the live one, then switch",
    access,
    priority,
    path: rebuild.params,
    params: ({ path }) => path,
  }),
  route("GET /ops/dead-letters", "ops.deadLetters", {
    summary: "Events that a consumer could not handle",
    access,
    priority,
    query: deadLetters.params,
    list: "deadLetters",
    params: ({ query }) => query,
  }),
  route("POST /ops/dead-letters/:id/retry", "ops.retryDeadLetter", {
    summary: "Let the consumer try again, in the order of the stream",
    access,
    priority,
    path: retryDeadLetter.params,
    params: ({ path }) => path,
  }),
  route("POST /ops/dead-letters/retry", "ops.retryDeadLetters", {
    summary: "Let consumers try a group of parked streams again, each in its order, at a bounded rate",
    access,
    priority,
    body: retryDeadLetters.params,
    params: ({ body }) => body,
  }),
  route("GET /ops/log-levels", "ops.logLevels", {
    summary: "What each node logs, by module",
    access,
    priority,
    query: logLevels.params,
    params: ({ query }) => query,
  }),
  route("POST /ops/log-levels", "ops.setLogLevel", {
    summary: "Log more or less of a module, or of all, on every node; for some minutes, or until the next start",
    access,
    priority,
    body: setLogLevel.params,
    params: ({ body }) => body,
  }),
];
