// What operators did, from the audit: each deed is two records there, one before it was done and one after.
import { cursorBehind } from "../../audit/index.ts";
import { type ParamsOf, type ResultOf } from "../../contract/index.ts";
import { limits } from "../asking.ts";
import { operationErrors } from "../errors.ts";
import type { Ctx } from "./context.ts";

/** Records that one request looks at, and reads at once. */
const SEARCH = { searched: 2_000, page: 200 } as const;
/** Records of a subject among which the outcome of a request is looked for. */
const OUTCOMES = 50;

type Record = ResultOf<"audit.list">["records"][number];
type Deed = ResultOf<"ops.activity">["activity"][number];

/** The data of a record of an act: see `act-events.ts` of the audit. */
interface Act {
  readonly action?: string;
  readonly details?: Readonly<{ [field: string]: unknown }>;
  readonly outcome?: "done" | "refused" | "failed";
  readonly error?: string;
}
const actIn = ({ data }: Record): Act => (typeof data === "object" && data !== null ? data : {});
const isAnswer = ({ type }: Record): boolean => type.endsWith(".answered");

export async function activity(ctx: Ctx<"activity">) {
  const { of = "operation", action, outcome, id, person, from, to, limit = limits.page, cursor } = ctx.params;
  if (!ctx.broker.registry.actions.get("audit.list")) throw operationErrors.AUDIT_NOT_KEPT();
  const narrowed: Pick<ParamsOf<"audit.list">, "actor" | "subject" | "person" | "from" | "to"> = {
    ...(id === undefined ? { actor: of } : { subject: `${of}.${id}` }),
    ...(person !== undefined && { person }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  };
  const isMeant = (deed: Deed): boolean =>
    (action === undefined || deed.action === action) && (outcome === undefined || deed.outcome === outcome);
  const deeds: Deed[] = [];
  const open = new Requests(ctx);
  let next = cursor;
  for (let searched = 0; searched < SEARCH.searched;) {
    const asked: ParamsOf<"audit.list"> = {
      ...narrowed,
      limit: SEARCH.page,
      ...(next !== undefined && { cursor: next }),
    };
    const { records, nextCursor } = await ctx.call("audit.list", asked);
    for (const record of records) {
      const deed = isAnswer(record) ? open.answered(record) : await open.requested(record);
      if (deed === undefined || !isMeant(deed)) continue;
      deeds.push(deed);
      if (deeds.length === limit) return { activity: deeds, nextCursor: cursorBehind(record, narrowed) };
    }
    if (nextCursor === undefined) return { activity: deeds };
    next = nextCursor;
    searched += records.length;
  }
  return { activity: deeds, ...(next !== undefined && { nextCursor: next }) };
}

/** Puts the two records of a deed together. Outcomes come first, since the newest does. */
class Requests {
  readonly #ctx: Ctx<"activity">;
  /** Deeds whose request has not come yet, by what the two records have in common. */
  readonly #answered = new Map<string, { deed: Deed; at: number }[]>();

  constructor(ctx: Ctx<"activity">) {
    this.#ctx = ctx;
  }

  answered(record: Record): Deed {
    const { outcome = "unknown" } = actIn(record);
    const deed = deedOf(record, outcome);
    const key = keyOf(record);
    this.#answered.set(key, [...(this.#answered.get(key) ?? []), { deed, at: Date.parse(record.at) }]);
    return deed;
  }

  /** The deed of a request that has no outcome. */
  async requested(record: Record): Promise<Deed | undefined> {
    const known = this.#answered.get(keyOf(record))?.shift();
    if (known) {
      (known.deed as { ms?: number }).ms = Math.max(0, known.at - Date.parse(record.at));
      return undefined;
    }
    // Its outcome may be on the page before, or left out by a filter of times.
    const { records } = await this.#ctx.call("audit.list", { subject: record.subject, limit: OUTCOMES });
    const isAnswered = records.some(
      one => isAnswer(one) && one.version > record.version && keyOf(one) === keyOf(record),
    );
    return isAnswered ? undefined : deedOf(record, "unknown");
  }
}

const keyOf = (record: Record): string =>
  JSON.stringify([record.subject, actIn(record).action, record.person, record.requestId]);

function deedOf(record: Record, outcome: Deed["outcome"]): Deed {
  const { at, subject, person, key, requestId, trace } = record;
  const { action = "", details = {}, error } = actIn(record);
  const { note, ...rest } = details;
  return {
    at,
    ...(person !== undefined && { person }),
    ...(key !== undefined && { key }),
    action,
    id: subject.slice(subject.indexOf(".") + 1),
    ...(typeof note === "string" && { note }),
    outcome,
    ...(error !== undefined && { error }),
    details: rest,
    ...(requestId !== undefined && { requestId }),
    ...(trace !== undefined && { trace }),
  };
}
