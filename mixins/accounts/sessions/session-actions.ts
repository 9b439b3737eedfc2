// The sessions of the person who asks: a list, and their end.
import type { Context, ParamsOf } from "../../contract/index.ts";
import { rfc3339 } from "../../kernel/index.ts";
import { personIn } from "../person-in.ts";
import { assertSessionLasts } from "../session-lasts.ts";
import { accountErrors } from "../errors.ts";
import type { AccountsParts } from "../parts.ts";

export const sessionActions = {
  sessions: {
    repeatable: true,
    async handler(this: AccountsParts, ctx: Context) {
      const { id: user, session: current } = personIn(ctx);
      const sessions = await this.sessions.list(user);
      return {
        rows: sessions.map(({ id, device = "An unknown device", address, createdAt, lastUsedAt }) => ({
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
