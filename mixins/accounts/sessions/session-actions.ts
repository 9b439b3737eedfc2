// The sessions of the person who asks: a list, and their end.
import { badCursor, cursorOf, readCursor, type Context, type ParamsOf } from "../../contract/index.ts";
import { rfc3339 } from "../../kernel/index.ts";
import { personIn } from "../person-in.ts";
import { assertSessionLasts } from "../session-lasts.ts";
import { accountErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import { pageOf, type Page, type Paged } from "../pages.ts";
import type { AccountsParts } from "../parts.ts";
import type { OpenSession } from "../session-store.ts";

export const sessionActions = {
  sessions: {
    repeatable: true,
    async handler(this: AccountsParts, ctx: Context<ParamsOf<"accounts.sessions">>) {
      const { id: user, session: current } = personIn(ctx);
      const { rows, ...page } = pageOfSessions(await this.sessions.list(user), ctx.params);
      return {
        ...page,
        rows: rows.map(({ id, device = "An unknown device", address, createdAt, lastUsedAt }) => ({
          id,
          device,
          ...(address !== undefined && { address }),
          createdAt: rfc3339(createdAt),
          lastUsedAt: rfc3339(lastUsedAt),
          current: id === current,
        })),
      };
    },
  },

  async endSession(this: AccountsParts, ctx: Context<ParamsOf<"accounts.endSession">>) {
    const user = personIn(ctx).id;
    await assertSessionLasts(this, ctx);
    const ended = await this.sessions.end(user, ctx.params.id);
    if (!ended) throw accountErrors.SESSION_NOT_FOUND({ field: "id" });
    this.credentialsChanged(user);
    return { ended };
  },

  async endSessions(this: AccountsParts, ctx: Context<ParamsOf<"accounts.endSessions">>) {
    const { id, session } = personIn(ctx);
    await assertSessionLasts(this, ctx);
    await this.sessions.endAll(id, ctx.params.others ? session : undefined);
    this.credentialsChanged(id);
    return { ended: true };
  },
};

/** The latest used first; those of one moment by their ids. */
const ORDER = "sessions by -lastUsedAt, -id";
const isAfter = (a: Place, b: Place): boolean =>
  a.lastUsedAt < b.lastUsedAt || (a.lastUsedAt === b.lastUsedAt && a.id < b.id);
type Place = Pick<OpenSession, "id" | "lastUsedAt">;

/** A page of a person's sessions, which are few: either store answers all. Refuses (422) a cursor of another list. */
export function pageOfSessions(
  all: readonly OpenSession[],
  { pageSize = limits.pageSize, cursor }: Paged,
): Page<OpenSession> {
  const sorted = all.toSorted((a, b) => (isAfter(a, b) ? 1 : -1));
  const last = cursor === undefined ? undefined : placeIn(cursor);
  const left = last ? sorted.filter(session => isAfter(session, last)) : sorted;
  return pageOf(left, pageSize, ({ lastUsedAt, id }) => cursorOf(ORDER, [lastUsedAt, id]));
}

function placeIn(cursor: string): Place {
  const [lastUsedAt, id] = readCursor(cursor, ORDER, 2);
  if (typeof lastUsedAt !== "number" || typeof id !== "string") throw badCursor();
  return { lastUsedAt, id };
}
