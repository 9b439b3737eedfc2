// One saga for people: where it stands, what comes next and when, its steps with attempts, times and errors, and where to look
// further: actors and traces. Made from the journal, and from what the node that drives the saga knows beside it.
import { rfc3339 } from "../kernel/index.ts";
import type { HistoryEntry } from "../contract/index.ts";
import type { SagaRow } from "../event-store/index.ts";
import type { Failure, Saga } from "./define-saga.ts";
import type { Driving } from "./driver.ts";
import { OTHERWISE, sagaRowOf, type SagaState, type SentCall } from "./journal.ts";
import type { SagaLimits } from "./limits.ts";
import { beyond, canBeForced, isPastPivot } from "./planner.ts";

/** An actor that a saga is about, by which `ops.actor` finds it. */
export interface ActorLink {
  readonly type: string;
  readonly id: string;
}

/** How a call is, or was, taken back. */
export interface UndoDetail {
  readonly action: string;
  /** `open`: still to be done, or under way. */
  readonly status: "open" | "done" | "refused";
  readonly params: unknown;
  /** When it was done or refused. */
  readonly endedAt?: string;
  readonly error?: { readonly type: string; readonly message: string };
}

/** One step in its lane: forward as the definition has it, back in the order in which a saga is taken back. */
export interface LaneStep {
  readonly step: string;
  readonly action: string;
  /** `waiting`: not begun. `sent`: under way. `abandoned`: its call was given up before it was executed. */
  readonly status: "waiting" | "sent" | "done" | "refused" | "abandoned";
  /** Calls of the step, and how many of them are done; an `each` step has one an item. */
  readonly calls: number;
  readonly done: number;
  /** The point of no return. */
  readonly isPivot?: true;
}

/** Whether an operator may do something now; if not, the refusal that a request would get. */
export interface Possible {
  readonly isPossible: boolean;
  /** It is possible with `pastPivot` alone. */
  readonly needsPastPivot?: true;
  readonly type?: string;
  readonly message?: string;
}

export interface StepDetail {
  readonly step: string;
  /** Number of the call among those of an `each` step. */
  readonly item: number;
  readonly action: string;
  readonly actor?: ActorLink;
  readonly status: SentCall["status"];
  /** Raised by each retry of an operator. */
  readonly attempt: number;
  /** Tries of this attempt that failed without an answer; known for the step under way only, while a node drives it. */
  readonly failedTries?: number;
  readonly sentAt: string;
  /** When its outcome was journalled, and the milliseconds until then. */
  readonly endedAt?: string;
  readonly ms?: number;
  readonly params: unknown;
  readonly result?: unknown;
  readonly error?: { readonly type: string; readonly message: string };
  /** Of a saga that goes back, or has. */
  readonly undo?: UndoDetail;
}

/** What comes next. */
export interface NextTurn {
  readonly does: string;
  /** A node, the watchdog, an operator, or nobody. */
  readonly by: string;
  /** When, RFC 3339; absent where it is under way, or is for a person to decide. */
  readonly at?: string;
}

export interface SagaDetail extends SagaRow {
  readonly saga: string;
  readonly startedBy: string;
  /** The actor whose event has started it. */
  readonly about?: ActorLink;
  /** Its present call, or the reason for which it waits, in words. */
  readonly step: string;
  /** Where it stands and what to do about it, in plain words. */
  readonly says: string;
  readonly next: NextTurn;
  /** The node that has the saga's partition and is to drive it; absent where none is known, and of a saga that rests. */
  readonly owner?: string;
  readonly startedAt: string;
  readonly updatedAt: string;
  /** Every call that was sent, in order. */
  readonly steps: readonly StepDetail[];
  readonly lanes: { readonly forward: readonly LaneStep[]; readonly back: readonly LaneStep[] };
  readonly can: { readonly retry: Possible; readonly compensate: Possible };
  /** Notes of operators, oldest first. */
  readonly notes: readonly { readonly by: string; readonly at: string; readonly did: string; readonly note: string }[];
  readonly actors: readonly ActorLink[];
  /** Ids of the traces in which it began and went on. */
  readonly traces: readonly string[];
  readonly timeline: readonly HistoryEntry[];
}

export interface Described {
  readonly saga: Saga;
  readonly key: string;
  readonly state: SagaState;
  readonly timeline: readonly HistoryEntry[];
  /** The node that drives it, and what it knows. */
  readonly driver?: { readonly node: string; readonly driving: Driving } | undefined;
  /** The node that has its partition. */
  readonly owner?: string | undefined;
  /** Type of the actors that a service hosts, by an action of the service. */
  readonly actorOf: (action: string) => string | undefined;
  readonly limits: Pick<SagaLimits, "orphanedAfterMs">;
  readonly can: SagaDetail["can"];
}

export function detailOf(described: Described): SagaDetail {
  const { saga, key, state, timeline, owner } = described;
  const steps = state.calls.map(call => stepOf(described, call));
  const { event } = state;
  const start = event && { type: event.actor, id: event.stream };
  const next = nextOf(described);
  return {
    ...sagaRowOf(key, state),
    saga: saga.name,
    startedBy: event!.eventId,
    ...(start && { about: start }),
    step: inWords(saga, state),
    says: saysOf(described, next),
    next,
    ...(owner !== undefined && isOpen(state) && { owner }),
    startedAt: timeline[0]!.at,
    updatedAt: timeline.at(-1)!.at,
    steps,
    lanes: lanesOf(described, steps),
    can: described.can,
    notes: notesIn(timeline),
    actors: distinct([...(start ? [start] : []), ...steps.flatMap(({ actor }) => (actor ? [actor] : []))]),
    traces: tracesIn(event?.metadata.traceparent, timeline),
    timeline,
  };
}

/** Whether a node is to drive it. */
export const isOpen = ({ phase, stuck }: SagaState): boolean =>
  stuck === undefined && (phase === "running" || phase === "compensating");

/** Its present call, or the reason for which it waits. */
export function inWords(saga: Saga, state: SagaState): string {
  const { phase, stuck, failure, calls } = state;
  if (phase === "completed" || phase === "compensated")
    return stuck === undefined ? phase : `stuck (${stuck}): ${phase}`;
  const foreign = beyond(saga, state);
  if (foreign !== undefined && stuck === undefined) return `waits for a node of another release: ${foreign}`;
  const doing =
    phase === "running" ? callingInWords(calls) : `compensates since ${failure?.step || "an operator said so"}`;
  return stuck === undefined ? doing : `stuck (${stuck}): ${doing}`;
}

/** `calls reserve, 1 of 3 done, attempt 2`. */
function callingInWords(calls: SagaState["calls"]): string {
  const open = calls.findLast(call => call.status !== "done");
  if (!open) return "plans its next step";
  const items = calls.filter(call => call.step === open.step);
  const progress =
    items.length > 1 ? `, ${items.filter(call => call.status === "done").length} of ${items.length} done` : "";
  return `calls ${open.step}${progress}${open.attempt > 1 ? `, attempt ${open.attempt}` : ""}`;
}

function stepOf(described: Described, call: SentCall): StepDetail {
  const { saga, state, timeline, driver, actorOf } = described;
  const { step, item, params, result, status, attempt, sentAt, failure } = call;
  const action = call.action ?? actionOf(saga, step);
  const type = actorOf(action);
  const id = (params as { id?: unknown } | null)?.id;
  const endedAt = status === "sent" ? undefined : endOf(timeline, call, ENDS);
  const undo = undoOf(described, call);
  const isOpen = status === "sent" && state.stuck === undefined;
  const error = failure ?? (isOpen && driver?.driving.lastError?.step === step ? driver.driving.lastError : undefined);
  return {
    step,
    item,
    action,
    ...(type !== undefined && typeof id === "string" && { actor: { type, id } }),
    status,
    attempt,
    ...(isOpen && driver && { failedTries: driver.driving.failedTries }),
    sentAt,
    ...(endedAt !== undefined && { endedAt, ms: Math.max(0, Date.parse(endedAt) - Date.parse(sentAt)) }),
    params,
    ...(result !== undefined && { result }),
    ...(error && { error: { type: error.type, message: error.message } }),
    ...(undo && { undo }),
  };
}

const UNDONE: Readonly<Record<string, UndoDetail["status"]>> = { undone: "done", undo_refused: "refused" };

/** A call that was refused is not taken back, unless an operator has forced it past the pivot. */
function undoOf({ saga, state, timeline }: Described, call: SentCall): UndoDetail | undefined {
  const action = call.undo?.action ?? saga.steps.find(({ name }) => name === call.step)?.undo?.call;
  const goesBack = state.phase === "compensating" || state.phase === "compensated";
  if (action === undefined || !goesBack || call.status === "refused") return undefined;
  const endedAt = endOf(timeline, call, UNDO_ENDS);
  const status = UNDONE[call.status] ?? "open";
  return {
    action,
    status,
    params: call.undo?.params ?? call.params,
    ...(status !== "open" && endedAt !== undefined && { endedAt }),
    ...(status === "refused" && call.failure && { error: { type: call.failure.type, message: call.failure.message } }),
  };
}

function lanesOf({ saga, state }: Described, steps: readonly StepDetail[]): SagaDetail["lanes"] {
  const callsOf = (name: string): StepDetail[] => steps.filter(({ step }) => step === name);
  const reached = saga.steps.findLastIndex(({ name }) => callsOf(name).length > 0);
  const forward = saga.steps.map(({ name: step, call: action, pivot }, i): LaneStep => {
    const stands = standing(callsOf(step).map(({ status }) => FORWARD[status]));
    return {
      step,
      action: callsOf(step)[0]?.action ?? action,
      ...stands,
      // A step of no items is passed over.
      ...(stands.calls === 0 && i < reached && { status: "done" as const }),
      ...(pivot && { isPivot: true as const }),
    };
  });
  if (state.phase !== "compensating" && state.phase !== "compensated") return { forward, back: [] };
  const undone = saga.steps.toReversed().flatMap(({ name: step }): LaneStep[] => {
    const undos = callsOf(step).flatMap(({ undo }) => (undo ? [undo] : []));
    const statuses = undos.map(({ status }) => (status === "open" ? ("waiting" as const) : status));
    return undos.length === 0 ? [] : [{ step, action: undos[0]!.action, ...standing(statuses) }];
  });
  const last = callsOf(OTHERWISE).map(({ status }) => FORWARD[status]);
  return { forward, back: [...undone, { step: OTHERWISE, action: saga.otherwise.call, ...standing(last) }] };
}

/** What a call came to, whether or not it was taken back later. */
const FORWARD: Readonly<Record<SentCall["status"], LaneStep["status"]>> = {
  sent: "sent",
  done: "done",
  refused: "refused",
  abandoned: "abandoned",
  undone: "done",
  undo_refused: "done",
};
/** The status of a step is that of the call that keeps it from being done. */
const HINDERS: readonly LaneStep["status"][] = ["refused", "sent", "waiting", "abandoned"];
function standing(statuses: readonly LaneStep["status"][]): Pick<LaneStep, "status" | "calls" | "done"> {
  const hindering = HINDERS.find(status => statuses.includes(status));
  return {
    status: statuses.length === 0 ? "waiting" : (hindering ?? "done"),
    calls: statuses.length,
    done: statuses.filter(status => status === "done").length,
  };
}

/** Journals of earlier releases do not name the action. */
function actionOf(saga: Saga, step: string): string {
  if (step === OTHERWISE) return saga.otherwise.call;
  return saga.steps.find(({ name }) => name === step)?.call ?? "";
}

const ENDS: ReadonlySet<string> = new Set(["saga.done", "saga.refused", "saga.abandoned"]);
const UNDO_ENDS: ReadonlySet<string> = new Set(["saga.undone", "saga.undo_refused"]);
function endOf(
  timeline: readonly HistoryEntry[],
  { step, item }: SentCall,
  ends: ReadonlySet<string>,
): string | undefined {
  const end = timeline.findLast(
    ({ type, data }) =>
      ends.has(type) && data["step"] === step && data["item"] === item && typeof data["at"] === "string",
  );
  return end?.data["at"] as string | undefined;
}

function nextOf({ saga, state, driver, limits }: Described): NextTurn {
  const { phase, stuck, progressAt } = state;
  if (stuck === undefined && (phase === "completed" || phase === "compensated"))
    return { does: "nothing", by: "nobody" };
  if (stuck !== undefined) return { does: canGoBack(saga, state) ? "retry, or take back" : "retry", by: "an operator" };
  const does = inWords(saga, state);
  if (beyond(saga, state) !== undefined) return { does, by: "a node of another release" };
  if (driver === undefined) {
    const at = rfc3339(Date.parse(progressAt) + limits.orphanedAfterMs);
    return { does: "takes it up", by: "the watchdog", at };
  }
  const { nextTryAt } = driver.driving;
  return { does, by: driver.node, ...(nextTryAt !== undefined && { at: nextTryAt }) };
}

/** Whether an operator may take back a saga that is stuck. */
const canGoBack = (saga: Saga, state: SagaState): boolean =>
  (state.phase === "running" || state.anew !== undefined) && (!isPastPivot(saga, state) || canBeForced(saga));

function saysOf({ saga, state, driver }: Described, next: NextTurn): string {
  const { phase, stuck, failure } = state;
  const step = inWords(saga, state);
  const why = failure && `${failure.type}: ${failure.message}`;
  if (phase === "completed" && stuck === undefined) return "Completed. There is nothing to do.";
  if (phase === "compensated" && stuck === undefined)
    return `Taken back, since ${why ?? "an operator said so"}. There is nothing to do.`;
  if (stuck !== undefined) {
    const forced = isPastPivot(saga, state) ? " past its point of no return (`pastPivot`)" : "";
    const back = canGoBack(saga, state) ? `, or take it back${forced}` : "";
    const mend = state.anew
      ? "retry it, which sends its calls once more for the new event"
      : "mend the cause and retry it";
    return `Stuck: ${stuck}. It waits for a person: ${mend}${back}.`;
  }
  if (next.by === "a node of another release") return `It ${step}.`;
  if (!driver) return `It ${step}. No node has it in hand; the watchdog takes it up, at the earliest at ${next.at}.`;
  const { failedTries, lastError, nextTryAt } = driver.driving;
  const failed = failedTries > 0 ? ` ${timesOf(failedTries)} failed${errorOf(lastError)}.` : "";
  const when = nextTryAt === undefined ? "" : ` The next try is at ${nextTryAt}.`;
  return `It ${step} on ${driver.node}.${failed}${when}`;
}

const timesOf = (tries: number): string => (tries === 1 ? "One try" : `${tries} tries`);
const errorOf = (error: Failure | undefined): string =>
  error ? `, the last with ${error.type}: ${error.message}` : "";

const DID: Readonly<Record<string, string>> = {
  "saga.noted": "noted",
  "saga.retried": "retried",
  "saga.compensating": "compensated",
};
const notesIn = (timeline: readonly HistoryEntry[]): SagaDetail["notes"] =>
  timeline.flatMap(({ type, at, data: { by, note } }) =>
    typeof note === "string" && DID[type] !== undefined
      ? [{ by: typeof by === "string" ? by : "", at, did: DID[type], note }]
      : [],
  );

const traceIn = (traceparent: string | undefined): string | undefined =>
  /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent ?? "")?.[1];
function tracesIn(started: string | undefined, timeline: readonly HistoryEntry[]): string[] {
  const all = [started, ...timeline.map(({ metadata }) => metadata.traceparent)].map(traceIn);
  return [...new Set(all.filter(id => id !== undefined))];
}

const distinct = (links: readonly ActorLink[]): ActorLink[] => [
  ...new Map(links.map(link => [`${link.type}.${link.id}`, link])).values(),
];
