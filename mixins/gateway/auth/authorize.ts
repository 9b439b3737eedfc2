// Whether the caller may use the route. The service behind it decides again, by the permissions of its action.
import { callErrors, type User } from "../../contract/index.ts";
import type { Parts, Step } from "../exchange.ts";
import { rolesFor } from "../route/route.ts";
import type { Verified } from "./authentication.ts";

export const authorize =
  (_parts: Parts): Step =>
  ({ route, caller }, next) => {
    requireRole(caller, rolesFor(route.access));
    if (!route.keys && caller.keyId !== undefined)
      throw callErrors.FORBIDDEN({ message: "an API key may not do this: log in as a person" });
    return next();
  };

export const hasRole = (user: User, roles: readonly string[]): boolean =>
  roles.length === 0 || roles.some(role => (user.roles as readonly string[]).includes(role));

/** Refuses (403) a user without any of these roles; without a list every user may. */
export function requireRole({ user }: Verified, roles: readonly string[]): void {
  if (!hasRole(user, roles)) throw callErrors.FORBIDDEN({ message: `this asks for the role ${roles.join(" or ")}` });
}
