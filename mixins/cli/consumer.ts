// `valence consumer`: lists the consumers that stand still because their checkpoint is not in the log, and moves them.
import { existsSync } from "node:fs";
import { stoppedOf, resetConsumer, type Reset, type ResetReport } from "../stream/siblings.ts";
import { parseArgs } from "node:util";
import { locationOf, type DatabaseLocation } from "../database/index.ts";
import { openDatabase } from "../database/mixin.ts";
import { isRefusal, type Environment } from "../kernel/index.ts";
import { UsageError, type Command } from "./command.ts";
import { Connection } from "../operations/doctor/dialects/postgres/connection.ts";
import { Schema } from "../operations/doctor/dialects/postgres/schema.ts";
import { readProject } from "./project.ts";

const HELP = `Lists the consumers that stand still because their place is not in the log that they read: that log was restored from
an older copy, or is another one. With reset it moves one of them.

  npx valence consumer                                  all that stand still
  npx valence consumer reset <name> --to start          forgets what the consumer has taken of that log; it reads from the start
  npx valence consumer reset <name> --to head           passes over the events that the log has now; it reads later ones
  npx valence consumer reset <name> --to … --dry-run    only prints what it would do

  --service <service>    needed when two services have a consumer of this name

The services may run; their consumers go on within seconds. If the newer log can still be brought back, do that instead:
then the consumers go on without this command. docs/restore.md says which way is right for which consumer.`;

/** Tables of a service that has consumers. */
interface Consuming {
  readonly service: string;
  readonly location: DatabaseLocation;
}

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      to: { type: "string" },
      service: { type: "string" },
      "dry-run": { type: "boolean", default: false },
    },
  });
  const { services: all, environment } = await readProject();
  if (values.service !== undefined && !all.includes(values.service))
    throw new UsageError(`there is no service "${values.service}", but ${all.join(", ")}`);
  const asked = values.service === undefined ? all : [values.service];
  const [verb, name, ...more] = positionals;
  if (verb === undefined) return list(await consuming(environment, asked));
  const { to } = values;
  if (verb !== "reset" || name === undefined || more.length > 0) throw new UsageError(HELP);
  if (to !== "head" && to !== "start") throw new UsageError("add --to head or --to start");
  await reset(await consuming(environment, asked), name, { to, dryRun: values["dry-run"] });
}

/** Changes nothing in a database that does not exist yet. */
async function consuming(environment: Environment, services: readonly string[]): Promise<Consuming[]> {
  const connections = new Map<string, Connection>();
  const found: Consuming[] = [];
  try {
    for (const service of services) {
      const location = locationOf(environment, service);
      if (await hasCheckpoints(location, connections)) found.push({ service, location });
    }
  } finally {
    for (const connection of connections.values()) await connection.close();
  }
  return found;
}

async function hasCheckpoints(location: DatabaseLocation, connections: Map<string, Connection>): Promise<boolean> {
  if (location.kind === "sqlite") return existsSync(location.filename);
  for (const url of location.shards) {
    const connection = connections.get(url) ?? (await Connection.open(url));
    connections.set(url, connection);
    if ((await Schema.open(connection, location.schema)).names.has("checkpoints")) return true;
  }
  return false;
}

async function checkpointsOf({ location }: Consuming): Promise<any[]> {
  const database = await openDatabase(location);
  try {
    // A database of an earlier release lacks the column: then no consumer stands still for this reason.
    if (!(await database.knex.schema.hasColumn("checkpoints", "stopped"))) return [];
    return await database.knex("checkpoints").orderBy(["consumer", "source"]);
  } finally {
    await database.close();
  }
}

async function list(services: readonly Consuming[]): Promise<void> {
  let count = 0;
  for (const one of services)
    for (const [name, rows] of Map.groupBy(await checkpointsOf(one), row => `${row.consumer} on ${row.source}`)) {
      const stopped = rows.map(stoppedOf).find(found => found !== undefined);
      if (!stopped) continue;
      count++;
      console.log(`${one.service}  ${name}, since ${stopped.at}: ${stopped.reason}`);
    }
  if (count === 0) console.log("No consumer stands still.");
}

async function reset(services: readonly Consuming[], name: string, wanted: Reset): Promise<void> {
  const having: Consuming[] = [];
  for (const one of services)
    if ((await checkpointsOf(one)).some(({ consumer }) => consumer === name)) having.push(one);
  const [one] = having;
  if (!one) throw new UsageError(`no service has a consumer "${name}"`);
  if (having.length > 1)
    throw new UsageError(`${having.map(({ service }) => service).join(" and ")} have a "${name}": add --service`);
  const database = await openDatabase(one.location);
  try {
    const projection = /^(.+)@\d/.exec(name)?.[1];
    if (wanted.to === "start" && projection !== undefined && (await database.knex.schema.hasTable("projection_builds")))
      throw new UsageError(
        `${name} keeps rows, which cannot take an event twice: have a running node rebuild them, ` +
          `POST /ops/projections/${projection}/rebuild`,
      );
    tell(await resetConsumer(database, name, wanted));
  } catch (error) {
    throw isRefusal(error) ? new UsageError(error.message) : error;
  } finally {
    await database.close();
  }
}

function tell({ consumer, to, dryRun, places }: ResetReport): void {
  for (const { source, reason, cursor, streams, deadLetters } of places)
    console.log(
      `${consumer} on ${source} ${dryRun ? "would go" : "goes"} to the ${to} of the log, from ${cursor}: ` +
        `${streams} streams and ${deadLetters} dead letters are forgotten (${reason})`,
    );
}
