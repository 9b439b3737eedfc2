// Granting and withdrawing roles. Two promises: the person who grants is an administrator at that moment, and there is
// always an administrator left.
//
// The table decides both, in transactions that take turns; the token of the person who asks does not. A token is valid
// for a quarter of an hour: an administrator whose role was withdrawn could otherwise take it back, and two
// administrators who withdraw each other's role at once would leave none.
import { callErrors, assertConditions, entityTag, type Conditions } from "../contract/index.ts";
import type { Database } from "../database/index.ts";
import { type Clock } from "../kernel/index.ts";
import { ADMIN, type Person } from "./contract.ts";
import { Users } from "./users.ts";
import { accountErrors } from "./errors.ts";

/** Changes of people take turns. The name is that of earlier releases, whose nodes may run beside this one. */
export const PERSON_LOCK = "roles";

export interface Grant {
  /** Id of the person who grants; undefined when no person asks. */
  readonly by: string | undefined;
  readonly id: string;
  readonly roles: readonly string[];
  /** Conditions of the client on the account, as its GET shows it. */
  readonly conditions?: Conditions | undefined;
}

export class Roles {
  readonly #database: Database;
  readonly #clock: Clock;
  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /**
   * Gives the account exactly these roles; answers it as it was and as it is. Refuses `FORBIDDEN` (403) for a person
   * who is no administrator and for a call without a person, `USER_NOT_FOUND` (404), `PRECONDITION_FAILED` (412), and
   * `LAST_ADMINISTRATOR` (409) when no other person is an administrator.
   */
  set({ by, id, roles, conditions }: Grant): Promise<{ before: Person; after: Person }> {
    return this.#database.transaction(
      async trx => {
        const users = new Users({ knex: trx }, this.#clock);
        const granter = by === undefined ? undefined : await users.byId(by);
        if (!granter?.person.roles.includes(ADMIN))
          throw callErrors.FORBIDDEN({ message: "only a person who is an administrator grants roles" });
        const before = (await users.byId(id))?.person;
        if (!before) throw accountErrors.USER_NOT_FOUND({ field: "id" });
        if (conditions) assertConditions(conditions, { tag: entityTag(before) });
        const withdrawn = before.roles.includes(ADMIN) && !roles.includes(ADMIN);
        if (withdrawn && !(await users.hasAdministratorBesides(id)))
          throw accountErrors.LAST_ADMINISTRATOR({ field: "roles" });
        const after = { ...before, roles: [...roles] };
        await users.setRoles(id, after.roles);
        return { before, after };
      },
      { lock: PERSON_LOCK },
    );
  }
}

/**
 * The line of the log about a change, undefined without one: `roles of user 5f2d…: clerk → clerk, admin, by user 0b0c…,
 * from 192.0.2.1, request …`
 */
export function grantLine(
  before: Person,
  after: Person,
  { by, address = "another service", requestId }: { by: string; address?: string | undefined; requestId: unknown },
): string | undefined {
  const [had, has] = [before, after].map(({ roles }) => roles.join(", ") || "none");
  if (had === has) return undefined;
  return `roles of user ${after.id}: ${had} → ${has}, by user ${by}, from ${address}, request ${String(requestId)}`;
}
