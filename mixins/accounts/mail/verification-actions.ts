// A person shows that they read the mailbox of their account: by a token that is mailed at registration, and again on
// request.
import type { Context, ParamsOf } from "../../contract/index.ts";
import { accountErrors } from "../errors.ts";
import type { AccountsParts } from "../parts.ts";
import { personIn } from "../person-in.ts";
import { assertSessionLasts } from "../session-lasts.ts";

export const verificationActions = {
  async sendVerification(this: AccountsParts, ctx: Context) {
    const { id } = personIn(ctx);
    await assertSessionLasts(this, ctx);
    const user = await this.users.byId(id);
    if (!user) throw accountErrors.USER_NOT_FOUND();
    if (user.person.emailVerified) throw accountErrors.EMAIL_ALREADY_VERIFIED();
    await this.mailLimits.countVerification(id);
    await this.outbox.add({ kind: "verify-email", user: id });
    this.mails.wake();
    return { accepted: true };
  },

  async verifyEmail(this: AccountsParts, ctx: Context<ParamsOf<"accounts.verifyEmail">>) {
    await this.database.transaction(async trx => {
      const id = await this.mailedTokens.use(ctx.params.token, "verify-email", trx);
      await this.users.within(trx).setEmailVerified(id);
    });
    return { verified: true };
  },
};
