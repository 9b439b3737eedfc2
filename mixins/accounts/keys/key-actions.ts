// An administrator's view of the signing keys, and their rotation on request.
import type { Context, ParamsOf } from "../../contract/index.ts";
import type { AccountsParts } from "../parts.ts";
import { assertSessionLasts } from "../session-lasts.ts";

export const keyActions = {
  signingKeys: {
    repeatable: true,
    async handler(this: AccountsParts) {
      return { keys: await this.signer.list() };
    },
  },

  async rotateKeys(this: AccountsParts, ctx: Context<ParamsOf<"accounts.rotateKeys">>) {
    await assertSessionLasts(this, ctx);
    return { keys: await (ctx.params.stolen ? this.signer.replace() : this.signer.rotate()) };
  },

  jwks: {
    repeatable: true,
    handler(this: AccountsParts) {
      return this.signer.jwks();
    },
  },
};
