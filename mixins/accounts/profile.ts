// People change one field of their own account: the name. A client that sends the account back as it was read changes nothing
// else by it; other values of the fields that it cannot change are refused by name.
//
// It takes turns with changes of roles, since both compare the whole account with a client's conditions.
import { isDeepStrictEqual } from "node:util";
import { assertConditions, callErrors, entityTag, type Conditions } from "../contract/index.ts";
import type { Database } from "../database/index.ts";
import type { Clock } from "../kernel/index.ts";
import type { Person } from "./contract.ts";
import { accountErrors } from "./errors.ts";
import { PERSON_LOCK } from "./roles.ts";
import { Users } from "./users.ts";

export interface ProfileChange {
  readonly id: string;
  readonly name?: string | undefined;
  /** The client's values of fields that are not changed here. */
  readonly unchanged?: Partial<Omit<Person, "name">> | undefined;
  /** Conditions of the client on the account, as its GET shows it. */
  readonly conditions?: Conditions | undefined;
}

/**
 * Changes the account; answers it as it is then. Refuses `USER_NOT_FOUND` (404), `PRECONDITION_FAILED` (412), and
 * `VALIDATION_ERROR` (422) when a field is to change that cannot.
 */
export function changeProfile(database: Database, clock: Clock, change: ProfileChange): Promise<Person> {
  const { id, name, unchanged = {}, conditions } = change;
  return database.transaction(
    async trx => {
      const users = new Users({ knex: trx }, clock);
      const before = (await users.byId(id))?.person;
      if (!before) throw accountErrors.USER_NOT_FOUND({ field: "person" });
      if (conditions) assertConditions(conditions, { tag: entityTag(before) });
      const errors = Object.entries(unchanged)
        .filter(([field, value]) => !isDeepStrictEqual(value, before[field as keyof Person]))
        .map(([field]) => ({ field, message: "cannot be changed here" }));
      if (errors.length > 0) throw callErrors.VALIDATION_ERROR({ message: "see errors", errors });
      if (name === undefined) return before;
      await users.setName(id, name);
      return { ...before, name };
    },
    { lock: PERSON_LOCK },
  );
}
