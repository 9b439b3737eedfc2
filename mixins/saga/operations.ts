// The operations on sagas: list by state, name, reason and age, counts, one saga in detail, retry, compensate, annotate, one by one
// or many. Each request that changes something is a journal entry with the operator and the reason.
import { setTimeout as pause } from "node:timers/promises";
import type { Context, Service } from "moleculer";
import Type from "typebox";
import { isRefusal, plainError } from "../kernel/index.ts";
import { callErrors, listedServices, paramsOf, type EventMetadata, type Meta } from "../contract/index.ts";
import { executeOptionsOf } from "../actor/mixin.ts";
import {
  ARCHIVE_PARAMS,
  LIKE,
  storeSizes,
  TRACED,
  type Archived,
  type ArchiveOptions,
  type Like,
  type Traced,
} from "../actor/siblings.ts";
import type { SagaRow } from "../event-store/index.ts";
import type { LogPage, ReadLog } from "../stream/index.ts";
import type { Held } from "../stream/siblings.ts";
import { detailOf, inWords, isOpen, type Possible, type SagaDetail } from "./detail.ts";
import type { Driving, SagaDriver, SagaRef } from "./driver.ts";
import { countSagas, findSagas, type SagaCount, type SagaSummary } from "./find.ts";
import { BULK_LIMITS, editStuck, type BulkAnswer } from "./in-bulk.ts";
import { sagaRowOf, type Entry, type SagaState } from "./journal.ts";
import type { JournalLog } from "./journal-log.ts";
import { beyond, canBeForced, isPastPivot, notRepeatable } from "./planner.ts";
import { sagaErrors } from "./errors.ts";

export type SagaService = Service & { sagas: SagaDriver; journals: JournalLog };
type Ctx<P> = Context<P, Meta>;

const PAGE = 100;
const PAGE_MAX = 1_000;
/** Rows that are read at once, and that one request looks at: on SQLite about 50 ms of its writer, in pieces. */
const SEARCH = { rows: 500, searched: 20_000, forMs: 1_500 };
/** Milliseconds in which the journals of a page are read. */
const DETAILED_MS = 1_000;
/** Milliseconds that another node has to tell whether it drives a saga. */
const NODE_MS = 1_000;
const operation = { visibility: "public", permission: "operations:read" } as const;
/** A saga's name, a dot, the id of a stream, and possibly the version of its event. */
const id = Type.String({ minLength: 1, maxLength: 128, pattern: "^[A-Za-z0-9_][A-Za-z0-9_.-]*$" });
const note = Type.String({ minLength: 1, maxLength: 1_000 });

const olderThanMs = Type.Integer({ minimum: 0 });
const kind = {
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 40 })),
  reason: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  olderThanMs: Type.Optional(olderThanMs),
};
type Kind = { name?: string; reason?: string; olderThanMs?: number };
const bulk = {
  ...kind,
  note,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: BULK_LIMITS.forMs / BULK_LIMITS.everyMs })),
  after: Type.Optional(id),
  dryRun: Type.Optional(Type.Boolean()),
};
type BulkParams = Kind & { note: string; limit?: number; after?: string; dryRun?: boolean };

const states = ["open", "running", "compensating", "stuck", "completed", "compensated"] as const;

export const operations = {
  sagas: {
    ...operation,
    params: paramsOf({
      state: Type.Optional(Type.Enum([...states])),
      ...kind,
      newestFirst: Type.Optional(Type.Boolean()),
      /** Reads the journals of the open ones, for the step in words and its attempt; of a page of 100 at most. */
      detailed: Type.Optional(Type.Boolean()),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_MAX })),
      after: Type.Optional(id),
    }),
    async handler(
      this: SagaService,
      ctx: Ctx<Kind & Listing & { limit?: number; after?: string }>,
    ): Promise<{ sagas: (SagaSummary & Partial<Standing>)[]; searchedTo?: string }> {
      const { limit = PAGE, after, detailed = false, ...filter } = ctx.params;
      if (after !== undefined) await assertKnown(this.sagas, after);
      const { sagas, searchedTo } = await findSagas(this.sagas.store, filter, { ...SEARCH, limit, after });
      const shown = detailed && sagas.length <= PAGE + 1 ? await standing(this.sagas, sagas) : sagas;
      // A page that is full goes on after its last saga.
      return { sagas: shown, ...(searchedTo !== undefined && sagas.length < limit && { searchedTo }) };
    },
  },
  sagaCounts: {
    ...operation,
    params: paramsOf({ ...kind, state: Type.Optional(Type.Enum([...states])) }),
    handler(
      this: SagaService,
      ctx: Ctx<Kind & { state?: (typeof states)[number] }>,
    ): Promise<{ counts: SagaCount[]; isPartial: boolean }> {
      return countSagas(this.sagas.store, ctx.params, SEARCH);
    },
  },
  saga: {
    ...operation,
    params: paramsOf({ id }),
    async handler(this: SagaService, ctx: Ctx<{ id: string }>): Promise<SagaDetail> {
      const ref = this.sagas.resolve(ctx.params.id);
      const state = await this.sagas.read(ref);
      const timeline = await this.sagas.history(ref);
      return detailOf({
        saga: ref.saga,
        key: ref.key,
        state,
        timeline,
        driver: await driverOf(this, ctx, ref, state),
        owner: await this.sagas.ownerOf(ref),
        actorOf: action => actorIn(this, action),
        limits: this.sagas.limits,
        can: canBeSentOn(this.sagas, ref, state),
      });
    },
  },
  /** What this node knows of a saga beside its journal: only the node that drives it knows something. */
  sagaDriving: {
    ...operation,
    params: paramsOf({ id }),
    handler(this: SagaService, ctx: Ctx<{ id: string }>): { driving?: Driving } {
      const driving = this.sagas.driving(ctx.params.id);
      return driving ? { driving } : {};
    },
  },
  "sagaJournals.readLog": {
    ...operation,
    callers: ["audit"],
    handler(this: SagaService, ctx: Ctx<ReadLog>): Promise<LogPage> {
      return this.journals.read(ctx.params);
    },
  },
  /** Asked by another node of the service, of sagas whose partition this one has, or that only its release can drive. */
  driveSagas: {
    visibility: "public",
    permission: false,
    params: paramsOf({ ids: Type.Array(id, { maxItems: 1_000 }) }),
    async handler(this: SagaService, ctx: Ctx<{ ids: string[] }>): Promise<{ ids: string[] }> {
      return { ids: await this.sagas.take(ctx.params.ids) };
    },
  },
  shards: storeSizes,
  tracedSagas: {
    ...operation,
    params: paramsOf(TRACED),
    async handler(
      this: SagaService,
      ctx: Ctx<Traced>,
    ): Promise<{ sagas: string[]; searched: number; since?: string; hasMore: boolean }> {
      const { trace, newest, limit } = ctx.params;
      // The event that starts a saga is data of its journal, with the event's own trace.
      const { events, searched, since } = await this.sagas.store.search(trace, newest, limit);
      const sagas = new Set(events.map(({ stream }) => stream).filter(stream => this.sagas.refOf(stream)));
      return { sagas: [...sagas], searched, ...(since && { since }), hasMore: events.length === limit };
    },
  },
  sagasLike: {
    ...operation,
    params: paramsOf(LIKE),
    async handler(this: SagaService, ctx: Ctx<Like>): Promise<{ sagas: SagaRow[] }> {
      const { prefix, limit } = ctx.params;
      const keys = await this.sagas.keysLike(prefix, limit);
      const rows = keys.map(async ref => sagaRowOf(ref.key, await this.sagas.read(ref)));
      return { sagas: await Promise.all(rows) };
    },
  },
  archive: {
    ...operation,
    permission: "operations:write",
    params: paramsOf(ARCHIVE_PARAMS),
    async handler(this: SagaService, ctx: Ctx<Partial<ArchiveOptions> & { olderThanMs: number }>): Promise<Archived> {
      const { olderThanMs, limit = PAGE_MAX, after, gone = [], dryRun = false } = ctx.params;
      if (gone.length > 0 && !dryRun) await this.journals.forget(gone);
      return this.sagas.archive({ olderThanMs, limit, after, dryRun }, (saga, streams) =>
        this.journals.released(saga, streams),
      );
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
      const state = await this.sagas.edit(ref, (state, at) => retried(ref, state, { ...asked(ctx), at }), causeOf(ctx));
      return sagaRowOf(ref.key, state);
    },
  },
  retrySagas: {
    ...operation,
    permission: "operations:write",
    params: paramsOf(bulk),
    handler(this: SagaService, ctx: Ctx<BulkParams>): Promise<BulkAnswer> {
      return editStuck(this.sagas, bulkOf(ctx), SEARCH, (ref, state, at) => retried(ref, state, { ...asked(ctx), at }));
    },
  },
  compensateSaga: {
    ...operation,
    permission: "operations:write",
    params: paramsOf({ id, note: Type.Optional(note), pastPivot: Type.Optional(Type.Boolean()) }),
    async handler(this: SagaService, ctx: Ctx<{ id: string; note?: string; pastPivot?: boolean }>): Promise<SagaRow> {
      const ref = this.sagas.resolve(ctx.params.id);
      const { pastPivot = false } = ctx.params;
      const state = await this.sagas.edit(
        ref,
        (state, at) => compensated(this.sagas, ref, state, { ...asked(ctx), pastPivot, at }),
        causeOf(ctx),
      );
      return sagaRowOf(ref.key, state);
    },
  },
  compensateSagas: {
    ...operation,
    permission: "operations:write",
    params: paramsOf({ ...bulk, pastPivot: Type.Optional(Type.Boolean()) }),
    handler(this: SagaService, ctx: Ctx<BulkParams & { pastPivot?: boolean }>): Promise<BulkAnswer> {
      const { pastPivot = false } = ctx.params;
      return editStuck(this.sagas, bulkOf(ctx), SEARCH, (ref, state, at) =>
        compensated(this.sagas, ref, state, { ...asked(ctx), pastPivot, at }),
      );
    },
  },
  annotateSaga: {
    ...operation,
    permission: "operations:write",
    params: paramsOf({ id, note }),
    async handler(this: SagaService, ctx: Ctx<{ id: string; note: string }>): Promise<SagaRow> {
      const ref = this.sagas.resolve(ctx.params.id);
      const state = await this.sagas.edit(ref, () => ({ type: "saga.noted", data: signed(ctx) }), causeOf(ctx));
      return sagaRowOf(ref.key, state);
    },
  },
};

interface Listing {
  readonly state?: (typeof states)[number];
  readonly newestFirst?: boolean;
  readonly detailed?: boolean;
}
/** Where an open saga stands. */
interface Standing {
  /** Its present call, or the reason for which it waits, in words. */
  readonly step: string;
  /** Of the present call; raised by each retry of an operator. */
  readonly attempt: number;
}

/** A journal that is not read, or not in time, leaves its saga as the list has it: the list itself is there, and not late. */
async function standing(
  sagas: SagaDriver,
  found: readonly SagaSummary[],
): Promise<(SagaSummary & Partial<Standing>)[]> {
  const over = new AbortController();
  const late = pause(DETAILED_MS, undefined, { signal: over.signal }).catch(() => undefined);
  const detailed = found.map(async summary => {
    const ref = sagas.refOf(summary.id);
    if (ref === undefined || summary.state === "completed" || summary.state === "compensated") return summary;
    const state = await Promise.race([sagas.read(ref).catch(() => undefined), late]);
    if (state === undefined) return summary;
    const attempt = state.calls.findLast(({ status }) => status !== "done")?.attempt ?? 1;
    return { ...summary, step: inWords(ref.saga, state), attempt };
  });
  try {
    return await Promise.all(detailed);
  } finally {
    over.abort();
  }
}

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

type Signature = ReturnType<typeof asked> & { readonly at: string };

function retried({ saga, key }: SagaRef, state: SagaState, signature: Signature): Entry {
  if (state.stuck === undefined) throw sagaErrors.SAGA_NOT_STUCK({ field: "id", key, phase: state.phase });
  const why = notRepeatable(saga, key, state);
  if (why !== undefined) throw sagaErrors.SAGA_NOT_REPEATABLE({ field: "id", key, why });
  return { type: "saga.retried", data: signature };
}

function compensated(
  sagas: SagaDriver,
  ref: SagaRef,
  state: SagaState,
  { pastPivot, ...signature }: Signature & { readonly pastPivot: boolean },
): Entry {
  const { saga, key } = ref;
  const { phase, stuck } = state;
  if ((phase === "completed" || phase === "compensated") && stuck === undefined)
    throw sagaErrors.SAGA_ENDED({ field: "id", key, phase });
  const foreign = beyond(saga, state);
  if (foreign !== undefined) throw sagaErrors.SAGA_OF_ANOTHER_RELEASE({ key, why: foreign });
  const isPast = isPastPivot(saga, state, sagas.canAbandon);
  if (isPast && !(pastPivot && stuck !== undefined && canBeForced(saga)))
    throw sagaErrors.SAGA_PAST_PIVOT({ field: "id", key, why: pastPivotBecause(ref, state) });
  // Stuck while compensating: to compensate it means to retry that.
  if (phase === "compensating" && stuck !== undefined && !state.anew) return { type: "saga.retried", data: signature };
  if (phase === "compensating" && stuck === undefined) throw sagaErrors.SAGA_COMPENSATING({ field: "id", key });
  const failure = { type: "COMPENSATED_BY_OPERATOR", message: signature.note ?? "by an operator", step: "" };
  return { type: "saga.compensating", data: { failure, ...signature, ...(isPast && { pastPivot: true }) } };
}

/** What an operator may do about a saga now, by the rules of the operations themselves. */
function canBeSentOn(sagas: SagaDriver, ref: SagaRef, state: SagaState): SagaDetail["can"] {
  const signature = { by: "", at: "" };
  const retry = possible(() => retried(ref, state, signature));
  const compensate = possible(() => compensated(sagas, ref, state, { ...signature, pastPivot: false }));
  const isForced = !compensate.isPossible && compensate.type === "SAGA_PAST_PIVOT";
  const forced = isForced && possible(() => compensated(sagas, ref, state, { ...signature, pastPivot: true }));
  return { retry, compensate: forced && forced.isPossible ? { ...forced, needsPastPivot: true } : compensate };
}

function possible(edit: () => Entry): Possible {
  try {
    edit();
    return { isPossible: true };
  } catch (error) {
    const { type, message } = plainError(error);
    return { isPossible: false, type, message };
  }
}

function bulkOf(ctx: Ctx<BulkParams>): Parameters<typeof editStuck>[1] {
  const { name, reason, olderThanMs, limit = PAGE, after, dryRun = false } = ctx.params;
  // The caller, who may wait for less than we may take, is to get the answer.
  const forMs = (ctx.options.timeout || Infinity) / 2;
  return { name, reason, olderThanMs, limit, after, dryRun, forMs, cause: causeOf(ctx) };
}

/** The node that has an open saga in hand: this one, or one of the others that run the service. */
async function driverOf(
  { sagas, broker, fullName }: SagaService,
  ctx: Ctx<object>,
  { key }: SagaRef,
  state: SagaState,
): Promise<{ node: string; driving: Driving } | undefined> {
  if (!isOpen(state)) return undefined;
  const own = sagas.driving(key);
  if (own) return { node: broker.nodeID, driving: own };
  const nodes = listedServices(broker, { onlyAvailable: true })
    .filter(listed => listed.fullName === fullName && listed.nodeID !== broker.nodeID)
    .map(({ nodeID }) => nodeID);
  const asked = nodes.map(async nodeID => {
    const options = { nodeID, timeout: NODE_MS };
    // A node of the release before does not know the action.
    const { driving } = await ctx
      .call<{ driving?: Driving }, object>(`${fullName}.sagaDriving`, { id: key }, options)
      .catch(() => ({ driving: undefined }));
    return driving && { node: nodeID, driving };
  });
  return (await Promise.all(asked)).find(Boolean);
}

/** The type of the actors that a service hosts, by an action of it. */
function actorIn({ broker }: SagaService, action: string): string | undefined {
  const service = action.slice(0, action.lastIndexOf("."));
  return listedServices(broker, { skipInternal: true }).find(({ fullName }) => fullName === service)?.metadata?.actor;
}

/** The operator who asked for it, and the reason. A call from another service or the console has no user. */
const signed = (ctx: Ctx<{ note?: string }>): { by: string; note?: string } => ({
  by: ctx.meta.user?.id ?? "",
  ...(ctx.params.note !== undefined && { note: ctx.params.note }),
});

/** The same with the request, for entries that send the saga on. */
function asked(ctx: Ctx<{ note?: string }>): ReturnType<typeof signed> & { key?: string; requestId?: string } {
  const { key, requestId } = causeOf(ctx);
  return { ...signed(ctx), ...(key !== undefined && { key }), ...(requestId !== undefined && { requestId }) };
}

const causeOf = (ctx: Ctx<object>): EventMetadata => executeOptionsOf(ctx).metadata ?? {};

const pastPivotBecause = ({ saga }: SagaRef, { stuck }: SagaState): string => {
  const passed = "has passed, or may have passed, its point of no return";
  if (!canBeForced(saga)) return passed;
  return `${passed}: ${stuck === undefined ? "once it is stuck, it" : "it"} is taken back with pastPivot`;
};
