import { UsageError } from "./command.ts";

/** `gateway=api core=accounts,loans:loan`: the services of each role, with the actor whose log they own. Throws UsageError. */
export function rolesOf(args: readonly string[]): Record<string, readonly string[]> {
  if (args.length === 0)
    throw new UsageError("name the roles and their services: gateway=api core=accounts,loans:loan");
  const roles: Record<string, readonly string[]> = {};
  for (const argument of args) {
    const [role, services] = /^([a-z][a-z\d-]{0,31})=([\w,:-]*)$/.exec(argument)?.slice(1) ?? [];
    if (role === undefined || services === undefined)
      throw new UsageError(
        `"${argument}" is not <role>=<service>,<service>:<actor>: a role has small letters, digits and -`,
      );
    if (Object.hasOwn(roles, role)) throw new UsageError(`the role ${role} is named twice`);
    roles[role] = services.split(",").filter(Boolean);
  }
  return roles;
}
