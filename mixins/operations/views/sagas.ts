// Sagas of all services: lists, counts, one in detail, and the means to act on many.
import {
  ask,
  askEach,
  askOwner,
  compare,
  hasSagas,
  invalid,
  limits,
  MINUTE_MS,
  oneOfAfterAndCursor,
  SERVICE_MS,
  servicesWith,
  text,
  type Answer,
} from "../asking.ts";
import type { ResultOf } from "../../contract/index.ts";
import { operationErrors } from "../errors.ts";
import { pageOf, type Entry } from "../pages.ts";
import type { Ctx } from "./context.ts";

/** The filter of an operator, and the services that are asked. */
interface Narrowed {
  readonly service?: string;
  readonly name?: string;
  readonly reason?: string;
  readonly olderThanMinutes?: number;
}

type ListedSaga = ResultOf<"ops.sagas">["sagas"][number];

export async function sagas(ctx: Ctx<"sagas">) {
  const {
    state = "open",
    order = "oldest",
    detailed = false,
    limit = limits.page,
    after,
    cursor,
    ...narrowed
  } = ctx.params;
  oneOfAfterAndCursor(ctx.params);
  const name = after?.slice(0, after.indexOf("."));
  const services = sagaServices(ctx, narrowed, name);
  if (services.length === 0 && after !== undefined) throw invalid("after", "is no saga");
  const filter = filterOf(narrowed);
  const startedAt = (saga: Answer) => text(saga["startedAt"]);
  const { entries, silent, ...next } = await pageOf({
    list: ["sagas", state, ...(order === "newest" ? [order] : []), narrowed.service, ...Object.values(filter)].join(
      " ",
    ),
    limit,
    cursor,
    services,
    async read(service, limit, seen = after) {
      // A node of the release before does not know the order, and need not be told of the one that it has.
      const params = {
        ...filter,
        state,
        limit,
        ...(order === "newest" && { newestFirst: true }),
        ...(detailed && { detailed }),
        ...(seen !== undefined && { after: seen }),
      };
      const found = await ask<{ sagas: Answer[]; searchedTo?: string }>(ctx, service, "sagas", params, {
        timeout: SERVICE_MS,
      });
      return { entries: found.sagas.map((saga): Entry => ({ ...saga, service })), searchedTo: found.searchedTo };
    },
    sort: (a, b) => (order === "newest" ? -1 : 1) * compare(startedAt(a), startedAt(b)),
  });
  // The answer names the state: an operator who asked for none sees that sagas which have ended are left out.
  return { state, sagas: entries as unknown as ListedSaga[], silent, ...(after === undefined && next) };
}

interface Counted extends Answer {
  readonly sagas: number;
}

/** How many sagas a filter means. */
export async function countOf(ctx: Ctx<"sagaCounts">, asked: Ctx<"sagaCounts">["params"]): Promise<{ total: number }> {
  const { counts } = await countsBy(ctx, asked);
  return { total: counts.reduce((sum, { sagas }) => sum + sagas, 0) };
}

export const sagaCounts = (ctx: Ctx<"sagaCounts">) => countsBy(ctx, ctx.params);

async function countsBy(ctx: Ctx<"sagaCounts">, { state, ...narrowed }: Ctx<"sagaCounts">["params"]) {
  const params = { ...filterOf(narrowed), ...(state !== undefined && { state }) };
  const { answers, silent } = await askEach(sagaServices(ctx, narrowed), (service, options) =>
    ask<{ counts: Counted[]; isPartial: boolean }>(ctx, service, "sagaCounts", params, options),
  );
  const counts = answers.flatMap(({ service, answer }) =>
    answer.counts.map((count): Counted => ({ ...count, service })),
  );
  return {
    counts: counts.sort((a, b) => b.sagas - a.sagas),
    isPartial: answers.some(({ answer }) => answer.isPartial),
    silent,
  };
}

export const saga = (ctx: Ctx<"saga">) => askOwner(ctx, "saga", ctx.params);
export const noteSaga = (ctx: Ctx<"noteSaga">) => askOwner(ctx, "annotateSaga", ctx.params);

export const retrySagas = (ctx: Ctx<"retrySagas">) => inBulk(ctx, "retrySagas", {});
export function compensateSagas(ctx: Ctx<"compensateSagas">) {
  const { pastPivot } = ctx.params;
  return inBulk(ctx, "compensateSagas", pastPivot === undefined ? {} : { pastPivot });
}

/** A service's answer: see BulkAnswer of the saga floor. */
interface BulkAnswer {
  readonly sagas: number;
  readonly counts: readonly Answer[];
  readonly ids: readonly string[];
  readonly refused: readonly Answer[];
  readonly hasMore: boolean;
  readonly searchedTo?: string;
}

/** Milliseconds after which no further service is asked: each may take as long. */
const BULK_MS = 3_000;

/** Service by service, until as many sagas as may be have been looked at. */
async function inBulk(ctx: Ctx<"retrySagas">, action: string, more: object) {
  const { note, limit = limits.page, dryRun = false, service, name, reason, olderThanMinutes, after } = ctx.params;
  if (after !== undefined && service === undefined) throw operationErrors.AFTER_NEEDS_SERVICE({ field: "service" });
  const narrowed = filterOf({ name, reason, olderThanMinutes });
  const services = sagaServices(ctx, service === undefined ? {} : { service });
  const answers: (BulkAnswer & { service: string })[] = [];
  const beganAt = performance.now();
  let left = limit;
  for (const service of services) {
    if (left === 0 || performance.now() - beganAt > BULK_MS) break;
    const params = { ...narrowed, ...more, note, dryRun, limit: left, ...(after !== undefined && { after }) };
    const answer = await ask<BulkAnswer>(ctx, service, action, params);
    answers.push({ ...answer, service });
    left -= answer.sagas;
  }
  const listed = (key: "counts" | "refused") =>
    answers.flatMap(({ service, ...answer }) => answer[key].map(entry => ({ ...entry, service })));
  return {
    dryRun,
    sagas: answers.reduce((sum, { sagas }) => sum + sagas, 0),
    counts: listed("counts"),
    ids: answers.flatMap(({ ids }) => ids),
    refused: listed("refused"),
    hasMore: answers.length < services.length || answers.some(({ hasMore }) => hasMore),
    ...(service !== undefined && answers[0]?.searchedTo !== undefined && { nextAfter: answers[0].searchedTo }),
  };
}

export function sagaServices(ctx: Pick<Ctx<"sagas">, "broker">, { service, name }: Narrowed, of = name): string[] {
  const services = servicesWith(ctx.broker, metadata =>
    of === undefined ? hasSagas(metadata) : Object.hasOwn(metadata.sagas ?? {}, of),
  );
  if (service === undefined) return services;
  if (!services.includes(service)) throw invalid("service", "no service of this name has such sagas");
  return [service];
}

function filterOf({ name, reason, olderThanMinutes }: { [X in keyof Narrowed]: Narrowed[X] | undefined }) {
  return {
    ...(name !== undefined && { name }),
    ...(reason !== undefined && { reason }),
    ...(olderThanMinutes !== undefined && { olderThanMs: Math.round(olderThanMinutes * MINUTE_MS) }),
  };
}
