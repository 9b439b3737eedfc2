// Ownership: a person may see and change only their own resources. The gateway puts the asking person into `meta.user`;
// a call between services carries no person and may see and do everything.
import { Refusal } from "../kernel/index.ts";
import type { Meta, User } from "./define-service.ts";
import type { Role } from "./roles.ts";

interface Asked {
  readonly meta: Pick<Meta, "user">;
}

const ADMIN: readonly Role[] = ["admin"];

/** Whether a request may see everyone's resources: a call between services, or a user with one of the roles. */
export const seesAll = ({ meta: { user } }: Asked, roles: readonly Role[] = ADMIN): boolean =>
  user === undefined || hasOneOf(user, roles);

/**
 * Whether a request may act for an owner: the owner's own, one of a user with one of the roles (default `admin`), or a call
 * between services. `[]` leaves it to the owner and to services.
 */
export const actsFor = (asked: Asked, owner: unknown, roles: readonly Role[] = ADMIN): boolean =>
  seesAll(asked, roles) || asked.meta.user!.id === owner;

/**
 * Throws the refusal, a 404, unless the request may act for the owner. A resource of another user does not exist for the
 * asking one, since its id must tell nothing; neither does one that has no owner yet:
 * `assertOwned(ctx, state.guest, bookingErrors.BOOKING_NOT_FOUND)`. A code alone stands for a refusal with this code.
 */
export function assertOwned(
  asked: Asked,
  owner: string | undefined,
  refusal: string | (() => Error),
  roles: readonly Role[] = ADMIN,
): asserts owner is string {
  if (owner === undefined || !actsFor(asked, owner, roles))
    throw typeof refusal === "string" ? new Refusal(refusal) : refusal();
}

const hasOneOf = (user: User, roles: readonly Role[]): boolean => roles.some(role => user.roles.includes(role));
