// node deploy/check-backup.ts [--namespace valence] exits with 1 when the database of the cluster could not be restored.
import { parseArgs } from "node:util";
import { checkBackup } from "./backup.ts";
import { Cluster } from "./cluster.ts";
import { run, script } from "./run.ts";

await script(() => {
  const { values } = parseArgs({ options: { namespace: { type: "string", default: "valence" } } });
  console.log(checkBackup(new Cluster(run, values.namespace, 1)));
});
