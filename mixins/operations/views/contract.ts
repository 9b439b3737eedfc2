// The actions by which people look at sagas, events, actors and timers, and what needs them.
import Type from "typebox";
import { ActorId, TextLines } from "../../contract/index.ts";
import {
  after,
  Answer,
  cursor,
  id,
  label,
  limit,
  name,
  nextCursor,
  olderThanMinutes,
  page,
  sagaName,
  service,
  silent,
  silentToo,
} from "../params.ts";

const state = Type.Optional(Type.Enum(["open", "running", "compensating", "stuck", "completed", "compensated"]));
/** Narrows sagas: `reason` is the type of the error (`PAYMENT_TIMEOUT`), of a running saga the step; the age is since its start. */
const sagasLike = { service: Type.Optional(service), name: sagaName, reason: Type.Optional(label), olderThanMinutes };
const required = TextLines({ maxLength: 500 });
const bulk = {
  ...sagasLike,
  note: required,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
  after,
  dryRun: Type.Optional(Type.Boolean()),
};
const bulkAnswer = Type.Object({
  dryRun: Type.Boolean(),
  sagas: Type.Integer(),
  counts: Type.Array(Answer),
  ids: Type.Array(Type.String()),
  refused: Type.Array(Answer),
  hasMore: Type.Boolean(),
  nextAfter: Type.Optional(Type.String()),
});
const version = Type.Integer({ minimum: 0 });
const actor = { type: name, id: ActorId };
/** The id of a trace, or a `traceparent` that holds it. */
const trace = Type.String({
  pattern: "^([0-9a-f]{2}-)?[0-9a-f]{32}(-[0-9a-f]{16}-[0-9a-f]{2})?$",
  examples: ["0af7651916cd43dd8448eb211c80319c"],
});

/** The operation that looks further, with its params. */
const Look = Type.Object(
  { action: Type.String(), params: Type.Record(Type.String(), Type.Unknown()) },
  { title: "Look" },
);

/** Something that needs a person. */
const Need = Type.Object(
  {
    kind: Type.String(),
    count: Type.Integer(),
    oldest: Type.Optional(Type.String()),
    newest: Type.Optional(Type.String()),
    newestId: Type.Optional(Type.String()),
    says: Type.String(),
    command: Type.String(),
    look: Look,
  },
  { title: "Need" },
);

/** What an id, or the beginning of one, is of. */
const Hit = Type.Object(
  {
    kind: Type.String(),
    id: Type.String(),
    title: Type.String(),
    service: Type.Optional(Type.String()),
    isExact: Type.Boolean(),
    look: Type.Optional(Look),
  },
  { title: "SearchHit" },
);

const outcome = Type.Enum(["done", "refused", "failed", "unknown"]);
const time = Type.Optional(Type.String({ format: "date-time", maxLength: 40 }));
/** What a person did. */
const Deed = Type.Object(
  {
    at: Type.String(),
    person: Type.Optional(Type.String()),
    key: Type.Optional(Type.String()),
    action: Type.String(),
    id: Type.String(),
    note: Type.Optional(Type.String()),
    outcome,
    error: Type.Optional(Type.String()),
    details: Type.Record(Type.String(), Type.Unknown()),
    requestId: Type.Optional(Type.String()),
    trace: Type.Optional(Type.String()),
    /** Milliseconds from the request to its outcome. */
    ms: Type.Optional(Type.Integer()),
  },
  { title: "Deed" },
);

/** A saga in a list; `reason` is its step, or what it waits for. */
const SagaListed = Type.Object(
  {
    id: Type.String(),
    saga: Type.String(),
    state: Type.String(),
    reason: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    code: Type.Optional(Type.String()),
    step: Type.Optional(Type.String()),
    attempt: Type.Optional(Type.Integer()),
    startedAt: Type.String(),
    updatedAt: Type.String(),
    service: Type.String(),
  },
  { title: "ListedSaga" },
);

export const viewActions = {
  /**
   * Sagas of every service, oldest first unless the `order` is `newest`: those in a `state`; without it the open ones, which are running,
   * compensating or stuck; narrowed by name, reason and age. `detailed`: each open one of a page of 100 at most has its `step` in
   * words and the `attempt`. `cursor` continues the list; so does, for the sagas of one
   * service alone, `after`, the id of the last saga of the page before.
   */
  sagas: {
    params: {
      state,
      ...sagasLike,
      order: Type.Optional(Type.Enum(["oldest", "newest"])),
      detailed: Type.Optional(Type.Boolean()),
      limit,
      after,
      cursor,
    },
    returns: Type.Object({ state: Type.String(), sagas: Type.Array(SagaListed), silent: silentToo, nextCursor }),
  },
  /** How many sagas there are, by state, name and reason, the most first. `isPartial`: of the oldest 20 000 of a service. */
  sagaCounts: {
    params: { state, ...sagasLike },
    returns: Type.Object({ counts: Type.Array(Answer), isPartial: Type.Boolean(), silent: silentToo }),
  },
  /** One saga: where it stands, what comes next and when, its steps, notes, actors, traces and journal. */
  saga: { params: { id }, returns: Answer },
  /** A note for the next operator. It is kept in the saga's journal. */
  noteSaga: { params: { id, note: required }, returns: Answer },
  /**
   * Retries stuck sagas of a kind, oldest first, at most `limit` (100) and a hundred a second. Asked for again it goes on
   * with those that are left (`hasMore`); with `after`, the `nextAfter` of the answer before, it does not come to those again that have
   * refused, in one `service`. `dryRun` tells what it would do.
   */
  retrySagas: { params: bulk, returns: bulkAnswer },
  /** Takes back stuck sagas of a kind, likewise. `pastPivot`: also those that are past their point of no return. */
  compensateSagas: { params: { ...bulk, pastPivot: Type.Optional(Type.Boolean()) }, returns: bulkAnswer },

  /**
   * What needs a person, with the number, since when, the newest, and the operation that looks further; empty when all is
   * well. `unknown` names what did not answer. The doctor's findings are of the last minute or two.
   */
  overview: {
    params: {},
    returns: Type.Object({
      isWell: Type.Boolean(),
      checkedAt: Type.Optional(Type.String()),
      needs: Type.Array(Need),
      unknown: silent,
    }),
  },
  /**
   * Anything by its exact id or the beginning of it: actors, sagas, traces, nodes, projections and consumers; a person by
   * address or id, for those who may see accounts; a request by its whole id, among the newest events of each log. What is
   * exact comes first; `limit` (10) hits of a kind and service.
   */
  search: {
    params: {
      q: TextLines({ maxLength: 200 }),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    },
    returns: Type.Object({ q: Type.String(), hits: Type.Array(Hit), silent }),
  },
  /**
   * What operators did, the newest first: who, what, to what, with which note and outcome. `of: account` tells of accounts
   * instead: sign-ins, roles, keys. `outcome: unknown` is of what was asked for, and was never answered: its node was lost, or
   * it is under way. Read from the audit, so it is as fresh as that. Those of one `id`, of a `person`, of a time.
   */
  activity: {
    params: {
      of: Type.Optional(Type.Enum(["operation", "account"])),
      action: Type.Optional(Type.String({ pattern: "^[A-Za-z]{1,64}$" })),
      outcome: Type.Optional(outcome),
      id: Type.Optional(id),
      person: Type.Optional(id),
      from: time,
      to: time,
      limit,
      cursor,
    },
    returns: Type.Object({ activity: Type.Array(Deed), nextCursor }),
  },
  /** Timers of actors, the next one first, so that late ones lead the list. */
  timers: {
    params: { service: Type.Optional(service), ...page },
    returns: Type.Object({ timers: Type.Array(Answer), silent: silentToo, nextCursor }),
  },
  /** How far each consumer, projection and relay is behind, in events and seconds, the slowest first. */
  lag: { params: page, returns: Type.Object({ lag: Type.Array(Answer), silent, nextCursor }) },
  /** The databases of each event store: place, streams and events (estimates), bytes. */
  shards: { params: page, returns: Type.Object({ shards: Type.Array(Answer), silent, nextCursor }) },
  /**
   * Events of all services that were committed after the place in `cursor`; without it, the place from which to go on. `type`
   * may have a `*` (`loan.*`). The answer always has a cursor: ask again with it.
   */
  tail: {
    params: {
      type: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9_.*-]{1,100}$" })),
      service: Type.Optional(service),
      limit,
      cursor,
    },
    returns: Type.Object({ events: Type.Array(Answer), silent, cursor: Type.String() }),
  },
  /** What happened to an actor, with who caused it, when, in which trace and by which command; oldest first, from version `from`. */
  actorHistory: {
    params: { ...actor, from: Type.Optional(Type.Integer({ minimum: 1 })), limit, cursor },
    returns: Type.Object({
      type: Type.String(),
      id: Type.String(),
      events: Type.Array(Answer),
      nextCursor,
    }),
  },
  /** How an actor's state differs between two versions; `to`: now. */
  actorDiff: {
    params: { ...actor, from: version, to: Type.Optional(version) },
    returns: Type.Object({
      type: Type.String(),
      id: Type.String(),
      from: Type.Integer(),
      to: Type.Integer(),
      changes: Type.Array(Answer),
      hasMore: Type.Boolean(),
    }),
  },
  /**
   * What an actor would decide about a command, without doing it: events or a refusal, and how its state would change.
   * Nothing is written and nothing is called: a command that prepares by calls needs what they would have found, in
   * `prepared`. Without a command: where today's code would have decided otherwise than the record says.
   */
  whatIf: {
    params: {
      ...actor,
      command: Type.Optional(Type.String({ pattern: "^[A-Za-z][A-Za-z0-9_]{0,63}$" })),
      params: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
      prepared: Type.Optional(Type.Unknown()),
    },
    returns: Answer,
  },
  /**
   * Events, sagas and dead letters that carry a trace's id. No index has it, so the newest `events` (10 000) of each log
   * are searched; `searched` tells since when.
   */
  trace: {
    params: { id: trace, events: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })) },
    returns: Type.Object({
      id: Type.String(),
      events: Type.Array(Answer),
      sagas: Type.Array(Answer),
      deadLetters: Type.Array(Answer),
      searched: Type.Array(Answer),
      silent,
      hasMore: Type.Boolean(),
    }),
  },
};

const read = "operations:read";
const write = "operations:write";
export const viewPermissions = {
  sagas: read,
  sagaCounts: read,
  saga: read,
  noteSaga: write,
  retrySagas: write,
  compensateSagas: write,
  overview: read,
  activity: read,
  search: read,
  timers: read,
  lag: read,
  shards: read,
  tail: read,
  actorHistory: read,
  actorDiff: read,
  whatIf: read,
  trace: read,
} as const;

export const viewRefusals = {
  sagas: [],
  sagaCounts: [],
  saga: ["SAGA_NOT_FOUND"],
  noteSaga: ["SAGA_NOT_FOUND"],
  retrySagas: ["AFTER_NEEDS_SERVICE"],
  compensateSagas: ["AFTER_NEEDS_SERVICE"],
  overview: [],
  activity: ["AUDIT_NOT_KEPT"],
  search: [],
  timers: [],
  lag: [],
  shards: [],
  tail: [],
  actorHistory: ["ACTOR_TYPE_NOT_FOUND", "ACTOR_NOT_FOUND"],
  actorDiff: ["ACTOR_TYPE_NOT_FOUND", "ACTOR_NOT_FOUND", "VERSION_NOT_FOUND"],
  whatIf: ["ACTOR_TYPE_NOT_FOUND", "ACTOR_NOT_FOUND", "COMMAND_UNKNOWN", "NEEDS_PREPARED"],
  trace: [],
} as const;
