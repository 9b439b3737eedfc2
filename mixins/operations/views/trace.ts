// All that carries a trace's id. The id is in the text of events and of no index, which would cost every commit: so the newest part
// of each log is searched, and the answer says how far back that was. Older events are found by the audit, or by the tracing backend.
import {
  ask,
  askEach,
  compare,
  hasActor,
  hasConsumers,
  hasSagas,
  limits,
  servicesWith,
  shown,
  text,
  type Answer,
} from "../asking.ts";
import type { Context } from "../../contract/index.ts";
import type { Ctx } from "./context.ts";

/** Events of each log that are searched unless the operator says otherwise: some 50 ms of a database. */
const NEWEST = 10_000;
/** Dead letters that are searched: each is a failure that waits for a person. */
const LETTERS = 10_000;

interface Found {
  readonly searched: number;
  readonly since?: string;
  readonly hasMore: boolean;
}

/** The events and sagas, of the newest of each log, whose metadata has such a text: the id of a trace, or of a request. */
export async function carrying(ctx: Context, text: string, newest = NEWEST) {
  const params = { trace: text, newest, limit: limits.page };
  const [events, sagas] = await Promise.all([
    askEach(servicesWith(ctx.broker, hasActor), (service, options) =>
      ask<Found & { events: Answer[] }>(ctx, service, "traced", params, options),
    ),
    askEach(servicesWith(ctx.broker, hasSagas), (service, options) =>
      ask<Found & { sagas: string[] }>(ctx, service, "tracedSagas", params, options),
    ),
  ]);
  return { events, sagas };
}

export async function trace(ctx: Ctx<"trace">) {
  const { id, events: newest = NEWEST } = ctx.params;
  const traceId = /[0-9a-f]{32}/.exec(id)![0];
  const params = { trace: traceId, newest, limit: limits.page };
  const [{ events, sagas }, letters] = await Promise.all([
    carrying(ctx, traceId, newest),
    askEach(servicesWith(ctx.broker, hasConsumers), (service, options) =>
      ask<{ deadLetters: Answer[] }>(ctx, service, "tracedLetters", { ...params, newest: LETTERS }, options),
    ),
  ]);
  const found = {
    events: events.answers
      .flatMap(({ service, answer }) => answer.events.map((event): Answer => ({ service, ...event })))
      .sort((a, b) => compare(text(a["at"]), text(b["at"]))),
    sagas: sagas.answers.flatMap(({ service, answer }) => answer.sagas.map((id): Answer => ({ service, id }))),
    deadLetters: letters.answers.flatMap(({ service, answer }) =>
      answer.deadLetters.map((letter): Answer => ({ service, ...letter, id: `${service}:${String(letter["id"])}` })),
    ),
  };
  const logs: { service: string; answer: Found }[] = [...events.answers, ...sagas.answers];
  return {
    id: traceId,
    ...shown(ctx, found),
    searched: logs.map(({ service, answer: { searched, since } }) => ({
      service,
      events: searched,
      ...(since !== undefined && { since }),
    })),
    silent: [...new Set([events, sagas, letters].flatMap(({ silent }) => silent))].sort(),
    hasMore: logs.some(({ answer }) => answer.hasMore),
  };
}
