// The actions on jobs: operations on many sagas that go on after their answer.
import Type from "typebox";
import { TextLines } from "../../contract/index.ts";
import { Answer, label, olderThanMinutes, sagaName, service, silent } from "../params.ts";

export const JOB_OPERATIONS = ["retrySagas", "compensateSagas"] as const;
export const JOB_STATES = ["running", "done", "stopped", "failed"] as const;

const id = Type.String({ pattern: "^[0-9a-f-]{36}$" });
const note = TextLines({ maxLength: 500 });

export const Job = Type.Object(
  {
    id: Type.String(),
    operation: Type.Enum([...JOB_OPERATIONS]),
    state: Type.Enum([...JOB_STATES]),
    /** Who began it, why, and what for. */
    by: Type.String(),
    note: Type.String(),
    filter: Type.Record(Type.String(), Type.Unknown()),
    node: Type.String(),
    startedAt: Type.String(),
    endedAt: Type.Optional(Type.String()),
    /** Sagas that it is to come to, as they were counted at its start; of 20 000 of a service at most. */
    total: Type.Integer(),
    /** Sagas that it has come to: those that were sent on, and those that refused. */
    done: Type.Integer(),
    sentOn: Type.Integer(),
    /** By the type of the refusal, with the first ids. */
    refused: Type.Array(Answer),
    /** Why it failed, or what it waits for. */
    trouble: Type.Optional(Type.String()),
    stoppedBy: Type.Optional(Type.String()),
  },
  { title: "Job" },
);

export const jobContract = {
  actions: {
    /**
     * Retries or compensates all stuck sagas of a kind, oldest first, a hundred a second, for as long as it takes. Every part of
     * it, of 500 sagas at most, is on record as the operation that it is. It ends with its node: then start one for the rest.
     */
    startJob: {
      params: {
        operation: Type.Enum([...JOB_OPERATIONS]),
        note,
        service: Type.Optional(service),
        name: sagaName,
        reason: Type.Optional(label),
        olderThanMinutes,
        pastPivot: Type.Optional(Type.Boolean()),
      },
      returns: Job,
    },
    /** Jobs of every node, the newest first: those that run, and the last ones that have ended. */
    jobs: { params: {}, returns: Type.Object({ jobs: Type.Array(Job), silent }) },
    job: { params: { id }, returns: Job },
    /** Ends a job after the part that it is at. What it did stays done. */
    stopJob: { params: { id, note: Type.Optional(note) }, returns: Job },
  },
  mayRefuse: {
    startJob: ["TOO_MANY_JOBS"],
    jobs: [],
    job: ["JOB_NOT_FOUND"],
    stopJob: ["JOB_NOT_FOUND"],
  },
  permissions: {
    startJob: "operations:write",
    jobs: "operations:read",
    job: "operations:read",
    stopJob: "operations:write",
  },
} as const;
