// An access token outlives its session by a quarter of an hour, since it is verified without asking anybody. What it does
// meanwhile must not outlive it too: a thief whose session was ended would otherwise make a key for a year, or end the
// sessions of the owner. So whatever changes an account asks first whether the session still exists.
import type { Knex } from "knex";
import type { Meta } from "../contract/index.ts";
import { accountErrors } from "./errors.ts";
import type { SessionStore } from "./session-store.ts";

/**
 * Refuses (401 `SESSION_OVER`) an access token whose session has ended. A key or an issuer's token has no session, and ends
 * by itself. `within`: the transaction of the change, where there is one.
 */
export async function assertSessionLasts(
  { sessions }: { readonly sessions: Pick<SessionStore, "has"> },
  { meta: { user } }: { readonly meta: Meta },
  within?: Knex,
): Promise<void> {
  if (user?.session === undefined) return;
  if (!(await sessions.has(user.id, user.session, within))) throw accountErrors.SESSION_OVER();
}
