import { dirname } from "node:path";
import type { Service, ServiceSchema } from "moleculer";
import {
  certificateState,
  dependsOn,
  diskSpace,
  diskState,
  METRICS,
  queriesInCalls,
  type DependencyState,
} from "../kernel/index.ts";
import type { Mixin } from "../contract/index.ts";
import { closeWithBroker } from "./closing.ts";
import type { Database } from "./database.ts";
import { locationOf } from "./environment.ts";
import { certificateFilesOf, type DatabaseLocation } from "./location.ts";
import { migrate, type Migration } from "./migrate.ts";
import { openDatabase, type DatabaseOptions } from "./open.ts";
import type { ReplicaObserver } from "./dialects/postgres/replica.ts";
import type { PoolObserver } from "./pool.ts";
import { ReplicaHealth, tablesState } from "./health.ts";
import { keepsTables } from "./tables.ts";

const databases = new WeakMap<Service, Promise<Database>>();
const relieved = new WeakSet<Service>();

/**
 * The service's database: opened at the first request, one pool for everything in the service, closed with the broker.
 * It is rebuildable only if all callers say so.
 */
export function databaseOf(service: Service, options: DatabaseOptions = {}): Promise<Database> {
  const known = databases.get(service);
  if (known)
    return options.rebuildable
      ? known
      : known.then(database => {
          database.requireDurability();
          return database;
        });
  const location = locationOf(service.broker, service.name);
  const replica = new ReplicaHealth(measuringReplica(service));
  const opening = openDatabase(location, {
    ...options,
    onAcquire: measuring(service),
    onReplica: replica.observe,
  });
  databases.set(service, opening);
  declare(service, location, async () => tablesState(await opening, location));
  if (location.kind === "postgres" && location.replica !== undefined)
    dependsOn(service.broker, { kind: "replica", name: service.name, ask: async () => replica.state() });
  if (relieved.has(service)) relieve(opening);
  closeWithBroker(service.broker, async () => (await opening).close());
  return opening;
}

function declare({ broker, name }: Service, location: DatabaseLocation, ask: () => Promise<DependencyState>): void {
  dependsOn(broker, { kind: "database", name, ask });
  if (location.kind === "sqlite") {
    const folder = dirname(location.filename);
    dependsOn(broker, { kind: "disk", name: folder, ask: async () => diskState(folder, await diskSpace(folder)) });
  }
  for (const file of certificateFilesOf(location))
    dependsOn(broker, {
      kind: "certificate",
      name: file.variable,
      ask: async () => certificateState(file, Date.now()),
    });
}

/** The service's event store has the same file open and keeps its log short: the service's pool need not. */
export function leaveCheckpointsOf(service: Service): void {
  relieved.add(service);
  const opening = databases.get(service);
  if (opening) relieve(opening);
}

/** The caller that opened a database gets the error of the opening. */
const relieve = (opening: Promise<Database>): void =>
  void opening.then(
    database => database.leaveCheckpoints(),
    () => {},
  );

function measuring({ broker, name: service }: Service): PoolObserver | undefined {
  const { metrics } = broker;
  if (!metrics) return undefined;
  const labelNames = ["service"];
  if (!metrics.getMetric(METRICS.poolWaiting)) {
    metrics.register({ type: "gauge", name: METRICS.poolWaiting, labelNames });
    const buckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];
    metrics.register({ type: "histogram", name: METRICS.poolWaitSeconds, labelNames, buckets });
  }
  return ({ waiting, waitMs }) => {
    metrics.set(METRICS.poolWaiting, waiting, { service });
    if (waitMs !== undefined) metrics.observe(METRICS.poolWaitSeconds, waitMs / 1_000, { service });
  };
}

function measuringReplica({ broker, name: service }: Service): ReplicaObserver | undefined {
  const { metrics } = broker;
  if (!metrics) return undefined;
  for (const name of [METRICS.replicaUsable, METRICS.replicaLagSeconds])
    if (!metrics.getMetric(name)) metrics.register({ type: "gauge", name, labelNames: ["service"] });
  return lagMs => {
    metrics.set(METRICS.replicaUsable, lagMs === undefined ? 0 : 1, { service });
    if (lagMs !== undefined && Number.isFinite(lagMs))
      metrics.set(METRICS.replicaLagSeconds, lagMs / 1_000, { service });
  };
}

/** Tables of a service's own: migrated at start, before the service's own `started`; then at hand as `this.database`. */
export const Sql = ({
  migrations,
}: {
  readonly migrations: readonly Migration[];
}): Mixin<{ readonly database: Database }> => {
  const tables = async (service: Service): Promise<Database> => {
    const database = await databaseOf(service);
    await migrate(database, service.name, migrations);
    return database;
  };
  return {
    created(this: Service) {
      queriesInCalls(this);
      keepsTables(this, () => tables(this));
    },
    async started(this: Service & Record<string, any>) {
      this.database = await tables(this);
    },
  } as Partial<ServiceSchema> as Mixin<{ readonly database: Database }>;
};
