// Roles of the people that a domain serves. The runtime itself knows two, for operations: `admin` does everything, `viewer`
// looks on. A domain declares its own, so that a contract, a route or a check that names another does not compile:
//
//   declare global { interface Roles { clerk: true } }
//   export const roles = defineRoles({
//     admin: { says: "Runs the hotel.", may: ["*"] },
//     clerk: { says: "Books rooms for guests who call.", may: ["rooms:*", "guests:read"] },
//   });
//
// A role's permissions are known where this module is loaded: a contract that asks for permissions imports it.
import Type from "typebox";
import { defineFormat } from "./formats.ts";
import { setGrants, type Grant } from "./permissions.ts";

declare global {
  /** The roles by name. A domain adds its own. */
  interface Roles {
    admin: true;
    viewer: true;
  }
}

export type Role = keyof Roles;

const defined = new Map<string, string>([
  ["admin", "Operates the system: sees and does everything."],
  ["viewer", "Looks on: sees all of operations and changes nothing."],
]);

export interface RoleDefinition {
  /** Its purpose, in one sentence. */
  readonly says: string;
  /** Its permissions: `loans:write`, `loans:*`, `*`. */
  readonly may: readonly Grant[];
}

/** `viewer` may be left out: then it has the runtime's permissions, to read operations and the audit. */
type RoleDefinitions = Readonly<
  Record<Exclude<Role, "viewer">, RoleDefinition> & Partial<Record<"viewer", RoleDefinition>>
>;

/**
 * The roles, each with its purpose and its permissions; all that are declared have to be here. `everybody`: permissions of
 * each person who is logged in, whatever their roles. Without it the domain's roles are known to the compiler alone:
 * nobody can be granted one, and they permit nothing. Throws TypeError for a permission of another form.
 */
export function defineRoles<R extends RoleDefinitions>(
  roles: R,
  { everybody = [] }: { readonly everybody?: readonly Grant[] } = {},
): R {
  const grants = Object.entries<RoleDefinition>(roles).map(([role, { may }]) => [role, may] as const);
  setGrants(Object.fromEntries(grants), everybody);
  for (const [role, { says }] of Object.entries<RoleDefinition>(roles)) defined.set(role, says);
  return roles;
}

/** Every role that can be granted, with its purpose; those of the runtime first. */
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
