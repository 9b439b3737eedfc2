// A browser's log-in and log-out.
import type { Context, ParamsOf } from "../../contract/index.ts";
import { SESSION_OPENED, type SessionOpened } from "../../gateway/index.ts";
import { rfc3339 } from "../../kernel/index.ts";
import { accountErrors } from "../errors.ts";
import type { Entrances } from "../exchange/entrances.ts";
import { deviceOf } from "../sessions/device.ts";
import { personIn } from "../person-in.ts";

export const browserSessionActions = {
  async openSession(this: Entrances, { params, meta }: Context<ParamsOf<"accounts.openSession">>) {
    const { replaces, ...credentials } = params;
    const { address } = meta;
    const { person: user, opened } = await this.logIn(credentials, address, {
      open: id => this.browsers.open(id, { device: deviceOf(meta.userAgent), address }),
      close: ({ value }) => this.browsers.close(value),
    });
    if (replaces !== undefined) await this.endBrowserSession(replaces);
    meta[SESSION_OPENED] = opened satisfies SessionOpened;
    return { user, expiresAt: rfc3339(opened.expiresAt) };
  },

  readSession: {
    repeatable: true,
    async handler(this: Entrances, ctx: Context<ParamsOf<"accounts.readSession">>) {
      const user = await this.users.byId(personIn(ctx).id);
      if (!user) throw accountErrors.USER_NOT_FOUND();
      return { user: user.person };
    },
  },

  async closeSession(this: Entrances, { params: { session } }: Context<ParamsOf<"accounts.closeSession">>) {
    if (session !== undefined) await this.endBrowserSession(session);
    return { closed: true };
  },
};
