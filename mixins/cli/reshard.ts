// `valence reshard`: spreads a service's event store over more databases while commands keep coming.
import { parseArgs } from "node:util";
import { rebalance } from "../event-store/siblings.ts";
import { addShards } from "../database/siblings.ts";
import { locationOf, type PostgresLocation } from "../database/index.ts";
import { UsageError, type Command } from "./command.ts";
import { readProject } from "./project.ts";

const HELP = `Spreads a service's event store over the databases that <SERVICE>_DATABASE_URL names.

  npx valence reshard <service> --add    adds new databases of the list as shards, without buckets
  npx valence reshard <service>          moves buckets until each database has its share

  1. Put the new database into the list: <SERVICE>_DATABASE_URL=postgres://…/a,postgres://…/b
  2. npx valence reshard <service> --add
  3. Restart every process of the service with the new list, one after the other.
  4. npx valence reshard <service>

The service goes on meanwhile; commands on a bucket that is being handed over wait for a moment. The command may be killed
at any point and started again: it continues. It removes nothing before the checksums of both sides agree.`;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { add: { type: "boolean", default: false } },
  });
  const [service] = positionals;
  if (service === undefined || positionals.length > 1) throw new UsageError(`name one service\n\n${HELP}`);
  const location = locationOf((await readProject()).environment, service);
  if (location.kind !== "postgres")
    throw new UsageError(`${service} is on SQLite, which has no shards: set ${service.toUpperCase()}_DATABASE_URL`);
  if (values.add) await add(location);
  else await move(service, location);
}

async function add(location: PostgresLocation): Promise<void> {
  for (const { number, place } of await addShards(location)) console.log(`shard ${number}: ${place}`);
  console.log("Restart every process of the service with this list, then run it again without --add.");
}

async function move(service: string, location: PostgresLocation): Promise<void> {
  let longestMs = 0;
  const moved = await rebalance(location, ({ moved, total, from, to, events, sealedMs }) => {
    longestMs = Math.max(longestMs, sealedMs);
    console.log(
      `${moved} of ${total} buckets: ${from} → ${to}, ${events} events, handed over in ${Math.round(sealedMs)} ms`,
    );
  });
  console.log(
    moved === 0
      ? `${service} is spread evenly already.`
      : `${moved} buckets moved and verified; none was without an owner for longer than ${Math.round(longestMs)} ms.`,
  );
}
