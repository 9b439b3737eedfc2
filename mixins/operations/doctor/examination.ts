// All checks of the services, one after another. They write nothing, and a check that fails is a finding.
import { existsSync } from "node:fs";
import { STORE_LIMITS } from "../../event-store/siblings.ts";
import { locationOf, readPostgresUrl, whyNotWhole, type PostgresLocation } from "../../database/index.ts";
import type { Environment } from "../../kernel/index.ts";
import { dirname } from "node:path";
import { definitionsIn } from "../../actor/index.ts";
import { streamEnvironment } from "../../stream/index.ts";
import { auditOf } from "./audit.ts";
import { busOf } from "./bus.ts";
import type { CheckName } from "./checks.ts";
import { configurationOf, sharingOf } from "./configuration.ts";
import { clockOf } from "./dialects/postgres/clock.ts";
import { Connection } from "./dialects/postgres/connection.ts";
import { durabilityOf, standbysOf } from "./dialects/postgres/durability.ts";
import { indexesOf } from "./dialects/postgres/indexes.ts";
import { logOf } from "./dialects/postgres/log.ts";
import { replicaOf } from "./dialects/postgres/replica.ts";
import { Schema } from "./dialects/postgres/schema.ts";
import { connectionsOf, waitingOf } from "./dialects/postgres/sessions.ts";
import { bucketsOf, shardsOf } from "./dialects/postgres/shards.ts";
import { slotsOf, transactionsOf, visibilityOf } from "./dialects/postgres/transactions.ts";
import { SqliteFile } from "./dialects/sqlite/file.ts";
import { integrityOf, modesOf, walOf } from "./dialects/sqlite/health.ts";
import { Reading } from "./dialects/sqlite/reading.ts";
import { attempt, fail, ok, reasonOf, type Finding, type Result } from "./finding.ts";
import { gapsOf, type Progress } from "./gaps.ts";
import { lagOf } from "./lag.ts";
import { kafkaFindings } from "./kafka-settings.ts";
import { certificatesOf, disksOf } from "./machine.ts";
import { lostEventsOf, type LostEvents } from "./lost.ts";
import { mailsOf } from "./mails.ts";
import { natsOf } from "./nats.ts";
import { parkedOf } from "./parked.ts";
import { quarantineOf } from "./quarantine.ts";
import { redisOf } from "./redis.ts";
import { sagasOf } from "./sagas.ts";
import { shapesOf } from "./shapes.ts";
import type { Service, Tables } from "./tables.ts";
import { serviceFile } from "../services.ts";

export interface ExaminationOptions {
  /** Reads every event too. */
  readonly deep?: boolean;
  /** Whether people depend on these services: then some warnings are failures. */
  readonly isProduction?: boolean;
  /**
   * A node examines what is its own. What needs the databases of other services or a view of the other nodes is left out:
   * the asker has both.
   */
  readonly isRunning?: boolean;
  /** Ends the examination early: checks that have not begun are left out, one that reads a SQLite file fails. */
  readonly signal?: AbortSignal;
  readonly onFinding?: (finding: Finding) => void;
  readonly onProgress?: (place: string, done: number, total: number) => void;
}

/** A service whose databases are all open, with the checks of its dialect. */
interface Patient extends Service {
  readonly databases: readonly (Schema | SqliteFile)[];
}

/** The services below `folder` whose databases are opened, and the one that is examined; default: all. */
export interface Asked {
  readonly folder: string;
  readonly all: readonly string[];
  readonly only?: string | undefined;
}

export async function examine(
  environment: Environment,
  services: Asked,
  options: ExaminationOptions = {},
): Promise<readonly Finding[]> {
  const examination = new Examination(environment, services, options);
  options.signal?.addEventListener("abort", () => void examination.endReading());
  try {
    await examination.run();
  } finally {
    await examination.close();
  }
  return examination.findings;
}

/** What the restore of some services means to the others. */
export interface Consequences {
  /** Where the consumers of all services are in the logs that they read. */
  readonly findings: readonly Finding[];
  /** What the restored logs lack of what was handled. */
  readonly lost: readonly LostEvents[];
}

export async function consequencesOf(
  environment: Environment,
  services: Asked,
  restored: readonly string[],
): Promise<Consequences> {
  const examination = new Examination(environment, services, {});
  try {
    const lost = await examination.compare(restored);
    return { findings: examination.findings, lost };
  } finally {
    await examination.close();
  }
}

class TornCopy extends Error {}

class Examination {
  readonly findings: Finding[] = [];
  readonly #environment: Environment;
  readonly #folder: string;
  readonly #all: readonly string[];
  readonly #only: string | undefined;
  readonly #options: ExaminationOptions;
  readonly #connections = new Map<string, Promise<Connection>>();
  readonly #reading = new Reading();

  constructor(environment: Environment, { folder, all, only }: Asked, options: ExaminationOptions) {
    this.#environment = environment;
    this.#folder = folder;
    this.#all = all;
    this.#only = only;
    this.#options = options;
  }

  async run(): Promise<void> {
    const services = await this.#openAll();
    await this.#examineServers(services);
    await this.#examineNode();
    for (const [name, service] of services) if (this.#isAsked(name)) await this.#examineService(service, services);
  }

  async compare(restored: readonly string[]): Promise<LostEvents[]> {
    const services = await this.#openAll();
    const lost: LostEvents[] = [];
    for (const { name, databases } of services.values())
      for (const database of databases) await this.#check(name, "lag", () => lagOf(database, services));
    for (const owner of restored.flatMap(name => services.get(name) ?? [])) {
      const definitions = await definitionsIn(this.#homeOf(owner.name));
      const actors = new Set(Object.keys(definitions?.contract.events ?? {}).map(event => event.split(".")[0]!));
      for (const { name, databases } of services.values())
        for (const database of databases)
          for (const actor of actors) lost.push(...(await lostEventsOf(name, database, owner, actor)));
    }
    return lost;
  }

  endReading(): Promise<void> {
    return this.#reading.close();
  }

  async close(): Promise<void> {
    await this.endReading();
    for (const connection of this.#connections.values())
      await connection.then(
        open => open.close(),
        () => {},
      );
  }

  #isOver = (): boolean => this.#options.signal?.aborted === true;
  #isAsked = (service: string): boolean => this.#only === undefined || service === this.#only;

  #add(subject: string, results: readonly Result[]): void {
    for (const result of results) {
      const finding = { subject, ...result };
      this.findings.push(finding);
      this.#options.onFinding?.(finding);
    }
  }

  async #check(subject: string, check: CheckName, make: () => Promise<readonly Result[]>): Promise<void> {
    if (!this.#isOver()) this.#add(subject, await attempt(check, make));
  }

  // ---- opening

  /** Also the services that are not examined: the lag of a consumer is measured on the log of another service. */
  async #openAll(): Promise<ReadonlyMap<string, Patient>> {
    const services = new Map<string, Patient>();
    for (const name of this.#all) services.set(name, { name, databases: await this.#open(name) });
    return services;
  }

  /** Reports the databases that cannot be opened, and leaves them out. */
  async #open(service: string): Promise<(Schema | SqliteFile)[]> {
    const location = locationOf(this.#environment, service);
    const databases: (Schema | SqliteFile)[] = [];
    const places = location.kind === "sqlite" ? [location.filename] : location.shards;
    for (const place of places)
      try {
        const database = await (location.kind === "sqlite" ? this.#openFile(place) : this.#openSchema(place, location));
        if (database) databases.push(database);
      } catch (error) {
        if (!this.#isAsked(service)) continue;
        if (error instanceof TornCopy) {
          this.#add(service, [fail("database", error.message, "its -wal file belongs beside it: copy both")]);
          continue;
        }
        const message = `${location.kind === "sqlite" ? place : readPostgresUrl(place).place}: ${reasonOf(error)}`;
        this.#add(service, [fail("database", message, "is it running, reachable, and are user and password right?")]);
      }
    // A new database matters only beside others: it is no shard of theirs.
    return databases.some(({ names }) => names.size > 0) ? databases : [];
  }

  async #openFile(filename: string): Promise<SqliteFile | undefined> {
    if (!existsSync(filename)) return undefined;
    // Not opened: even to read, that would make a log beside it, and the file would then pass for complete.
    const reason = whyNotWhole(filename);
    if (reason !== undefined) throw new TornCopy(reason);
    return SqliteFile.open(filename, this.#reading);
  }

  async #openSchema(url: string, { schema }: PostgresLocation): Promise<Schema> {
    return Schema.open(await this.#connect(url), schema);
  }

  #connect(url: string): Promise<Connection> {
    let connection = this.#connections.get(url);
    if (!connection) {
      connection = Connection.open(url);
      connection.catch(() => {}); // each check that uses it gets the error
      this.#connections.set(url, connection);
    }
    return connection;
  }

  // ---- the node, and the servers of its environment

  async #examineNode(): Promise<void> {
    const environment = this.#environment;
    const { isProduction = false, isRunning = false } = this.#options;
    const services = this.#all.filter(this.#isAsked);
    const setting = { environment, isProduction };
    await this.#check("configuration", "passwords", async () => configurationOf(setting));
    if (!isRunning) await this.#check("configuration", "sharing", async () => sharingOf(setting, services));
    await this.#check("machine", "certificates", async () => certificatesOf(environment, services));
    await this.#check("machine", "disk", () => disksOf(environment, services));
    this.#add("the bus", busOf(environment, isProduction));
    await this.#examineServer("bus", async () => natsOf(environment, await this.#sources(services), isProduction));
    await this.#examineServer("kafka", async () => kafkaFindings(environment, await this.#sources(services)));
    await this.#examineServer("redis", () => redisOf(environment, isProduction));
  }

  async #examineServer(
    check: "bus" | "kafka" | "redis",
    look: () => Promise<{ server: string; results: readonly Result[] } | undefined>,
  ): Promise<void> {
    let server: string | undefined;
    const results = await attempt(check, async () => {
      const found = await look();
      server = found?.server;
      return found?.results ?? [];
    });
    this.#add(`${check} ${server ?? ""}`.trimEnd(), results);
  }

  /** Those of the services that own events. Their contracts are loaded only where a carrier keeps streams for them. */
  async #sources(services: readonly string[]): Promise<string[]> {
    if (streamEnvironment.of(this.#environment).CARRIER === "local") return [];
    const sources: string[] = [];
    for (const service of services) {
      const definitions = await definitionsIn(this.#homeOf(service));
      if (definitions && Object.keys(definitions.contract.events).length > 0) sources.push(service);
    }
    return sources;
  }

  #homeOf = (service: string): string => dirname(serviceFile(this.#folder, service, "contract.ts"));

  // ---- servers of databases

  async #examineServers(services: ReadonlyMap<string, Patient>): Promise<void> {
    const servers = new Map<string, { connection: Connection; wanted: number; isAsked: boolean }>();
    for (const { name, databases } of services.values())
      for (const schema of schemasOf(databases)) {
        const { connection } = schema;
        const server = servers.get(connection.server) ?? { connection, wanted: 0, isAsked: false };
        servers.set(connection.server, server);
        server.wanted += this.#connectionsWanted(name, schema);
        server.isAsked ||= this.#isAsked(name);
      }
    for (const [server, { connection, wanted, isAsked }] of servers) {
      if (!isAsked) continue;
      await this.#check(server, "visibility", () => visibilityOf(connection));
      await this.#check(server, "durability", () => durabilityOf(connection));
      await this.#check(server, "standbys", () => standbysOf(connection));
      await this.#check(server, "transactions", () => transactionsOf(connection));
      await this.#check(server, "slots", () => slotsOf(connection));
      await this.#check(server, "connections", () => connectionsOf(connection, wanted));
      await this.#check(server, "waiting", () => waitingOf(connection));
      await this.#check(server, "clock", () => clockOf(connection));
    }
  }

  /** Connections: a pool for its own tables, and for its event store a pool of reads and the lanes. */
  #connectionsWanted(service: string, { names }: Schema): number {
    const location = locationOf(this.#environment, service) as PostgresLocation;
    const hasTables = [...names].some(name => name.startsWith("migrations_"));
    const hasStore = names.has("events");
    return (hasTables ? location.poolSize : 0) + (hasStore ? location.poolSize + STORE_LIMITS.lanes : 0);
  }

  // ---- services

  async #examineService(service: Patient, services: ReadonlyMap<string, Service>): Promise<void> {
    const { name, databases } = service;
    const schemas = schemasOf(databases);
    if (databases.length === 0) {
      const isReported = this.findings.some(({ subject, check }) => subject === name && check === "database");
      if (!isReported) this.#add(name, [ok("database", "keeps nothing yet")]);
      return;
    }
    if (schemas.length > 0) {
      await this.#check(name, "shards", () => shardsOf(schemas));
      await this.#check(name, "buckets", () => bucketsOf(name, schemas));
      // Only the service's own tables are read from it; they are on shard 0.
      const home = schemas.find(({ shard }) => shard === 0) ?? schemas[0]!;
      await this.#examineReplica(name, home.connection);
    }
    for (const database of databases) {
      if (database instanceof SqliteFile) {
        await this.#check(name, "quick_check", () => integrityOf(database));
        await this.#check(name, "wal", () => walOf(database));
        await this.#check(name, "modes", () => modesOf(database));
      } else {
        await this.#check(name, "indexes", () => indexesOf(serviceFile(this.#folder, name, "indexes.json"), database));
        await this.#check(name, "log", () => logOf(database));
      }
      if (!this.#options.isRunning) await this.#check(name, "lag", () => lagOf(database, services));
      await this.#check(name, "parked", () => parkedOf(database));
      await this.#check(name, "quarantine", () => quarantineOf(database));
      await this.#check(name, "sagas", () => sagasOf(database));
      await this.#check(name, "audit", () => auditOf(database, this.#environment));
      await this.#check(name, "mails", () => mailsOf(database));
      if (!this.#options.deep) continue;
      const onProgress = this.#progressOf(name, database);
      await this.#check(name, "gaps", () => gapsOf(database, onProgress));
      const home = this.#homeOf(name);
      await this.#check(name, "shapes", async () => shapesOf(database, await definitionsIn(home), onProgress));
    }
  }

  async #examineReplica(service: string, primary: Connection): Promise<void> {
    const { replica } = locationOf(this.#environment, service) as PostgresLocation;
    if (replica === undefined) return;
    await this.#check(service, "replica", async () => replicaOf(await this.#connect(replica), primary));
  }

  #progressOf(service: string, { place }: Tables): Progress {
    return (done, total) => this.#options.onProgress?.(`${service} on ${place}`, done, total);
  }
}

const schemasOf = (databases: readonly (Schema | SqliteFile)[]): Schema[] =>
  databases.filter(database => database instanceof Schema);
