// The operations on sagas: list by state and age, one saga's timeline, retry, compensate, annotate. Each request is a
// journal entry with the operator and the reason.
import type { Context, Service } from "moleculer";
import Type from "typebox";
import { isRefusal } from "../kernel/index.ts";
import { paramsOf, type HistoryEntry, type Meta, callErrors } from "../contract/index.ts";
import { ARCHIVE_PARAMS, type Archived, type ArchiveOptions } from "../actor/siblings.ts";
import type { OpenSaga, SagaRow } from "../event-store/index.ts";
import type { Held } from "../stream/siblings.ts";
import type { SagaDriver, SagaRef } from "./driver.ts";
import { sagaRowOf, type SagaState } from "./journal.ts";
import { beyond, canBeForced, isPastPivot } from "./planner.ts";
import { sagaErrors } from "./errors.ts";

export type SagaService = Service & { sagas: SagaDriver };
type Ctx<P> = Context<P, Meta>;

/** A saga as operators list it. `id` is `<saga>.<id of the event's stream>`. */
export interface SagaSummary extends SagaRow {
  readonly saga: string;
  readonly startedAt: string;
  readonly updatedAt: string;
}
export interface SagaDetail extends SagaRow {
  readonly saga: string;
  readonly startedBy: string;
  /** Its present call, or the reason for which it waits, in words. */
  readonly step: string;
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly timeline: readonly HistoryEntry[];
}

const PAGE = 100;
const PAGE_MAX = 1_000;
const operation = { visibility: "public", permission: "operations:read" } as const;
/** A saga's name, a dot, the id of a stream, and possibly the version of its event. */
const id = Type.String({ minLength: 1, maxLength: 128, pattern: "^[A-Za-z0-9_][A-Za-z0-9_.-]*$" });
const note = Type.String({ minLength: 1, maxLength: 1_000 });

const states = ["open", "running", "compensating", "stuck", "completed", "compensated"] as const;

export const operations = {
  sagas: {
    ...operation,
    params: paramsOf({
      state: Type.Optional(Type.Enum([...states])),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_MAX })),
      after: Type.Optional(id),
    }),
    async handler(
      this: SagaService,
      ctx: Ctx<{ state?: (typeof states)[number]; limit?: number; after?: string }>,
    ): Promise<{ sagas: SagaSummary[] }> {
      const { state = "open", limit = PAGE, after } = ctx.params;
      if (after !== undefined) await assertKnown(this.sagas, after);
      const rows = await this.sagas.store.sagas({ state, limit, ...(after !== undefined && { after }) });
      return { sagas: rows.map(summaryOf) };
    },
  },
  saga: {
    ...operation,
    params: paramsOf({ id }),
    async handler(this: SagaService, ctx: Ctx<{ id: string }>): Promise<SagaDetail> {
      const ref = this.sagas.resolve(ctx.params.id);
      const state = await this.sagas.read(ref);
      const timeline = await this.sagas.history(ref);
      return {
        ...sagaRowOf(ref.key, state),
        saga: ref.saga.name,
        startedBy: state.event!.eventId,
        step: inWords(ref, state),
        startedAt: timeline[0]!.at,
        updatedAt: timeline.at(-1)!.at,
        timeline,
      };
    },
  },
  archive: {
    ...operation,
    permission: "operations:write",
    params: paramsOf(ARCHIVE_PARAMS),
    handler(this: SagaService, ctx: Ctx<Partial<ArchiveOptions> & { olderThanMs: number }>): Promise<Archived> {
      const { olderThanMs, limit = PAGE_MAX, after } = ctx.params;
      return this.sagas.archive({ olderThanMs, limit, after });
    },
  },
  held: {
    ...operation,
    callers: ["*"],
    params: paramsOf({ ids: Type.Array(Type.String({ maxLength: 200 })) }),
    async handler(this: SagaService, ctx: Ctx<Held>): Promise<{ ids: string[] }> {
      return { ids: await this.sagas.held(ctx.params.ids) };
    },
  },
  retrySaga: {
    ...operation,
    permission: "operations:write",
    params: paramsOf({ id, note: Type.Optional(note) }),
    async handler(this: SagaService, ctx: Ctx<{ id: string; note?: string }>): Promise<SagaRow> {
      const ref = this.sagas.resolve(ctx.params.id);
      const state = await this.sagas.edit(ref, (state, at) => {
        if (state.stuck === undefined)
          throw sagaErrors.SAGA_NOT_STUCK({ field: "id", key: ref.key, phase: state.phase });
        return { type: "saga.retried", data: { ...signed(ctx), at } };
      });
      return sagaRowOf(ref.key, state);
    },
  },
  compensateSaga: {
    ...operation,
    permission: "operations:write",
    params: paramsOf({ id, note: Type.Optional(note), pastPivot: Type.Optional(Type.Boolean()) }),
    async handler(this: SagaService, ctx: Ctx<{ id: string; note?: string; pastPivot?: boolean }>): Promise<SagaRow> {
      const ref = this.sagas.resolve(ctx.params.id);
      const state = await this.sagas.edit(ref, (state, at) => {
        if (state.phase === "completed" || state.phase === "compensated")
          throw sagaErrors.SAGA_ENDED({ field: "id", key: ref.key, phase: state.phase });
        const foreign = beyond(ref.saga, state);
        if (foreign !== undefined) throw sagaErrors.SAGA_OF_ANOTHER_RELEASE({ key: ref.key, why: foreign });
        const isPast = isPastPivot(ref.saga, state, this.sagas.canAbandon);
        if (isPast && !(ctx.params.pastPivot && state.stuck !== undefined && canBeForced(ref.saga)))
          throw sagaErrors.SAGA_PAST_PIVOT({ field: "id", key: ref.key, why: pastPivotBecause(ref, state) });
        // Stuck while compensating: to compensate it means to retry that.
        if (state.phase === "compensating" && state.stuck !== undefined)
          return { type: "saga.retried", data: { ...signed(ctx), at } };
        if (state.phase === "compensating") throw sagaErrors.SAGA_COMPENSATING({ field: "id", key: ref.key });
        const failure = { type: "COMPENSATED_BY_OPERATOR", message: ctx.params.note ?? "by an operator", step: "" };
        return { type: "saga.compensating", data: { failure, ...signed(ctx), ...(isPast && { pastPivot: true }), at } };
      });
      return sagaRowOf(ref.key, state);
    },
  },
  annotateSaga: {
    ...operation,
    permission: "operations:write",
    params: paramsOf({ id, note }),
    async handler(this: SagaService, ctx: Ctx<{ id: string; note: string }>): Promise<SagaRow> {
      const ref = this.sagas.resolve(ctx.params.id);
      const state = await this.sagas.edit(ref, () => ({ type: "saga.noted", data: signed(ctx) }));
      return sagaRowOf(ref.key, state);
    },
  },
};

/** Refuses to list after an unknown saga: the page would be empty, as if there were no more. */
async function assertKnown(sagas: SagaDriver, after: string): Promise<void> {
  const ref = sagas.refOf(after);
  try {
    if (ref) return void (await sagas.read(ref));
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  throw callErrors.VALIDATION_ERROR({ field: "after", message: "is no saga" });
}

const summaryOf = (row: OpenSaga): SagaSummary => ({ ...row, saga: row.id.slice(0, row.id.indexOf(".")) });

/** The operator who asked for it, and the reason. A call from another service or the console has no user. */
const signed = (ctx: Ctx<{ note?: string }>): { by: string; note?: string } => ({
  by: ctx.meta.user?.id ?? "",
  ...(ctx.params.note !== undefined && { note: ctx.params.note }),
});

const pastPivotBecause = ({ saga }: SagaRef, { stuck }: SagaState): string => {
  const passed = "has passed, or may have passed, its point of no return";
  if (!canBeForced(saga)) return passed;
  return `${passed}: ${stuck === undefined ? "once it is stuck, it" : "it"} is taken back with pastPivot`;
};

function inWords({ saga }: SagaRef, state: SagaState): string {
  const { phase, stuck, failure, calls } = state;
  if (phase === "completed" || phase === "compensated") return phase;
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
