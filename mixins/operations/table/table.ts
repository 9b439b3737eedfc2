// All operations. From this table come the commands of the REPL and of `npx valence ops`, the HTTP routes with their
// description, and the list in docs/operations.md.
import { auditContract } from "../../audit/index.ts";
import { contract } from "../contract.ts";
import { operationsOf, type Operation } from "./operation.ts";
import { rebuilding, verifying } from "./progress.ts";

/** An operator acts when something is wrong: under overload too. */
const priority = "critical";

export const operationsTable: readonly Operation[] = operationsOf(contract, {
  circuits: {
    command: "circuits",
    summary: "Circuits between the nodes: state, failures, since when, and the next try; the open ones first",
    http: "GET /ops/circuits",
    priority,
    view: { list: "circuits", columns: ["from", "node", "action", "state", "failures", "requests", "since"] },
    examples: ["circuits"],
  },
  nodes: {
    command: "nodes",
    summary: "Nodes and their services",
    http: "GET /ops/nodes",
    view: { list: "nodes", columns: ["id", "available", "local", "hostname", "cpu", "uptime", "services"] },
    examples: ["nodes"],
  },
  sagas: {
    command: "sagas",
    summary: "Sagas by state, oldest first; the open ones unless a state is given",
    http: "GET /ops/sagas",
    priority,
    view: { list: "sagas", columns: ["id", "state", "reason", "startedAt", "updatedAt", "service"] },
    examples: ["sagas", "sagas --state completed --limit 20"],
    shortcuts: [
      {
        command: "stuck",
        summary: "Sagas that wait for a person, with the reason",
        params: { state: "stuck" },
        examples: ["stuck"],
      },
    ],
  },
  saga: {
    command: "saga <id>",
    summary: "One saga with its timeline",
    http: "GET /ops/sagas/:id",
    priority,
    view: { tables: { timeline: ["version", "at", "type", "data"] } },
    examples: ["saga borrowing.0198c7"],
  },
  retrySaga: {
    command: "saga <id> retry",
    summary: "Try a stuck saga's step again",
    http: "POST /ops/sagas/:id/retry",
    priority,
    view: {},
    examples: ["saga borrowing.0198c7 retry", 'saga borrowing.0198c7 retry --note "the printer is back"'],
  },
  compensateSaga: {
    command: "saga <id> compensate",
    summary: "Undo a stuck saga; with pastPivot also one past its point of no return, by the undo of each step",
    http: "POST /ops/sagas/:id/compensate",
    priority,
    view: {},
    asks: "Every step that was done is undone, one after another.",
    examples: ["saga borrowing.0198c7 compensate", "saga borrowing.0198c7 compensate --past-pivot --note lost"],
  },
  actor: {
    command: "actor <type> <id>",
    summary: "An actor's state, now or at a version, and its latest events",
    http: "GET /ops/actors/:type/:id",
    priority,
    view: { tables: { events: ["version", "at", "type", "data"] } },
    optionNames: { version: "at" },
    examples: ["actor loan 0198c7", "actor loan 0198c7 --at 3"],
  },
  quarantined: {
    command: "quarantined",
    summary: "Actors whose record cannot be read, with the reason",
    http: "GET /ops/quarantine",
    priority,
    view: { list: "quarantined", columns: ["service", "id", "reason", "at"] },
    examples: ["quarantined"],
  },
  releaseQuarantine: {
    command: "actor <type> <id> release",
    summary: "Read an actor in quarantine again",
    http: "POST /ops/actors/:type/:id/release",
    priority,
    view: {},
    examples: ["actor loan 0198c7 release"],
  },
  archive: {
    command: "archive <type>",
    summary: "Move finished actors of a type, or `sagas`, to the cold part",
    http: "POST /ops/archive/:type",
    priority,
    view: {},
    asks: "Streams that have ended leave the hot tables.",
    examples: ["archive loan --older-than-days 90", "archive sagas --older-than-days 30 --limit 1000"],
  },
  consumers: {
    command: "consumers",
    summary: "Readers of other services' logs, with their lag, and those that have stopped",
    http: "GET /ops/consumers",
    priority,
    view: {
      list: "consumers",
      columns: [
        "service",
        "name",
        "state",
        "lagEvents",
        "lagMs",
        "events",
        "parkedStreams",
        "retryingStreams",
        "stopped",
      ],
    },
    examples: ["consumers"],
  },
  resetConsumer: {
    command: "consumer <name> reset",
    summary: "Move a consumer whose checkpoint is not in the log, to the log's start or its head",
    http: "POST /ops/consumers/:name/reset",
    priority,
    view: {},
    asks: "To the head, the events in between are passed over; to the start, all are handled again.",
    examples: ["consumer shelf reset --to start --dry-run", "consumer shelf reset --to head"],
  },
  projections: {
    command: "projections",
    summary: "Projections with their lag",
    http: "GET /ops/projections",
    priority,
    view: {
      list: "projections",
      columns: ["service", "name", "version", "build", "state", "lagEvents", "lagMs", "events", "blockedBy"],
    },
    examples: ["projections"],
  },
  rebuild: {
    command: "rebuild <name>",
    summary: "Build a projection anew beside the live one, then switch",
    http: "POST /ops/projections/:name/rebuild",
    priority,
    view: {},
    follow: rebuilding,
    examples: ["rebuild shelf", "rebuild shelf --no-wait"],
  },
  deadLetters: {
    command: "letters",
    summary: "Events that a consumer could not handle",
    http: "GET /ops/dead-letters",
    priority,
    view: { list: "deadLetters", columns: ["id", "consumer", "stream", "type", "version", "error", "at"] },
    examples: ["letters", "letters --service shelves"],
  },
  retryDeadLetter: {
    command: "retry <id>",
    summary: "Let the consumer try again, in the order of the stream",
    http: "POST /ops/dead-letters/:id/retry",
    priority,
    view: {},
    examples: ["retry shelves:7"],
  },
  retryDeadLetters: {
    command: "letters retry",
    summary: "Let consumers try a group of parked streams again, each in its order, at a bounded rate",
    http: "POST /ops/dead-letters/retry",
    priority,
    view: { tables: { retried: ["service", "consumer", "streams"] } },
    examples: ["letters retry --consumer shelf", "letters retry --error TIMEOUT --older-than-minutes 10"],
  },
});

export const auditTable: readonly Operation[] = operationsOf(auditContract, {
  list: {
    command: "audit",
    summary: "What happened, the newest first: of a subject, a type of actor, a person, a time",
    http: "GET /ops/audit",
    view: { list: "records", columns: ["at", "type", "subject", "person", "requestId", "node"] },
    examples: ["audit --subject loan.0198c7", "audit --person ann --from 2026-11-30T00:00:00Z"],
  },
  verify: {
    command: "audit verify",
    summary: "Whether the audit is as it was written; one that takes long goes on, ask again",
    http: "GET /ops/audit/verify",
    view: { tables: { faults: ["kind", "partition", "seq", "through", "checkpoint", "says"] } },
    follow: verifying,
    fails: ({ ok }) => ok === false,
    examples: ["audit verify"],
  },
  status: {
    command: "audit status",
    summary: "Where the audit stands: partitions, newest checkpoint, public key, trouble",
    http: "GET /ops/audit/status",
    view: { tables: { heads: ["partition", "seq", "hash"] } },
    examples: ["audit status"],
  },
});
