// `valence cluster-keys`: a key pair for each role of a cluster.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makePrivateFolder, newClusterKeys } from "../kernel/index.ts";
import { UsageError, type Command } from "./command.ts";
import { roleArguments } from "./roles-argument.ts";

const HELP = `Makes the keys by which the nodes of a cluster know each other, one pair a role.

  npx valence cluster-keys gateway=api core=accounts,loans:loan
  npx valence cluster-keys --to FOLDER …    instead of the folder cluster-keys

It writes cluster.json, which every node gets as CLUSTER_KEYS, and <role>.key.json, which the nodes of that role
alone get as NODE_KEY; only the user who runs this can read the latter. A role's nodes may run the services that it
names, and no others, and their services own the logs of the actors that it names: loans:loan is the service loans with
its actor loan. Without any actor, any service may own any log. It overwrites nothing.`;

export const command: Command = {
  help: HELP,
  async run(args) {
    const { roles, value: folder } = roleArguments(args, "to", "cluster-keys");
    const { clusterKeys, nodeKeys } = newClusterKeys(roles);
    const files = new Map([["cluster.json", `${clusterKeys}\n`]]);
    for (const [role, key] of nodeKeys) files.set(`${role}.key.json`, `${key}\n`);
    const taken = [...files.keys()].find(name => existsSync(join(folder, name)));
    if (taken !== undefined) throw new UsageError(`${join(folder, taken)} is there already: name another folder`);
    makePrivateFolder(folder);
    for (const [name, text] of files) {
      const isPrivate = name.endsWith(".key.json");
      writeFileSync(join(folder, name), text, { flag: "wx", mode: isPrivate ? 0o600 : 0o644 });
      console.log(`${join(folder, name)}${isPrivate ? "  (secret)" : ""}`);
    }
  },
};
