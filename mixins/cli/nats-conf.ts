// `valence nats-conf`: the users of the NATS server.
import { streamUses } from "../stream/siblings.ts";
import { UsageError, type Command } from "./command.ts";
import { MIGRATE, natsUsers, type RoleUse } from "./nats-users.ts";
import { brokerAlone, readProject } from "./project.ts";
import { roleArguments } from "./roles-argument.ts";

const HELP = `Writes the users of the NATS server, one a role, with the subjects that the nodes of the role may use.

  npx valence nats-conf gateway=api core=accounts,loans > nats-users.conf
  npx valence nats-conf --namespace library …    for nodes whose NAMESPACE is library

The services of this project tell which streams of events a role owns and reads. One more user, migrate, makes the
streams: it is for \`npx valence migrate\`, and no node has its password.

The server's own configuration takes it by \`include nats-users.conf\`, and the passwords from its environment:
NATS_GATEWAY_PASSWORD, NATS_CORE_PASSWORD, NATS_MIGRATE_PASSWORD, each in quotation marks ("4e1f"), without which the
server takes one that begins with a digit for a number and does not start. A node connects by
NATS_URL=tls://gateway:<password>@host:4222 with JETSTREAM_DOMAIN=EVENTS.`;

export const command: Command = {
  help: HELP,
  async run(args) {
    const { roles, value: namespace } = roleArguments(args, "namespace", "");
    if (MIGRATE in roles)
      throw new UsageError(`${MIGRATE} is the user of npx valence migrate: name the role otherwise`);
    const { folder, services } = await readProject();
    const uses = streamUses(await brokerAlone(folder, services));
    const ofRole = (names: readonly string[]): RoleUse => {
      // A service may be named with its actor.
      const own = names.flatMap(named => {
        const name = named.split(":", 1)[0]!;
        const found = uses.filter(({ service }) => service === name);
        if (found.length === 0) throw new UsageError(`${folder} has no service ${name}`);
        return found;
      });
      return {
        owns: own.flatMap(({ owns }) => owns),
        reads: [...new Set(own.flatMap(({ reads }) => reads))],
        takes: own.flatMap(({ takes }) => takes),
      };
    };
    const entries = Object.entries(roles).map(([role, names]) => [role, ofRole(names)] as const);
    process.stdout.write(natsUsers(Object.fromEntries(entries), namespace));
  },
};
