// Roles of the people that a domain serves. The runtime itself knows one, `admin`, for operations; a domain declares its
// own, so that a contract, a route or a check that names another does not compile:
//
//   declare global { interface Roles { clerk: true } }
//   export const roles = defineRoles({ admin: "Runs the hotel.", clerk: "Books rooms for guests who call." });
import Type from "typebox";
import { defineFormat } from "./formats.ts";

declare global {
  /** The roles by name. A domain adds its own. */
  interface Roles {
    admin: true;
  }
}

export type Role = keyof Roles;

const defined = new Map<string, string>([["admin", "Operates the system: sees and does everything."]]);

/**
 * The roles, each with its purpose in one sentence; all that are declared have to be here. Without it the domain's are
 * known to the compiler alone, and nobody can be granted one.
 */
export function defineRoles(roles: Readonly<Record<Role, string>>): typeof roles {
  for (const [role, purpose] of Object.entries(roles)) defined.set(role, purpose);
  return roles;
}

/** Every role that can be granted, with its purpose; `admin` first. */
export const rolesDefined = (): ReadonlyMap<string, string> => defined;

/** Whether a text names a role that can be granted. */
export const isRole = (name: string): name is Role => defined.has(name);

/** A role's name, as a field of params: `grant: { params: { id, role: RoleName }, … }`. */
export const RoleName = Type.Unsafe<Role>(
  Type.String({
    maxLength: 64,
    format: defineFormat("role", { check: isRole, says: "must be the name of a role", example: "admin" }),
  }),
);
