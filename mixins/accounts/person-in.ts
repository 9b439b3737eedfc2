// The person on whose behalf an action about one's own account runs.
import { callErrors, type Meta, type User } from "../contract/index.ts";

/**
 * The person who asks. Refuses `FORBIDDEN` (403) without one: another service has no sessions, no password and no
 * mailbox.
 */
export function personIn({ meta: { user } }: { readonly meta: Meta }): User {
  if (!user?.id) throw callErrors.FORBIDDEN({ message: "only a person who is logged in has an account of their own" });
  return user;
}
