// API keys: a person makes them for machines, and ends them.
import { actsFor, callErrors, type Context, type ParamsOf } from "../../contract/index.ts";
import { accountErrors } from "../errors.ts";
import type { Entrances } from "../exchange/entrances.ts";
import { personIn } from "../person-in.ts";
import { assertSessionLasts } from "../session-lasts.ts";

export const apiKeyActions = {
  async createApiKey(this: Entrances, ctx: Context<ParamsOf<"accounts.createApiKey">>) {
    const { id } = personIn(ctx);
    const made = await this.apiKeys.create(id, ctx.params, async trx => {
      // A new password ends the session and commits before this looks for it, or after the key is there to be seen.
      await this.users.within(trx).hold(id);
      await assertSessionLasts(this, ctx, trx);
    });
    this.logger.warn(`API key ${made.id} made by user ${id}, from ${ctx.meta.address ?? "another service"}`);
    return made;
  },

  apiKeys: {
    repeatable: true,
    async handler(this: Entrances, ctx: Context<ParamsOf<"accounts.apiKeys">>) {
      const { user, ...page } = ctx.params;
      if (!actsFor(ctx, user)) throw accountErrors.USER_NOT_FOUND({ field: "user" });
      return this.apiKeys.list(user, page);
    },
  },

  async revokeApiKey(this: Entrances, ctx: Context<ParamsOf<"accounts.revokeApiKey">>) {
    const { user, id } = ctx.params;
    if (!ctx.meta.user) throw callErrors.FORBIDDEN({ message: "only a person revokes keys" });
    await assertSessionLasts(this, ctx);
    if (!actsFor(ctx, user) || !(await this.apiKeys.revoke(user, id)))
      throw accountErrors.KEY_NOT_FOUND({ field: "id" });
    this.credentialsChanged(user);
    return { revoked: true };
  },
};
