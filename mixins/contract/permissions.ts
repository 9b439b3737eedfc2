// Permissions of people. An action declares the permission that it needs, in its contract; a domain says once which roles
// have which permissions (`defineRoles`); the service that answers decides, for each call of a person:
//
//   allowed = one of the person's roles has the permission, or everybody who is logged in has it,
//             and the credential is not narrowed, or one of its scopes has it
//
// A permission reads `<thing>:<word>`: `loans:write`. A grant and a scope may name all words of a thing (`loans:*`), or
// everything (`*`).
import type { User } from "./define-service.ts";

/** The permission that an action asks for: `<thing>:<word>`, both of small letters, digits and hyphens. */
export type Permission = `${string}:${string}`;
/** The grant of a role or a scope: a permission, all words of a thing, or everything. */
export type Grant = Permission | "*";

/** A permission as an action declares it: without wildcards. */
const PERMISSION = /^[a-z][a-z\d-]{0,63}:[a-z][a-z\d-]{0,63}$/;
const GRANT = /^(\*|[a-z][a-z\d-]{0,63}:(\*|[a-z][a-z\d-]{0,63}))$/;

export const isPermission = (text: string): text is Permission => PERMISSION.test(text);
export const isGrant = (text: string): text is Grant => GRANT.test(text);

/** The permissions of everybody who is logged in, whatever their roles: their own account. A domain adds to them. */
const OF_EVERYBODY: readonly Grant[] = ["account:*"];

let ofEverybody: ReadonlySet<string> = new Set(OF_EVERYBODY);
/** The roles that the runtime itself knows: who operates it, and who looks on. */
const ofRole = new Map<string, ReadonlySet<string>>([
  ["admin", new Set(["*"])],
  ["viewer", new Set(["operations:read", "audit:read"])],
]);

/** Notes the grants of the domain; `defineRoles` calls it. Throws TypeError for a grant of another form. */
export function setGrants(roles: Readonly<Record<string, readonly Grant[]>>, everybody: readonly Grant[]): void {
  for (const [role, may] of Object.entries({ ...roles, everybody })) {
    const wrong = (may as readonly string[]).find(grant => !isGrant(grant));
    if (wrong !== undefined) throw new TypeError(`role ${role}: "${wrong}" is no permission: <thing>:<word>, or *`);
  }
  for (const [role, may] of Object.entries(roles)) ofRole.set(role, new Set(may));
  ofEverybody = new Set([...OF_EVERYBODY, ...everybody]);
}

/** Whether a person may do what asks for this permission. `false` is for services alone: no person may. */
export function isAllowed(user: User, permission: Permission | false): boolean {
  if (permission === false) return false;
  const isGranted =
    (user.id !== "" && has(ofEverybody, permission)) ||
    user.roles.some(role => has(ofRole.get(role) ?? NOTHING, permission));
  return isGranted && (user.scopes === undefined || has(new Set(user.scopes), permission));
}
const NOTHING: ReadonlySet<string> = new Set();

const has = (grants: ReadonlySet<string>, permission: Permission): boolean =>
  grants.has(permission) || grants.has("*") || grants.has(`${permission.slice(0, permission.indexOf(":"))}:*`);
