// The record of one actor: its history in pages, how its state changed, and what it would decide.
import { badCursor, cursorOf, readCursor } from "../../contract/index.ts";
import { ask, hostOf, limits, hiddenFrom, shown, type Answer } from "../asking.ts";
import { operationErrors } from "../errors.ts";
import type { Ctx } from "./context.ts";
import { diff } from "./diff.ts";

/** Changes of a state that are told. */
const CHANGES_MAX = 1_000;

interface Snapshot {
  readonly version: number;
  readonly state: unknown;
}

export async function actorHistory(ctx: Ctx<"actorHistory">) {
  const { type, id, limit = limits.page, cursor } = ctx.params;
  const service = hostOf(ctx.broker, type);
  const list = `history of ${type} ${id}`;
  const from = cursor === undefined ? (ctx.params.from ?? 1) : versionIn(cursor, list);
  // One more tells whether there is a next page.
  const params = { id, from, limit: limit + 1 };
  const { events } = await ask<{ events: (Answer & { version: number })[] }>(ctx, service, "history", params);
  if (events.length === 0 && from === 1) throw operationErrors.ACTOR_NOT_FOUND({ field: "id", type, id });
  const page = events.slice(0, limit);
  const next = events.length > limit ? { nextCursor: cursorOf(list, [page.at(-1)!.version + 1]) } : {};
  return shown(ctx, { type, id, events: page, ...next });
}

function versionIn(cursor: string, list: string): number {
  const [version] = readCursor(cursor, list, 1);
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 1) throw badCursor();
  return version;
}

export async function actorDiff(ctx: Ctx<"actorDiff">) {
  const { type, id, from, to } = ctx.params;
  const service = hostOf(ctx.broker, type);
  const stateAt = (version: number): Promise<Snapshot> => ask(ctx, service, "stateAt", { id, version });
  const now = (): Promise<Snapshot> => ask(ctx, service, "get", { id, consistent: true });
  const after = await (to === undefined ? now() : stateAt(to));
  if (after.version === 0 && to === undefined) throw operationErrors.ACTOR_NOT_FOUND({ field: "id", type, id });
  const before = await stateAt(from);
  const changes = diff(before.state, after.state, CHANGES_MAX + 1, hiddenFrom(ctx));
  return {
    ...shown(ctx, {
      type,
      id,
      from,
      to: after.version,
      changes: changes.slice(0, CHANGES_MAX).map((change): Answer => ({ ...change })),
    }),
    hasMore: changes.length > CHANGES_MAX,
  };
}

/** A service's answer about a command that is not executed. */
interface WouldDecide extends Answer {
  readonly version: number;
  /** The state after its events. */
  readonly after?: unknown;
}

export async function whatIf(ctx: Ctx<"whatIf">): Promise<Answer> {
  const { type, id, command, params = {}, prepared } = ctx.params;
  const service = hostOf(ctx.broker, type);
  if (command === undefined) {
    const answer = await ask<Answer & { version: number }>(ctx, service, "whatIf", { id });
    if (answer.version === 0) throw operationErrors.ACTOR_NOT_FOUND({ field: "id", type, id });
    return shown(ctx, { type, ...answer });
  }
  const asked = { id, command, params, ...(prepared !== undefined && { prepared }) };
  const { after, ...decided } = await ask<WouldDecide>(ctx, service, "wouldDecide", asked);
  const before = after === undefined ? undefined : await stateOf(ctx, service, id, decided.version);
  const changes = after === undefined ? [] : diff(before, after, CHANGES_MAX, hiddenFrom(ctx));
  return shown(ctx, { type, ...decided, changes });
}

/** The state at a version. It has a call of its own, since an answer with two states might not fit on the bus. */
async function stateOf(ctx: Ctx<"whatIf">, service: string, id: string, version: number): Promise<unknown> {
  const now = await ask<Snapshot>(ctx, service, "get", { id });
  const then = now.version === version ? now : await ask<Snapshot>(ctx, service, "stateAt", { id, version });
  return then.state;
}
