// A password is changed by the person who knows it, or set anew by the one who reads the account's mailbox. Both end the
// sessions of everybody else: the old password may be in other hands. They end in the transaction that sets the password,
// and behind it: `sessions/under-password.ts` has the reason. A session store that is away refuses, and nothing is changed.
import type { Context, ParamsOf } from "../../contract/index.ts";
import { normalEmail } from "../email-keys.ts";
import { accountErrors } from "../errors.ts";
import type { Entrances } from "../exchange/entrances.ts";
import type { AccountsParts } from "../parts.ts";
import { personIn } from "../person-in.ts";
import { assertSessionLasts } from "../session-lasts.ts";

export const passwordActions = {
  /** Counts as an attempt to log in: a stolen access token must not guess the password. */
  async changePassword(this: AccountsParts, ctx: Context<ParamsOf<"accounts.changePassword">>) {
    const { currentPassword, newPassword } = ctx.params;
    const { address } = ctx.meta;
    const { id, session } = personIn(ctx);
    const user = await this.users.byId(id);
    if (!user) throw accountErrors.WRONG_PASSWORD({ field: "currentPassword" });
    await assertSessionLasts(this, ctx);
    const { person } = user;
    const attempt = {
      account: normalEmail(person.email),
      address,
      isKnown: () => this.known.has(user, address!),
    };
    const isRight = await this.attempts.isRight(attempt, () =>
      this.passwords.verify(user.passwordHash, currentPassword),
    );
    if (!isRight) throw accountErrors.WRONG_PASSWORD({ field: "currentPassword" });
    await this.strength.assertStrong("newPassword", newPassword, person);
    const passwordHash = await this.passwords.hash(newPassword);
    await this.database.transaction(async trx => {
      const isSet = await this.users.within(trx).replaceHash(user, passwordHash);
      // Another change was quicker: the password that was sent is not the current one any more.
      if (!isSet) throw accountErrors.WRONG_PASSWORD({ field: "currentPassword" });
      // Again, behind the hashes: the owner may have ended this session meanwhile.
      await assertSessionLasts(this, ctx, trx);
      await this.mailedTokens.withdraw(id, "reset-password", trx);
      await this.outbox.add({ kind: "password-changed", user: id }, trx);
      await this.sessions.endAll(id, session, trx);
    });
    this.credentialsChanged(id);
    this.mails.wake();
    this.logger.warn(changeLine("was changed", id, ctx));
    if (address !== undefined) await this.known.remember({ person, passwordHash }, address);
    return { changed: true };
  },

  /**
   * Only writes down the address: whether it has an account is looked up afterwards, in the background. So neither the
   * answer nor its time tells.
   */
  async forgotPassword(this: AccountsParts, ctx: Context<ParamsOf<"accounts.forgotPassword">>) {
    const { email } = ctx.params;
    if (await this.mailLimits.mayReset(normalEmail(email), ctx.meta.address)) {
      await this.outbox.add({ kind: "reset-password", email });
      this.mails.wake();
    }
    return { accepted: true };
  },

  /**
   * Until somebody has shown that they read the account's mailbox, nobody knows who opened it: a stranger may have, with the
   * owner's address, to get in by a key later. So keys that were made before that end with a reset.
   */
  async resetPassword(this: Entrances, ctx: Context<ParamsOf<"accounts.resetPassword">>) {
    const { token, newPassword } = ctx.params;
    const { address } = ctx.meta;
    // Asked before hashing, so that a made-up token costs little. The token is used up in the transaction.
    const id = await this.mailedTokens.ownerOf(token, "reset-password");
    const user = await this.users.byId(id);
    if (!user) throw accountErrors.BAD_TOKEN({ field: "token" });
    await this.strength.assertStrong("newPassword", newPassword, user.person);
    const passwordHash = await this.passwords.hash(newPassword);
    const keysEnded = await this.database.transaction(async trx => {
      const users = this.users.within(trx);
      await users.setPassword(id, passwordHash);
      await this.mailedTokens.use(token, "reset-password", trx);
      const ended = await this.apiKeys.revokeAll(id, trx, await users.emailVerifiedAt(id));
      // The token came by this mailbox.
      await users.setEmailVerified(id);
      await this.outbox.add({ kind: "password-changed", user: id }, trx);
      await this.sessions.endAll(id, undefined, trx);
      return ended;
    });
    this.credentialsChanged(id);
    this.mails.wake();
    const keys = keysEnded > 0 ? `, and ${keysEnded} keys of before its address was verified ended` : "";
    this.logger.warn(changeLine(`was set anew by a mailed token${keys}`, id, ctx));
    await this.attempts.forget(normalEmail(user.person.email), address);
    if (address !== undefined) await this.known.remember({ ...user, passwordHash }, address);
    return { changed: true };
  },
};

/** The line of the log: `the password of user 5f2d… was changed, from 192.0.2.1, request …` */
const changeLine = (how: string, user: string, { meta: { address }, requestID }: Context): string =>
  `the password of user ${user} ${how}, from ${address ?? "another service"}, request ${String(requestID)}`;
