// One projection in one service: runs the consumers of its builds, switches to a build that has caught up, answers reads.
import type { Knex } from "knex";
import { inChunks, Turns } from "../kernel/index.ts";
import type { TProperties } from "typebox";
import type { Refusal } from "../kernel/index.ts";
import type { Database } from "../database/index.ts";
import type { Consumer, Consumers, ConsumerStatus } from "../stream/siblings.ts";
import { Builds, consumerName, isSame, physicalName, type Build } from "./builds.ts";
import type { Projection } from "./define-projection.ts";
import { Fold, type Load } from "./fold.ts";
import { PROJECTION_LIMITS, type ProjectionLimits } from "./limits.ts";
import { shapesOf, type Kept, type Shape } from "./shape.ts";
import { projectionErrors } from "./errors.ts";

export interface BuildStatus {
  readonly name: string;
  readonly version: number;
  readonly build: number;
  readonly state: Build["state"];
  readonly lagEvents: number | null;
  readonly lagMs: number;
  readonly events: number;
  /** Streams that stand still behind a dead letter, and those that are tried again. */
  readonly parkedStreams: number;
  readonly retryingStreams: number;
  /** Logs that do not have its checkpoint: it waits for a rebuild. */
  readonly stopped?: ConsumerStatus["stopped"];
  /** Streams that failed in this build and not in the live one. It cannot become live until they are repaired. */
  readonly blockedBy?: readonly string[];
}

type Logger = Record<"info" | "warn", (...message: unknown[]) => void>;

export class ProjectionHost<T extends Record<string, TProperties> = any> {
  readonly projection: Projection<T>;
  readonly #consumers: Consumers;
  readonly #builds: Builds;
  readonly #shapes: readonly Shape[];
  readonly #limits: ProjectionLimits;
  readonly #logger: Logger;
  /** Builds of our version whose consumers run here. */
  readonly #fed = new Map<string, Build>();
  /** Prefixes of the streams that it reads: `loan` of `loan.made`. */
  readonly #actors: readonly string[];
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;
  /** Builds that were reported as unable to become live. */
  readonly #told = new Set<string>();
  /** The build that is read here; none while the first build of our version catches up beside another version's. */
  #current: Build | undefined;
  /** Monotonic time since which it is read: a standby may not have its tables yet. */
  #currentSince = 0;
  /** Ends the pauses of reads that wait for a token. */
  #waiting = new Set<() => void>();
  #stopped = false;

  private constructor(projection: Projection, consumers: Consumers, logger: Logger, limits: ProjectionLimits) {
    this.projection = projection;
    this.#consumers = consumers;
    this.#logger = logger;
    this.#limits = limits;
    this.#shapes = shapesOf(projection);
    this.#actors = [...new Set(Object.keys(projection.on).map(actorOf))];
    this.#builds = new Builds(consumers.database, projection.name, this.#shapes);
    this.#timer = setInterval(() => this.#lookSoon(), limits.lookMs).unref();
  }

  static async start(
    projection: Projection,
    consumers: Consumers,
    logger: Logger,
    limits: Partial<ProjectionLimits> = {},
  ): Promise<ProjectionHost> {
    const host = new ProjectionHost(projection, consumers, logger, { ...PROJECTION_LIMITS, ...limits });
    host.#adopt(await host.#builds.ensure(projection.version));
    return host;
  }

  /** Makes the tables of this version of a projection and leaves them empty, as `start` does first. */
  static async prepare(projection: Projection, database: Database): Promise<void> {
    await new Builds(database, projection.name, shapesOf(projection)).ensure(projection.version);
  }

  /**
   * A query on the live rows of a table. Rows come as the database keeps them: JSON columns as text, booleans on SQLite
   * as 0 and 1. Ask for a new query each time: another build may be live a moment later. Rows are read `from` the database
   * that `waitFor` gave; by default from a standby that is not far behind, if there is one.
   * @throws Unavailable `NOT_CAUGHT_UP` while this version is built beside another one: nodes of the other one answer.
   */
  table<R extends object = any>(name: keyof T & string, from: Knex = this.#reads()): Knex.QueryBuilder<R, R[]> {
    if (!(name in this.projection.tables)) throw new Error(`projection ${this.projection.name}: no table "${name}"`);
    return from(physicalName(this.projection.name, this.#readable(), name));
  }

  #readable(): Build {
    if (this.#current) return this.#current;
    const { name, version } = this.projection;
    throw projectionErrors.NOT_CAUGHT_UP({
      message: `${name}: its version ${version} is still being built`,
      retryAfterMs: this.#limits.lookMs,
      elsewhere: true,
    });
  }

  #reads(): Knex {
    return this.#consumers.database.reads(this.#currentSince);
  }

  /**
   * Read-your-writes: resolves when the rows hold the version of a token, with where to read them: the standby if it has
   * that version already, else the primary. A token is `<actor>:<id>@<version>` (`loan:42@3`). Without the actor it means any
   * actor of the projection that has written that version of this id. A projection of several actors then asks their owners:
   * name the actor there.
   * @throws Refusal `BAD_READ_TOKEN`. For a version that was never written only after `timeoutMs` (default 2 000): asking the
   * owner at once would cost each waiting read a look into the log. Unavailable `NOT_CAUGHT_UP`.
   */
  async waitFor(token: string, timeoutMs: number = this.#limits.waitMs): Promise<Knex> {
    const write = this.#parse(token);
    const { knex } = this.#consumers.database;
    const standby = this.#reads();
    if (standby !== knex && (await this.#holds(standby, write).catch(() => false))) return standby;
    const deadline = performance.now() + timeoutMs;
    let { actors } = write;
    let isWriterKnown = actors.length === 1;
    while (!(await this.#holds(knex, { ...write, actors }))) {
      const isOver = performance.now() >= deadline || this.#stopped;
      if (!isWriterKnown || (isOver && !this.#stopped)) {
        const writers = await this.#writersOf({ ...write, actors });
        if (writers.length === 0) throw invalidToken("names a version that was never written");
        if (!isWriterKnown) {
          actors = writers;
          isWriterKnown = true;
          continue;
        }
      }
      if (isOver) throw projectionErrors.NOT_CAUGHT_UP({ projection: this.projection.name, token });
      await this.#nextCommit();
    }
    return knex;
  }

  /** Starts to build the projection anew beside the live one. Does nothing while such a build is under way. */
  async rebuild(): Promise<{ name: string; version: number; build: number; started: boolean }> {
    const { name, version } = this.projection;
    const { build, started } = await this.#builds.another(version);
    await this.look();
    return { name, version, build, started };
  }

  /** State and lag of each build, the newest last. */
  async status(): Promise<BuildStatus[]> {
    const { name } = this.projection;
    const builds = await this.#builds.all();
    const live = builds.find(({ state }) => state === "live");
    return Promise.all(
      builds.map(async ({ version, build, state }) => {
        const { lagEvents, lagMs, events, parkedStreams, retryingStreams, stopped } = await this.#consumers.status(
          consumerName(name, { version, build }),
        );
        const blockedBy = state === "building" && live ? await this.#builds.blockedBy({ version, build }, live) : [];
        return {
          name,
          version,
          build,
          state,
          lagEvents,
          lagMs,
          events,
          parkedStreams,
          retryingStreams,
          ...(stopped && { stopped }),
          ...(blockedBy.length > 0 && {
            blockedBy: blockedBy.slice(0, this.#limits.blockedShown).map(({ stream }) => stream),
          }),
        };
      }),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#wakeReads();
    await this.#looking;
  }

  /** Reads the builds that other nodes have changed, switches to one that has caught up, drops those past their grace. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  #lookSoon(): void {
    this.look().catch((error: unknown) =>
      this.#logger.warn(`projection ${this.projection.name}: ${(error as Error).message}`),
    );
  }

  async #look(): Promise<void> {
    const { name, version } = this.projection;
    const builds = await this.#builds.all();
    if (builds.some(build => build.version === version)) this.#adopt(builds);
    else {
      // A node of another release has dropped our builds: their readers are of no use to the next one.
      for (const consumer of this.#fed.keys()) await this.#consumers.remove(consumer);
      this.#fed.clear();
      this.#adopt(await this.#builds.ensure(version));
    }
    for (const build of this.#fed.values()) {
      const wasReplaced = build.state === "retired" && build === this.#current;
      if (build.state !== "building" && !wasReplaced) continue;
      if (await this.#builds.switchTo(build)) {
        this.#adopt(await this.#builds.all());
        this.#logger.info(`projection ${name}: build ${build.build} of version ${version} is live`);
      } else if (!wasReplaced) await this.#tellBlocked(build);
    }
    await this.#dropRetired();
  }

  /** Warns once, and again after the build was unblocked meanwhile: it is asked every second. */
  async #tellBlocked(build: Build): Promise<void> {
    const live = (await this.#builds.all()).find(({ state }) => state === "live");
    const blockedBy = (live ? await this.#builds.blockedBy(build, live) : []).filter(({ isParked }) => isParked);
    const consumer = consumerName(this.projection.name, build);
    const [first] = blockedBy;
    if (!first) return void this.#told.delete(consumer);
    if (this.#told.has(consumer)) return;
    this.#told.add(consumer);
    this.#logger.warn(
      `projection ${this.projection.name}: build ${build.build} of version ${build.version} cannot become live, ` +
        `${blockedBy.length} streams are in its dead letters and not in those of the live one: retry them, first ${first.stream}`,
    );
  }

  /** Reads and feeds the builds that the tables name from now on. */
  #adopt(builds: readonly Build[]): void {
    if (this.#stopped) return;
    const { name, version } = this.projection;
    const own = builds.filter(build => build.version === version);
    const live = builds.find(build => build.state === "live");
    // Nodes of another version than the live one go on with their own rows, as long as those are complete.
    const current = live?.version === version ? live : own.findLast(build => build.state === "retired");
    if (!current || !this.#current || !isSame(current, this.#current)) this.#currentSince = performance.now();
    this.#current = current;
    for (const build of own) {
      const consumer = consumerName(name, build);
      if (!this.#fed.has(consumer)) this.#consumers.add(this.#consumer(build));
      this.#fed.set(consumer, build);
    }
    for (const [consumer, { build }] of this.#fed)
      if (!own.some(other => other.build === build)) {
        this.#fed.delete(consumer);
        void this.#consumers.remove(consumer);
      }
  }

  #consumer(build: Build): Consumer {
    const { name, on } = this.projection;
    const consumer = consumerName(name, build);
    const turns = new Turns();
    const physical = new Map(this.#shapes.map(({ table }) => [table, physicalName(name, build, table)]));
    return {
      name: consumer,
      types: Object.keys(on),
      definition: Object.values(on).map(String).join("\n"),
      // It becomes live once its checkpoints are past those of the live one, so none of them may stay behind.
      ...(build.state === "building" && { limits: { batch: this.#limits.buildBatch, behindMs: 0 } }),
      // One after the other here: a reader that waits for the build's row in the database holds a connection of the pool.
      transactions: {
        transaction: (work, options) => turns.take(() => this.#consumers.database.transaction(work, options)),
      },
      write: async (trx, events) => {
        await this.#builds.hold(trx, build);
        const load: Load = async ({ table, key }, keys) => {
          const rows = [];
          for (const some of inChunks(keys)) rows.push(...(await trx(physical.get(table)!).whereIn(key, some)));
          return rows;
        };
        const fold = new Fold(this.projection, this.#shapes, load, this.#limits);
        const failures = await fold.run(events);
        for (const table of fold.tables) {
          const { shape } = table;
          const target = physical.get(shape.table)!;
          const { written, updated, columns, removed } = table.changes();
          const upsert = (rows: readonly Kept[], set = shape.names): Promise<void> =>
            this.#consumers.database.upsert(trx, {
              table: target,
              columns: shape.names,
              keys: [shape.key],
              rows: rows.map(row => shape.encode(row)),
              set,
            });
          await upsert(written);
          if (columns.size > 0) await upsert(updated, [...columns]);
          for (const some of inChunks(removed)) await trx(target).whereIn(shape.key, some).delete();
        }
        return failures;
      },
      restart: async () => void (await this.rebuild()),
      committed: () => this.#wakeReads(),
      caughtUp: () => {
        if (this.#fed.get(consumer)?.state === "building") this.#lookSoon();
      },
    };
  }

  async #dropRetired(): Promise<void> {
    const now = await this.#consumers.database.now();
    for (const build of await this.#builds.all()) {
      if (build.state !== "retired" || now - build.retiredAt! < this.#limits.graceMs) continue;
      if (this.#current && isSame(build, this.#current)) continue;
      if (!(await this.#builds.drop(build, this.projection.version))) continue;
      const consumer = consumerName(this.projection.name, build);
      this.#fed.delete(consumer);
      await this.#consumers.remove(consumer);
    }
  }

  // ---- read-your-writes

  #parse(token: string): Write {
    const [, actor, id, version] = /^(?:([^:@]+):)?([^:@]+)@([0-9]{1,15})$/.exec(token) ?? [];
    if (id === undefined) throw invalidToken("must look like <id>@<version> or <actor>:<id>@<version>");
    if (actor === undefined) return { actors: this.#actors, id, version: Number(version) };
    if (this.#actors.includes(actor)) return { actors: [actor], id, version: Number(version) };
    throw invalidToken(`names no actor of this list: it has ${this.#actors.join(", ")}`);
  }

  /** The actors that have this version, or may have it: an owner that is away does not rule its actor out. */
  async #writersOf({ actors, id, version }: Write): Promise<string[]> {
    const types = Object.keys(this.projection.on);
    const own = (actor: string): string[] => types.filter(type => actorOf(type) === actor);
    const isWritten = await Promise.all(actors.map(actor => this.#consumers.isWritten(own(actor), id, version)));
    return actors.filter((_, i) => isWritten[i] !== false);
  }

  /** Whether the live rows hold this version of each of the actors: it was read, and is no dead letter. */
  async #holds(knex: Knex, { actors, id, version }: Write): Promise<boolean> {
    const consumer = consumerName(this.projection.name, this.#readable());
    const streams = actors.map(actor => `${actor}.${id}`);
    const taken = await knex("consumer_versions")
      .where({ consumer })
      .whereIn("actor_stream", streams)
      .where("version", ">=", version)
      .select("actor_stream");
    if (taken.length < streams.length) return false;
    const waits = await knex("dead_letters")
      .where({ consumer })
      .whereIn("actor_stream", streams)
      .where("version", "<=", version)
      .first();
    return waits === undefined;
  }

  async #nextCommit(): Promise<void> {
    await new Promise<void>(resolve => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, this.#limits.waitLookMs);
      this.#waiting.add(end);
    });
  }
  #wakeReads(): void {
    for (const end of this.#waiting) end();
  }
}

/** The write that a token names: a version of an id, of one actor or of any of several. */
interface Write {
  readonly actors: readonly string[];
  readonly id: string;
  readonly version: number;
}

/** `loan` of `loan.made`. */
const actorOf = (type: string): string => type.split(".", 1)[0]!;

const invalidToken = (message: string): Refusal => projectionErrors.BAD_READ_TOKEN({ field: "after", message });
