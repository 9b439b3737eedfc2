// The actions of the service `ops`, all of them for administrators only.
import Type from "typebox";
import { ActorId, defineContract, TextLines } from "../contract/index.ts";
import { actorErrors } from "../actor/index.ts";
import { projectionErrors } from "../projection/index.ts";
import { sagaErrors } from "../saga/index.ts";
import { streamErrors } from "../stream/index.ts";
import { operationErrors } from "./errors.ts";
import { configurationContract } from "./configuration.ts";
import { hintContract } from "./hints/contract.ts";
import { jobContract } from "./jobs/contract.ts";
import { logContract } from "./log-levels.ts";
import {
  after,
  Answer,
  cursor,
  id,
  label,
  limit,
  listOfServices,
  name,
  nextCursor,
  note,
  olderThanMinutes,
  page,
  service,
  silent,
  silentToo,
} from "./params.ts";
import { traceContract } from "./traces/contract.ts";
import { webhookContract } from "./webhooks.ts";
import { viewActions, viewPermissions, viewRefusals } from "./views/contract.ts";

/** `warn`: look at it before it grows. `FAIL`: it does not work, or stands still until a person acts. */
const Condition = Type.Enum(["ok", "warn", "FAIL"]);

const amount = Type.Number();
const measured = Type.Optional(Type.Number());
const Point = Type.Object(
  {
    at: Type.String(),
    seconds: amount,
    requestsPerSecond: amount,
    failuresPerSecond: amount,
    p50Ms: measured,
    p95Ms: measured,
    p99Ms: measured,
    commandsPerSecond: amount,
    eventsPerSecond: amount,
    lagEvents: measured,
    lagSeconds: measured,
  },
  { title: "MetricsPoint" },
);

/** Parked streams that belong together. */
const letterGroup = {
  service: Type.Optional(service),
  consumer: Type.Optional(label),
  error: Type.Optional(label),
  olderThanMinutes,
  dryRun: Type.Optional(Type.Boolean()),
};

/** Operations over all services: what needs a person's attention, and the means to act. */
export const contract = defineContract({
  service: "ops",
  actions: {
    ...viewActions,
    /**
     * Nodes by their names: zone, release of the runtime, services, actors in memory, CPU, delay of the event loop, memory, pools of
     * connections. `cursor` continues this list, and those below.
     */
    nodes: { params: page, returns: listOfServices("nodes") },
    /**
     * The last 15 minutes, a point every five seconds, of all nodes: requests and failures (5xx) a second, the time that they
     * took, commands and committed events a second, and the reader of a log that is furthest behind. Operators' own requests are
     * left out. Nothing is sampled before the first who asks, nor when nobody has asked for a minute. `dashboards`: where to look
     * further (`DASHBOARDS_URL`).
     */
    metrics: {
      params: {},
      returns: Type.Object({
        everySeconds: Type.Number(),
        points: Type.Array(Point),
        dashboards: Type.Optional(Type.String()),
      }),
    },
    /**
     * Circuits of every node towards the others, by action: those that are not closed first. `from` is the node that
     * calls. `silent` names nodes that did not answer.
     */
    circuits: {
      params: page,
      returns: Type.Object({ circuits: Type.Array(Answer), silent: Type.Array(Type.String()), nextCursor }),
    },
    /**
     * Everything that each node depends on, asked now, for two seconds at most: bus, databases, Redis, carrier, consumers,
     * disk, certificates, event loop, memory, clock. The nodes that are not well come first; `silent` names those that did
     * not answer.
     */
    health: {
      params: page,
      returns: Type.Object({
        status: Condition,
        nodes: Type.Array(
          Type.Object({
            node: Type.String(),
            status: Condition,
            dependencies: Type.Array(
              Type.Object({
                kind: Type.String(),
                name: Type.String(),
                status: Condition,
                message: Type.String(),
                advice: Type.Optional(Type.String()),
                figures: Type.Optional(Type.Record(Type.String(), Type.Union([Type.Number(), Type.Null()]))),
              }),
            ),
          }),
        ),
        silent: Type.Array(Type.String()),
        nextCursor,
      }),
    },
    /**
     * The checks of `npx valence doctor` over the running system: each service is examined by a node that runs it, and
     * each node examines its machine and its configuration. Answers what is not `ok`, the FAILs first, or `all`; 500 at
     * most, `left` is the number of those beyond. `nodes` names the nodes that found it.
     */
    doctor: {
      params: { service: Type.Optional(service), all: Type.Optional(Type.Boolean()) },
      returns: Type.Object({
        counts: Type.Object({ ok: Type.Integer(), warn: Type.Integer(), FAIL: Type.Integer() }),
        findings: Type.Array(
          Type.Object({
            status: Condition,
            subject: Type.String(),
            check: Type.String(),
            message: Type.String(),
            advice: Type.Optional(Type.String()),
            nodes: Type.Array(Type.String()),
          }),
        ),
        left: Type.Integer(),
      }),
    },
    retrySaga: { params: { id, note }, returns: Answer },
    /** `pastPivot`: also undoes a saga that is stuck past its point of no return. */
    compensateSaga: { params: { id, note, pastPivot: Type.Optional(Type.Boolean()) }, returns: Answer },
    /**
     * The state (now, or at a version) and the latest hundred events before it; the node that owns it, whether it is archived, and
     * its timers, those among the next thousand of its service (`isPartial`).
     */
    actor: {
      params: { type: name, id: ActorId, version: Type.Optional(Type.Integer({ minimum: 0 })) },
      returns: Type.Object({
        type: Type.String(),
        id: Type.String(),
        version: Type.Integer(),
        state: Type.Unknown(),
        events: Type.Array(Answer),
        owner: Type.Optional(Type.String()),
        isArchived: Type.Optional(Type.Boolean()),
        timers: Type.Optional(Type.Array(Answer)),
        isPartial: Type.Optional(Type.Boolean()),
      }),
    },
    /** Actors whose record cannot be read, with the reason: service by service, the longest ones first. */
    quarantined: { params: page, returns: listOfServices("quarantined") },
    /**
     * Reads the actor again, once its record is repaired or the code can read it; otherwise it is back in quarantine.
     */
    releaseQuarantine: { params: { type: name, id: ActorId, note }, returns: Answer },
    /**
     * Moves finished actors of a type (or `sagas`), whose last event is older than so many days, to the cold part.
     * Examines `limit` streams; `after` in the answer says where to continue, `kept` which streams stay and why. A
     * stream stays while a service that may come back has not taken its events; `gone` names services that will not
     * come back. `dryRun` moves nothing and answers the same.
     */
    archive: {
      params: {
        type: name,
        olderThanDays: Type.Number({ minimum: 0 }),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
        after,
        gone: Type.Optional(Type.Array(Type.String({ pattern: "^[a-z0-9][a-z0-9.-]{0,63}$" }), { maxItems: 100 })),
        dryRun: Type.Optional(Type.Boolean()),
        note,
      },
      returns: Answer,
    },
    /** Readers of other services' logs, and which of them stand still because their checkpoint is not in the log. */
    consumers: { params: page, returns: listOfServices("consumers") },
    /**
     * Moves a consumer whose checkpoint is not in its owner's log: to the start of the log, or to the head, which
     * passes over the events in between. `service` is needed when two services have a consumer of this name.
     */
    resetConsumer: {
      params: {
        name: id,
        to: Type.Enum(["head", "start"]),
        dryRun: Type.Optional(Type.Boolean()),
        service: Type.Optional(service),
        note,
      },
      returns: Answer,
    },
    /** Readers of messages from outside, with the topics that they read, how far they are, and who has paused them. */
    ingresses: { params: page, returns: listOfServices("ingresses") },
    /**
     * An ingress that is paused reads nothing and retries nothing, on every node and after every start, until it is resumed.
     * `service` is needed when two services have an ingress of this name.
     */
    pauseIngress: { params: { name, service: Type.Optional(service), note }, returns: Answer },
    resumeIngress: { params: { name, service: Type.Optional(service), note }, returns: Answer },
    projections: { params: page, returns: listOfServices("projections") },
    rebuild: { params: { name, note }, returns: Answer },
    /**
     * Ids are `<service>:<id>`, since each service numbers its own. Narrowed by `consumer` and by the type of the `error`.
     * `cursor` continues the list; so does, for one `service`, `after`.
     */
    deadLetters: {
      params: {
        service: Type.Optional(service),
        consumer: Type.Optional(label),
        error: Type.Optional(label),
        limit,
        after,
        cursor,
      },
      returns: Type.Object({ deadLetters: Type.Array(Answer), silent: silentToo, nextCursor }),
    },
    /**
     * Dead letters by consumer and type of error, the most streams first: streams that stand still, letters of them, which are
     * the one that failed and those that wait behind it, since when, and the newest. `isPartial`: of the first 20 000 letters
     * of a service.
     */
    deadLetterCounts: {
      params: { service: Type.Optional(service) },
      returns: Type.Object({
        counts: Type.Array(
          Type.Object(
            {
              service: Type.String(),
              consumer: Type.String(),
              error: Type.String(),
              message: Type.String(),
              streams: Type.Integer(),
              letters: Type.Integer(),
              oldest: Type.String(),
              newest: Type.String(),
              newestId: Type.String(),
            },
            { title: "DeadLetterCount" },
          ),
        ),
        isPartial: Type.Boolean(),
        silent,
      }),
    },
    retryDeadLetter: { params: { id, note }, returns: Answer },
    /** Only a message from outside can be discarded: an event of a log would be missing. Those behind it go on. */
    discardDeadLetter: { params: { id, note }, returns: Answer },
    /**
     * Retries all parked streams of a group, each in its order and at a bounded rate: of a service, of a consumer, with
     * a type of error, parked for at least so many minutes. Answers the number for each consumer, and the first of them;
     * `consumers` shows how many are left. `dryRun` changes nothing and answers the same.
     */
    retryDeadLetters: {
      params: { ...letterGroup, note },
      returns: Type.Object({
        dryRun: Type.Optional(Type.Boolean()),
        streams: Type.Integer(),
        retried: Type.Array(Answer),
        silent: silentToo,
      }),
    },
    /**
     * Discards messages from outside of a group, likewise, 500 of a service at most: while `hasMore`, ask again. Events of a log
     * stay: they would be missing.
     */
    discardDeadLetters: {
      params: { ...letterGroup, note: TextLines({ maxLength: 500 }) },
      returns: Type.Object({
        dryRun: Type.Boolean(),
        letters: Type.Integer(),
        discarded: Type.Array(Answer),
        hasMore: Type.Boolean(),
        silent,
      }),
    },
    ...configurationContract.actions,
    ...hintContract.actions,
    ...traceContract.actions,
    ...jobContract.actions,
    ...webhookContract.actions,
    ...logContract.actions,
  },
  // Its own refusals, and those of the services that it calls.
  refusals: {
    ...operationErrors,
    ...sagaErrors,
    ...streamErrors,
    PROJECTION_NOT_FOUND: projectionErrors.PROJECTION_NOT_FOUND,
    VERSION_NOT_FOUND: actorErrors.VERSION_NOT_FOUND,
    COMMAND_UNKNOWN: actorErrors.COMMAND_UNKNOWN,
    NEEDS_PREPARED: actorErrors.NEEDS_PREPARED,
  },
  mayRefuse: {
    ...viewRefusals,
    nodes: [],
    metrics: [],
    circuits: [],
    health: [],
    doctor: [],
    retrySaga: ["SAGA_NOT_FOUND", "SAGA_NOT_STUCK"],
    compensateSaga: ["SAGA_NOT_FOUND", "SAGA_ENDED", "SAGA_COMPENSATING", "SAGA_PAST_PIVOT", "SAGA_OF_ANOTHER_RELEASE"],
    actor: ["ACTOR_TYPE_NOT_FOUND", "ACTOR_NOT_FOUND", "VERSION_NOT_FOUND"],
    quarantined: [],
    releaseQuarantine: ["ACTOR_TYPE_NOT_FOUND"],
    archive: ["ACTOR_TYPE_NOT_FOUND"],
    consumers: [],
    resetConsumer: ["CONSUMER_NOT_FOUND", "CONSUMER_AMBIGUOUS", "CONSUMER_NOT_STOPPED"],
    ingresses: [],
    pauseIngress: ["INGRESS_NOT_FOUND", "CONSUMER_AMBIGUOUS"],
    resumeIngress: ["INGRESS_NOT_FOUND", "CONSUMER_AMBIGUOUS"],
    projections: [],
    rebuild: ["PROJECTION_NOT_FOUND"],
    deadLetters: ["AFTER_NEEDS_SERVICE"],
    retryDeadLetter: ["DEAD_LETTER_NOT_FOUND"],
    discardDeadLetter: ["DEAD_LETTER_NOT_FOUND", "DEAD_LETTER_OF_LOG"],
    retryDeadLetters: [],
    deadLetterCounts: [],
    discardDeadLetters: [],
    ...configurationContract.mayRefuse,
    ...hintContract.mayRefuse,
    ...traceContract.mayRefuse,
    ...jobContract.mayRefuse,
    ...webhookContract.mayRefuse,
    ...logContract.mayRefuse,
  },
  permissions: {
    ...viewPermissions,
    nodes: "operations:read",
    metrics: "operations:read",
    circuits: "operations:read",
    health: "operations:read",
    doctor: "operations:read",
    retrySaga: "operations:write",
    compensateSaga: "operations:write",
    actor: "operations:read",
    quarantined: "operations:read",
    releaseQuarantine: "operations:write",
    archive: "operations:write",
    consumers: "operations:read",
    resetConsumer: "operations:write",
    ingresses: "operations:read",
    pauseIngress: "operations:write",
    resumeIngress: "operations:write",
    projections: "operations:read",
    rebuild: "operations:write",
    deadLetters: "operations:read",
    retryDeadLetter: "operations:write",
    discardDeadLetter: "operations:write",
    retryDeadLetters: "operations:write",
    deadLetterCounts: "operations:read",
    discardDeadLetters: "operations:write",
    ...configurationContract.permissions,
    ...hintContract.permissions,
    ...traceContract.permissions,
    ...jobContract.permissions,
    ...webhookContract.permissions,
    ...logContract.permissions,
  },
});
declare global {
  interface Contracts {
    ops: typeof contract;
  }
}
