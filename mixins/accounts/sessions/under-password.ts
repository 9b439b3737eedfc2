// A session is opened only under the password that was checked. A log-in reads the hash, and may then wait for its turn to
// compare it, while the owner sets another password and ends all sessions:
//
//   log-in: reads the hash, compares … opens a session … looks at the row again
//   change: sets the hash, ends all sessions, commits: one transaction, which holds the row from its first step
//
// A session that was opened before the change took the row is ended by it. One that was opened later looks at a row that
// the change holds, waits for it, and finds another hash. A process that dies in between has given its session to nobody.
import type { Database } from "../../database/index.ts";
import { accountErrors } from "../errors.ts";
import type { User, Users } from "../users.ts";

export interface Opening<T> {
  readonly open: (user: string) => Promise<T>;
  /** Ends what was opened. */
  readonly close: (opened: T) => Promise<unknown>;
}

/** Opens a session of a user whose password was checked. Refuses `BAD_CREDENTIALS` when it was changed meanwhile. */
export async function openUnderPassword<T>(
  { database, users }: { readonly database: Database; readonly users: Users },
  user: User,
  { open, close }: Opening<T>,
): Promise<T> {
  const opened = await open(user.person.id);
  if (await database.transaction(trx => users.within(trx).hasStill(user))) return opened;
  await close(opened);
  throw accountErrors.BAD_CREDENTIALS();
}
