// The arguments of the commands about the roles of a cluster.
import { parseArgs } from "node:util";
import { UsageError } from "./command.ts";

export interface RoleArguments {
  /** The services of each role. */
  readonly roles: Readonly<Record<string, readonly string[]>>;
  /** The value of the option. */
  readonly value: string;
}

/** The roles, and a command's one option: `--to keys gateway=api core=accounts,loans:loan`. Throws UsageError. */
export function roleArguments(args: readonly string[], option: string, usual: string): RoleArguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { [option]: { type: "string", default: usual } },
  });
  return { roles: rolesOf(positionals), value: values[option] as string };
}

/** `gateway=api core=accounts,loans:loan`: the services of each role, with the actor whose log they own. Throws UsageError. */
function rolesOf(args: readonly string[]): Record<string, readonly string[]> {
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
