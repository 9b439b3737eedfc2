// `valence migrate`: makes the tables of all services, or brings them up to date, and ends. A start does the same. A
// roll-out runs this first, so that no process of the new release waits for it or fails at it.
import { parseArgs } from "node:util";
import { updateTables } from "../database/siblings.ts";
import { ServiceBroker } from "moleculer";
import { nodeEnvironment } from "../kernel/index.ts";
import { type Command } from "./command.ts";
import { brokerOptionsOf, readProject } from "./project.ts";
import { schemaIn, serviceFiles } from "../operations/services.ts";

const HELP = `Makes the tables of all services, or brings them up to date, in the databases that the environment names.

  npx valence migrate

SERVICES limits it to some of them, with commas between. A start does the same.`;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  parseArgs({ args });
  const { folder, services: all, environment } = await readProject();
  const { SERVICES } = nodeEnvironment.of(environment);
  // Not a node of the cluster, and never started: a signal has nothing to stop.
  const alone = { transporter: null, logLevel: "fatal", skipProcessEventRegistration: true } as const;
  const broker = new ServiceBroker({ ...(await brokerOptionsOf()), ...alone });
  for (const file of (SERVICES ?? all).flatMap(service => serviceFiles(folder, service)))
    broker.createService(await schemaIn(file));
  await updateTables(broker, service => console.log(`${service}: up to date`));
}
