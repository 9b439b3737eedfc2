// Which claims of an issuer's tokens give which roles: `groups=staff:clerk,realm_access.roles=boss:admin`. One rule
// reads `<claim>=<value>:<role>`. The claim ends at the first `=` and the role begins after the last `:`, so that a claim may
// be a URL, as some issuers demand, and a value may have colons. Dots lead into a claim that is an object; a claim that has
// the whole name, dots included, comes first.
import { EnvironmentError } from "../../kernel/index.ts";

export interface RoleRule {
  readonly claim: string;
  readonly value: string;
  readonly role: string;
}

const RULE = /^([^=\s]+)=(.+):([^:\s]+)$/;

/** The rules of a text; undefined when it is malformed. */
export function readRoleRules(text: string): readonly RoleRule[] | undefined {
  const rules = text.split(",").map(one => {
    const [, claim, value, role] = RULE.exec(one.trim()) ?? [];
    return claim === undefined ? undefined : { claim, value: value!, role: role! };
  });
  return rules.includes(undefined) ? undefined : (rules as RoleRule[]);
}

/** Throws EnvironmentError for a role that is not declared. */
export function checkRoles(rules: readonly RoleRule[], declared: readonly string[]): void {
  const unknown = rules.find(({ role }) => !declared.includes(role));
  if (!unknown) return;
  const { claim, value, role } = unknown;
  throw new EnvironmentError(
    "OIDC_ROLES",
    `${claim}=${value}:${role}`,
    `a role that is declared: ${declared.join(", ")}`,
  );
}

/** The roles that the claims of a token give: a claim is a text, or a list of texts. */
export function rolesIn(claims: Readonly<Record<string, unknown>>, rules: readonly RoleRule[]): string[] {
  const roles = rules.filter(({ claim, value }) => textsOf(claimOf(claims, claim)).includes(value));
  return [...new Set(roles.map(({ role }) => role))];
}

function claimOf(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let found: unknown = claims;
  for (const part of name.split(".")) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, part)) return undefined;
    found = (found as Record<string, unknown>)[part];
  }
  return found;
}

const textsOf = (claim: unknown): readonly unknown[] => (Array.isArray(claim) ? claim : [claim]);
