// `valence migrate`: makes the tables of all services and their streams of JetStream or topics of Kafka, or brings them up to
// date, and ends. A start does the same, but for streams and topics where the servers permit them to this command alone. A
// roll-out runs this first, so that no process of the new release waits for it or fails at it.
import { parseArgs } from "node:util";
import { updateTables } from "../database/siblings.ts";
import { Misconfigured, nodeEnvironment, plainError } from "../kernel/index.ts";
import { makeStreams, makeTopics } from "../stream/siblings.ts";
import { type Command } from "./command.ts";
import { checkServers } from "./preflight.ts";
import { brokerAlone, readProject } from "./project.ts";

const HELP = `Makes the tables of all services, or brings them up to date, in the databases that the environment names; also
the services' streams of JetStream with NATS_URL, or their topics with KAFKA_BROKERS.

  npx valence migrate

SERVICES limits it to some of them, with commas between. A start does the same; but a server with the users of
\`npx valence nats-conf\` lets nobody make streams except the user migrate, whose NATS_URL this command needs.`;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  parseArgs({ args });
  const { folder, services: all, environment } = await readProject();
  const { SERVICES, NATS_URL } = nodeEnvironment.of(environment);
  if (NATS_URL !== undefined) await checkServers(environment);
  const broker = await brokerAlone(folder, SERVICES ?? all);
  await updateTables(broker, service => console.log(`${service}: up to date`));
  await makeStreams(broker, stream => console.log(`${stream}: up to date`)).catch((error: unknown) => {
    throw new Misconfigured(`NATS_URL: the streams cannot be made (${plainError(error).message}); the tables are`);
  });
  await makeTopics(broker, topic => console.log(`${topic}: up to date`)).catch((error: unknown) => {
    throw new Misconfigured(`KAFKA_BROKERS: the topics cannot be made (${plainError(error).message}); the tables are`);
  });
}
