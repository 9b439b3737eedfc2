// The journal of a saga: an event-sourced actor of its own, one event a step with its result. Guards P5 (sagas end).
//
//   started → (sent → done)…                                              → completed
//                     refused → compensating → (abandoned → undone)… → otherwise → compensated
//             a state from which no rule goes on → stuck → retried, or compensating
//             completed, or any other state: another starting event comes at the first one's place → stuck → likewise
//
// A step is `sent` in the journal before its call leaves, in the same append as the outcome of the step before it, so that a
// compensation knows every call that may be under way. Params are journalled with it: a repetition and an undo use exactly
// those, whatever a newer version of the saga would compute. A crash between a call and its outcome repeats the call under the
// same command id, which gets the first answer. The own params of an undo are likewise journalled before it is called.
//
// A log that is put back to an older state is written anew, and may then have another event where the one was that began a
// saga: of the same stream and version, so of the same id, but of another time. The saga knows more than that log, and what it
// did stands. It is parked; a retry sends its calls once more, under the same command ids: services that have executed them give
// their first answers, and the one that has lost them executes them.
//
// Each write names the number of entries that the writer has seen. So two drivers of one saga, or a driver and an operator,
// never act on a journal that has moved on (`JOURNAL_MOVED`: read it again and plan anew).
import Type from "typebox";
import { defineContract, type DeepReadonly, type EventMetadata } from "../contract/index.ts";
import { defineActor, type Actor, type Behaviour, type EventOf, type StateOf } from "../actor/index.ts";
import type { SagaRow } from "../event-store/index.ts";
import { sagaErrors } from "./errors.ts";

/** The name under which `otherwise` is journalled; no step may have it. */
export const OTHERWISE = "otherwise";

const at = Type.String();
const call = { step: Type.String(), item: Type.Integer({ minimum: 0 }) };
const failure = Type.Object({ type: Type.String(), message: Type.String(), step: Type.String() });
/** The definition under which the saga began. Journals of earlier releases have none. */
const definition = Type.Object({ version: Type.Integer({ minimum: 1 }), pivot: Type.Optional(Type.String()) });
const operator = { by: Type.String(), note: Type.Optional(Type.String()) };
/** The operator's own key and request. Journals of earlier releases have none. */
const request = { key: Type.Optional(Type.String()), requestId: Type.Optional(Type.String()) };

/** The event that started a saga: `Recorded`, whatever its type. */
export interface StartingEvent {
  readonly eventId: string;
  readonly type: string;
  readonly actor: string;
  readonly stream: string;
  readonly version: number;
  readonly at: string;
  readonly data: unknown;
  readonly metadata: EventMetadata;
}
const event = Type.Unsafe<StartingEvent>(Type.Object({}));

const shape = defineContract({
  service: "saga",
  state: {
    phase: Type.Enum(["new", "running", "compensating", "completed", "compensated"]),
    event: Type.Optional(event),
    definition: Type.Optional(definition),
    /** Every call that was sent, in order. */
    calls: Type.Array(
      Type.Object({
        ...call,
        attempt: Type.Integer({ minimum: 1 }),
        params: Type.Unknown(),
        action: Type.Optional(Type.String()),
        /** Version of the definition that sent it, if it is not the version under which the saga began. */
        version: Type.Optional(Type.Integer()),
        /** When it was first sent, or last retried by an operator. */
        sentAt: at,
        status: Type.Enum(["sent", "done", "refused", "abandoned", "undone", "undo_refused"]),
        result: Type.Optional(Type.Unknown()),
        failure: Type.Optional(failure),
        /** How it is undone, where the step has an undo with params of its own. */
        undo: Type.Optional(Type.Object({ action: Type.String(), params: Type.Unknown() })),
      }),
    ),
    /** An operator takes it back although it is past its pivot. */
    forced: Type.Optional(Type.Boolean()),
    /** The operator who last sent it on: from then on it acts on that person's behalf. Empty when nobody was named. */
    operator: Type.Optional(Type.Object({ user: Type.Optional(Type.String()), ...request })),
    /** Why it compensates. */
    failure: Type.Optional(failure),
    /** Why it is parked. */
    stuck: Type.Optional(Type.String()),
    /** Another event in the place of the one that began it: its log was put back to an older state meanwhile. */
    anew: Type.Optional(event),
    /** The last progress. */
    progressAt: at,
    /** Number of journal entries, by which the next write is fenced. */
    entries: Type.Integer({ minimum: 0 }),
  },
  events: {
    "saga.started": { event, definition: Type.Optional(definition), at },
    "saga.sent": {
      step: Type.String(),
      action: Type.Optional(Type.String()),
      version: Type.Optional(Type.Integer()),
      params: Type.Array(Type.Unknown()),
      at,
    },
    "saga.done": { ...call, result: Type.Unknown(), at },
    "saga.refused": { ...call, failure, at },
    /** The saga compensates. Written again before each undo that has params of its own. */
    "saga.compensating": {
      failure,
      at,
      by: Type.Optional(Type.String()),
      note: Type.Optional(Type.String()),
      ...request,
      pastPivot: Type.Optional(Type.Boolean()),
      undo: Type.Optional(
        Type.Object({
          step: Type.String(),
          action: Type.String(),
          calls: Type.Array(Type.Object({ item: call.item, params: Type.Unknown() })),
        }),
      ),
    },
    /** The call's late arrival will do nothing; or it was `executed`, with this answer. */
    "saga.abandoned": { ...call, executed: Type.Boolean(), answer: Type.Optional(Type.Unknown()), at },
    "saga.undone": { ...call, at },
    "saga.undo_refused": { ...call, failure, at },
    /** The pivot turned out to be done: forward again. */
    "saga.resumed": { at },
    "saga.completed": { at },
    "saga.compensated": { at },
    "saga.stuck": { reason: Type.String(), anew: Type.Optional(event) },
    "saga.retried": { ...operator, ...request, at },
    "saga.noted": operator,
  },
});
export type Entry = EventOf<typeof shape>;
export type SagaState = StateOf<typeof shape>;
export type SentCall = SagaState["calls"][number];

const journalContract = (name: string) =>
  defineContract({
    service: name,
    state: shape.state,
    events: shape.events,
    commands: {
      start: { event },
      journal: {
        seen: Type.Integer({ minimum: 0 }),
        entries: Type.Unsafe<readonly Entry[]>(Type.Array(Type.Object({}))),
      },
    },
    refusals: { SAGA_EXISTS: sagaErrors.SAGA_EXISTS, JOURNAL_MOVED: sagaErrors.JOURNAL_MOVED },
  });
type JournalContract = ReturnType<typeof journalContract>;
export type Journal = Actor<JournalContract>;

type Folds = Behaviour<JournalContract>["evolve"];
type Place = { readonly step: string; readonly item: number };
/** How the calls of a step are undone, as it is journalled. */
type Undo = DeepReadonly<NonNullable<Extract<Entry, { type: "saga.compensating" }>["data"]["undo"]>>;

/** The state with one call changed. */
const changed = (state: SagaState, { step, item }: Place, change: Partial<SentCall>): SagaState => ({
  ...state,
  calls: state.calls.map(call => (call.step === step && call.item === item ? { ...call, ...change } : call)),
});

/** Without an optional field. */
function without<T extends object, K extends keyof T>(value: T, field: K): Omit<T, K> {
  const copy = { ...value };
  delete copy[field];
  return copy;
}

/** `by` is absent where the saga itself compensates. */
function sentOnBy({
  by,
  key,
  requestId,
}: {
  by?: string;
  key?: string;
  requestId?: string;
}): Pick<SagaState, "operator"> {
  if (by === undefined) return {};
  const user = by === "" ? {} : { user: by, ...(key !== undefined && { key }) };
  return { operator: { ...user, ...(requestId !== undefined && { requestId }) } };
}

/** The calls with how they are undone. */
function withUndo(calls: SagaState["calls"], undo: Undo): SagaState["calls"] {
  const { step, action } = undo;
  const paramsOf = new Map(undo.calls.map(({ item, params }) => [item, params]));
  return calls.map(call =>
    call.step === step && paramsOf.has(call.item)
      ? { ...call, undo: { action, params: paramsOf.get(call.item) } }
      : call,
  );
}

/** An operator's retry sends a refused call again under a higher attempt: under its old one it would be refused for ever. */
function again(call: SentCall, phase: SagaState["phase"], at: string): SentCall {
  const raised = { ...without(call, "failure"), attempt: call.attempt + 1 };
  // An undo's own params are computed anew: a deploy may have corrected them.
  if (call.status === "undo_refused") return { ...without(raised, "undo"), status: "done" };
  // While compensating, the refusal of a step is the reason to; only a refused `otherwise` has to be sent again.
  if (call.status === "refused" && (phase === "running" || call.step === OTHERWISE))
    return { ...raised, status: "sent", sentAt: at };
  if (call.status === "abandoned" && phase === "running") return { ...raised, status: "sent", sentAt: at };
  // A call without an answer keeps its attempt: it may have been executed, and then the repetition gets its first answer.
  return call.status === "sent" ? { ...call, sentAt: at } : call;
}

const callsAgain = (state: SagaState, at: string): SagaState["calls"] =>
  state.calls.map(call => again(call, state.phase, at));

/** No longer parked. It is the saga of the event that its log has now. */
const unparked = ({ stuck: _stuck, anew, ...state }: SagaState): SagaState => ({
  ...state,
  ...(anew && { event: anew }),
});

/**
 * Forward from its first step, whatever it came to: each call is sent again under the id and with the params that it had. Until
 * then it counts as one without an answer, so that what it may have done is taken back where the saga goes back.
 */
const fromTheStart = (state: SagaState, at: string): SagaState => ({
  ...without(without(unparked(state), "failure"), "forced"),
  phase: "running",
  calls: state.calls.map(({ failure: _failure, result: _result, undo: _undo, ...call }) => ({
    ...call,
    status: "sent",
    sentAt: at,
  })),
});

const folds: Folds = {
  "saga.started": (state, { event, definition, at }) => ({
    ...state,
    phase: "running",
    event,
    ...(definition && { definition }),
    progressAt: at,
  }),
  "saga.sent": (state, { step, action, version, params, at }) => ({
    ...state,
    calls: [
      ...state.calls,
      ...params.map((params, item) => ({
        step,
        item,
        attempt: 1,
        params,
        ...(action !== undefined && { action }),
        ...(version !== undefined && { version }),
        sentAt: at,
        status: "sent" as const,
      })),
    ],
    progressAt: at,
  }),
  "saga.done": (state, { result, at, ...call }) => ({
    ...changed(state, call, { status: "done", result }),
    progressAt: at,
  }),
  "saga.refused": (state, { failure, at, ...call }) => ({
    ...changed(state, call, { status: "refused", failure }),
    progressAt: at,
  }),
  "saga.compensating": (state, { failure, undo, pastPivot, at, ...asked }) => ({
    ...unparked(state),
    ...sentOnBy(asked),
    ...(pastPivot && { forced: true }),
    ...(undo && { calls: withUndo(state.calls, undo) }),
    phase: "compensating",
    failure,
    progressAt: at,
  }),
  "saga.abandoned": (state, { executed, answer, at, ...call }) => ({
    ...changed(state, call, executed ? { status: "done", result: answer } : { status: "abandoned" }),
    progressAt: at,
  }),
  "saga.undone": (state, { at, ...call }) => ({ ...changed(state, call, { status: "undone" }), progressAt: at }),
  "saga.undo_refused": (state, { failure, at, ...call }) => ({
    ...changed(state, call, { status: "undo_refused", failure }),
    progressAt: at,
  }),
  "saga.resumed": (state, { at }) => ({ ...without(state, "failure"), phase: "running", progressAt: at }),
  "saga.completed": (state, { at }) => ({ ...state, phase: "completed", progressAt: at }),
  "saga.compensated": (state, { at }) => ({ ...state, phase: "compensated", progressAt: at }),
  "saga.stuck": (state, { reason, anew }) => ({ ...state, stuck: reason, ...(anew && { anew }) }),
  "saga.retried": (state, { at, ...asked }) => ({
    ...(state.anew ? fromTheStart(state, at) : { ...without(state, "stuck"), calls: callsAgain(state, at) }),
    ...sentOnBy(asked),
    progressAt: at,
  }),
  "saga.noted": state => state,
};
const counted = Object.fromEntries(
  Object.entries(folds as Record<string, (state: SagaState, data: any) => SagaState>).map(([type, fold]) => [
    type,
    (state: SagaState, data: unknown): SagaState => ({ ...fold(state, data), entries: state.entries + 1 }),
  ]),
) as unknown as Folds;

/**
 * The journal's actor. `begin` gives the entries of a new saga; `tell` gets those that a starting event has led to. Its streams
 * are `<saga>.<id>`.
 */
export const journalOf = (
  name: string,
  begin: (id: string, event: StartingEvent, now: string) => readonly Entry[],
  tell: (id: string, entries: readonly Entry[]) => void = () => {},
): Journal =>
  defineActor(journalContract(name))({
    initial: () => NEW,
    begins: ["start"],
    // 2: the definition under which it began, and how calls are undone. The release before would fold them away.
    // 3: that an operator takes it back past its pivot.
    // 4: another event in the place of the one that began it.
    snapshotSchema: 4,
    finished: ({ phase, stuck }) => stuck === undefined && (phase === "completed" || phase === "compensated"),
    decide: {
      // Once per starting event, however often it is delivered. A second one of the same stream makes its own saga.
      start: (state, { event }, { id, now, refuse }) => {
        if (state.event !== undefined && state.event.eventId !== event.eventId) throw refuse("SAGA_EXISTS");
        // Its data may have been upcast or erased since; its time stays.
        if (state.event !== undefined && event.at === (state.anew ?? state.event).at) return [];
        const entries = state.event === undefined ? begin(id, event, now) : [begunByAnother(state.event, event)];
        tell(id, entries);
        return entries;
      },
      journal: (state, { seen, entries }, { refuse }) => {
        if (state.entries !== seen) throw refuse("JOURNAL_MOVED");
        return entries as readonly Entry[];
      },
    },
    evolve: counted,
  });

/** The word before the colon is the reason by which lists count it. */
const begunByAnother = ({ eventId, at }: DeepReadonly<StartingEvent>, anew: StartingEvent): Entry => {
  const reason = `LOG_PUT_BACK: it began with ${eventId} of ${at}, in whose place the log now has one of ${anew.at}`;
  return { type: "saga.stuck", data: { reason, anew } };
};

export const NEW: SagaState = { phase: "new", calls: [], progressAt: "", entries: 0 };

export const fold = (state: SagaState, entries: readonly Entry[]): SagaState =>
  entries.reduce((state, { type, data }) => (counted as any)[type](state, data), state);

/** The row by which operators and the watchdog find the saga. Written in each entry's transaction. */
export function sagaRowOf(key: string, { phase, stuck, failure, calls }: SagaState): SagaRow {
  if (stuck !== undefined) return { id: key, state: "stuck", reason: stuck };
  const why = failure && `${failure.type}: ${failure.message}`;
  if (phase === "running") return { id: key, state: phase, reason: calls.at(-1)?.step ?? null };
  return { id: key, state: phase as SagaRow["state"], reason: why ?? null };
}
