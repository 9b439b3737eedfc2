// `npm run migrate`: makes the tables of all services, or brings them up to date, and ends. A start does the same; a
// roll-out does it before, so that no process of the new release waits for it, or fails at it.
import { parseArgs } from "node:util";
import { ServiceBroker } from "moleculer";
import { updateTables } from "../database/mixin.ts";
import { readEnvironment } from "../kernel/index.ts";
import { runCommand } from "./command.ts";
import { schemaIn, serviceFiles, serviceNames } from "../operations/services.ts";

const HELP = `Makes the tables of all services, or brings them up to date, in the databases that the environment names.

  npm run migrate

SERVICES names some of them, commas between. A start does the same.`;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { help: { type: "boolean", short: "h", default: false } } });
  if (values.help) return console.log(HELP);
  const { services = serviceNames() } = readEnvironment(process.env, serviceNames());
  const { default: options } = await import("../../moleculer.config.ts");
  // No node of the cluster, and never started: a signal has nothing to stop.
  const alone = { transporter: null, logLevel: "fatal", skipProcessEventRegistration: true } as const;
  const broker = new ServiceBroker({ ...options, ...alone });
  for (const file of services.flatMap(serviceFiles)) broker.createService(await schemaIn(file));
  await updateTables(broker, service => console.log(`${service}: up to date`));
}

await runCommand("migrate", main);
