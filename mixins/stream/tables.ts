// Tables of this floor, in the database of each service that consumes or publishes.
import type { Service } from "moleculer";
import { databaseOf } from "../database/siblings.ts";
import { migrate } from "../database/mixin.ts";
import type { Database } from "../database/index.ts";
import { migrations } from "./migrations.ts";

/**
 * The database of a service with this floor's tables up to date: checkpoints, leases, how far a log is published. The last
 * commits of these tables may be lost and are made again: events are durable with their owner, a lease is taken anew.
 */
export async function streamTables(service: Service): Promise<Database> {
  const database = await databaseOf(service, { rebuildable: true });
  await migrate(database, "stream", migrations);
  return database;
}
