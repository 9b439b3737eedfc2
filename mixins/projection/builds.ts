// The builds of one projection: physical tables with a consumer of their own. One is live; a pointer row says which.
//
//   building  reads the log from its start, beside the live one; resumes at its checkpoint after a crash
//   live      what is read; one row in `projections`
//   retired   replaced: kept and fed for a grace period, and for as long as nodes of its version run; then dropped
//
// Which build a node reads, by its own version and the live one's. A node's queries know the columns of its own version
// only: with none of these builds to read it is unavailable, and the caller asks another node.
//
//   node N,   live N      the live one
//   node N+1, live N      none until N+1 is live; nodes of N answer
//   node N+1, live N+1    the live one
//   node N,   live N+1    its own, retired and still fed (a roll-out that is not over, or a roll-back)
//
// A newer version becomes live when it has caught up. An older one, or a retired one, becomes live again only when nobody
// feeds the live one any more: else nodes of two versions would take it from each other for ever.
//
// One row, one order of effects: all followers of a build (of several sources, of a carrier's partitions, on whatever
// node) hold the build's row while they read, fold and write. Locks are taken in one order: the row of the build, its
// tables, its places.
import type { Knex } from "knex";
import type { Database } from "../database/index.ts";
import { forgetConsumer, isAtOrPast, stoppedOf } from "../stream/siblings.ts";
import { physicalName } from "./physical-name.ts";
import type { Shape } from "./shape.ts";

export interface Build {
  readonly version: number;
  readonly build: number;
  readonly tables: readonly string[];
  readonly state: "live" | "building" | "retired";
  /** Milliseconds since the epoch, the database's clock. */
  readonly retiredAt: number | undefined;
}
/** A stream aside; one that is not parked is tried again by itself. */
interface Blocking {
  readonly stream: string;
  readonly isParked: boolean;
}
type BuildId = Pick<Build, "version" | "build">;

export const isSame = (a: BuildId, b: BuildId): boolean => a.version === b.version && a.build === b.build;
/** Name of a build's consumer: `order-list@2`, its third build `order-list@2.3`. */
export const consumerName = (name: string, { version, build }: BuildId): string =>
  `${name}@${version}${build > 1 ? `.${build}` : ""}`;
export { physicalName };

/** Another node has dropped the build. The follower rolls back; its node stops it at the next look. */
class Dropped extends Error {
  readonly retryable = true;
}

export class Builds {
  readonly #database: Database;
  readonly #name: string;
  readonly #shapes: readonly Shape[];

  constructor(database: Database, name: string, shapes: readonly Shape[]) {
    this.#database = database;
    this.#name = name;
    this.#shapes = shapes;
  }

  /** The newest last. */
  async all(knex: Knex = this.#database.knex): Promise<Build[]> {
    // One statement: between two the pointer may have moved, and what it named may be dropped.
    const rows = await knex("projection_builds as b")
      .leftJoin("projections as p", "p.name", "b.name")
      .where("b.name", this.#name)
      .orderBy(["b.version", "b.build"])
      .select("b.version", "b.build", "b.tables", "b.retired_at", "p.version as liveVersion", "p.build as liveBuild");
    return rows.map(({ version, build, tables, retired_at, liveVersion, liveBuild }) => {
      const isLive = version === liveVersion && build === liveBuild;
      return {
        version,
        build,
        tables: JSON.parse(tables) as string[],
        retiredAt: retired_at === null ? undefined : Number(retired_at),
        state: isLive ? "live" : retired_at === null ? "building" : "retired",
      };
    });
  }

  /**
   * Keeps all other followers of the build waiting until the end of the transaction, in whatever process they run: what
   * it reads from here on is what it changes.
   * @throws Dropped
   */
  async hold(trx: Knex.Transaction, build: BuildId): Promise<void> {
    const held = await trx("projection_builds").where(this.#key(build)).forUpdate().first("name");
    if (!held)
      throw new Dropped(`projection ${this.#name}: build ${build.build} of version ${build.version} is dropped`);
  }

  /** Makes sure that there is a build of this version. The first of all is live at once. */
  ensure(version: number): Promise<Build[]> {
    return this.#alone(async trx => {
      const builds = await this.all(trx);
      if (builds.some(build => build.version === version)) return builds;
      await this.#add(trx, { version, build: 1 });
      if (builds.length === 0) await trx("projections").insert({ name: this.#name, version, build: 1 });
      return this.all(trx);
    });
  }

  /** A new build of this version beside the live one, unless there is one already: one at a time. */
  another(version: number): Promise<{ build: number; started: boolean }> {
    return this.#alone(async trx => {
      const builds = await this.all(trx);
      const running = builds.find(build => build.state === "building" && build.version === version);
      if (running && !(await this.#hasStopped(trx, running))) return { build: running.build, started: false };
      // What it has read is of another log: nobody will read its rows.
      if (running) await this.#retire(trx, running, 0);
      const own = builds.filter(build => build.version === version).map(({ build }) => build);
      const build = Math.max(0, ...own) + 1;
      await this.#add(trx, { version, build });
      return { build, started: true };
    });
  }

  /** Streams that a build had to set aside and the live one holds, oldest name first: until they are repaired it is no improvement. */
  async blockedBy(next: BuildId, live: BuildId, knex: Knex = this.#database.knex): Promise<Blocking[]> {
    const [ours, theirs] = [consumerName(this.#name, next), consumerName(this.#name, live)];
    const aside = await knex("parked_streams").whereIn("consumer", [ours, theirs]).orderBy("actor_stream");
    const known = new Set(aside.filter(row => row.consumer === theirs).map(row => row.actor_stream));
    return aside
      .filter(row => row.consumer === ours && !known.has(row.actor_stream))
      .map(row => ({ stream: row.actor_stream, isParked: row.state === "parked" }));
  }

  /**
   * Makes a build the live one, in one transaction, if it has passed the places of all that were ever read: who has seen
   * an event in other rows finds it in these. Nothing may block it.
   */
  switchTo(next: BuildId): Promise<boolean> {
    return this.#alone(async trx => {
      const builds = await this.all(trx);
      const live = builds.find(({ state }) => state === "live");
      const mine = builds.find(build => isSame(build, next));
      if (!live || !mine || !(await this.#mayReplace(trx, live, mine))) return false;
      // Their followers wait until we are done, and hold no place then.
      await trx("projection_builds")
        .where({ name: this.#name })
        .orderBy(["version", "build"])
        .forUpdate()
        .select("name");
      const complete = builds.filter(build => build !== mine && build.state !== "building");
      const ours = consumerName(this.#name, next);
      const theirs = complete.map(build => consumerName(this.#name, build));
      const places = await trx("checkpoints").whereIn("consumer", [ours, ...theirs]);
      const cursors = new Map(places.map(row => [`${row.consumer}/${row.source}/${row.partition}`, row.cursor]));
      for (const place of places) {
        const { consumer, source, partition } = place;
        if (consumer === ours) {
          if (stoppedOf(place)) return false;
          continue;
        }
        // A place in another log says nothing of this one: then what this log had when the live one stopped has to do.
        const reached = stoppedOf(place)?.head ?? place.cursor;
        if (!isAtOrPast(cursors.get(`${ours}/${source}/${partition}`) ?? "", reached)) return false;
      }
      if ((await this.blockedBy(next, live, trx)).length > 0) return false;
      const { version, build } = next;
      await trx("projections").where({ name: this.#name }).update({ version, build });
      await trx("projection_builds").where(this.#key(next)).update({ retired_at: null });
      // Nobody goes back to rows of another log.
      await this.#retire(trx, live, (await this.#hasStopped(trx, live)) ? 0 : undefined);
      // What is being built of a version before this one, by nobody, is wanted no more.
      for (const other of builds)
        if (other.state === "building" && other.version < version && !(await this.#isFed(trx, other)))
          await this.#remove(trx, other);
      return true;
    });
  }

  async #mayReplace(trx: Knex.Transaction, live: Build, next: Build): Promise<boolean> {
    if (next.state === "building" && next.version >= live.version) return true;
    return next.version !== live.version && !(await this.#isFed(trx, live));
  }

  /** Whether a node of the build's version runs: its followers hold leases. */
  async #isFed(knex: Knex, build: BuildId): Promise<boolean> {
    const consumer = consumerName(this.#name, build);
    const lease = await knex("leases")
      .where("name", ">=", `${consumer}/`)
      .where("name", "<", `${consumer}0`)
      .where("expires_at", ">", await this.#database.now(knex))
      .first("name");
    return lease !== undefined;
  }

  /**
   * Drops a build that was replaced, its tables and its place; whether it did. Not while nodes of another version than
   * `ownVersion` feed it: they read it.
   */
  drop(build: BuildId, ownVersion: number): Promise<boolean> {
    return this.#alone(async trx => {
      const found = (await this.all(trx)).find(other => isSame(other, build));
      if (found?.state !== "retired") return false;
      if (found.version !== ownVersion && (await this.#isFed(trx, found))) return false;
      await this.#remove(trx, found);
      return true;
    });
  }

  /** One change at a time, whoever makes it: each goes by what it finds. */
  #alone<T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T> {
    return this.#database.transaction(work, { lock: `projection/${this.#name}` });
  }

  async #add(trx: Knex.Transaction, id: BuildId): Promise<void> {
    const tables = this.#shapes.map(({ table }) => physicalName(this.#name, id, table));
    // It begins at the start of the log, whatever an earlier build of this name has left.
    await forgetConsumer(trx, consumerName(this.#name, id));
    await trx("projection_builds").insert({ ...this.#key(id), tables: JSON.stringify(tables), retired_at: null });
    for (const [i, shape] of this.#shapes.entries()) await shape.create(trx, tables[i]!);
  }

  async #remove(trx: Knex.Transaction, build: Build): Promise<void> {
    await trx("projection_builds").where(this.#key(build)).delete();
    for (const table of build.tables) await trx.schema.dropTableIfExists(table);
    await forgetConsumer(trx, consumerName(this.#name, build));
  }

  async #retire(trx: Knex.Transaction, id: BuildId, at?: number): Promise<void> {
    await trx("projection_builds")
      .where(this.#key(id))
      .update({ retired_at: at ?? (await this.#database.now(trx)) });
  }

  /** Whether one of its places is not in the log. */
  async #hasStopped(trx: Knex.Transaction, id: BuildId): Promise<boolean> {
    const places = await trx("checkpoints").where({ consumer: consumerName(this.#name, id) });
    return places.some(place => stoppedOf(place) !== undefined);
  }

  #key({ version, build }: BuildId): { name: string } & BuildId {
    return { name: this.#name, version, build };
  }
}
