// `valence migrate`: makes the tables of all services, or brings them up to date, and ends. A start does the same; a
// roll-out does it before, so that no process of the new release waits for it, or fails at it.
import { parseArgs } from "node:util";
import { ServiceBroker } from "moleculer";
import { updateTables } from "../database/mixin.ts";
import type { Command } from "./command.ts";
import { brokerOptionsOf, readProject } from "./project.ts";
import { schemaIn, serviceFiles } from "../operations/services.ts";

const HELP = `Makes the tables of all services, or brings them up to date, in the databases that the environment names.

  npx valence migrate

SERVICES names some of them, commas between. A start does the same.`;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  parseArgs({ args });
  const { folder, services: all, environment } = readProject();
  // No node of the cluster, and never started: a signal has nothing to stop.
  const alone = { transporter: null, logLevel: "fatal", skipProcessEventRegistration: true } as const;
  const broker = new ServiceBroker({ ...(await brokerOptionsOf()), ...alone });
  for (const file of (environment.services ?? all).flatMap(service => serviceFiles(folder, service)))
    broker.createService(await schemaIn(file));
  await updateTables(broker, service => console.log(`${service}: up to date`));
}
