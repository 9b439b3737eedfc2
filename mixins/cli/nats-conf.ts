// `valence nats-conf`: the users of the NATS server.
import type { Command } from "./command.ts";
import { natsUsers } from "./nats-users.ts";
import { roleArguments } from "./roles-argument.ts";

const HELP = `Writes the users of the NATS server, one a role, with the subjects that the nodes of the role may use.

  npx valence nats-conf gateway=api core=accounts,loans > nats-users.conf
  npx valence nats-conf --namespace library …    for nodes whose NAMESPACE is library

The server's own configuration takes it by \`include nats-users.conf\`, and the passwords from its environment:
NATS_GATEWAY_PASSWORD, NATS_CORE_PASSWORD. A node connects by NATS_URL=tls://gateway:<password>@host:4222.`;

export const command: Command = {
  help: HELP,
  async run(args) {
    const { roles, value: namespace } = roleArguments(args, "namespace", "");
    process.stdout.write(natsUsers(roles, namespace));
  },
};
